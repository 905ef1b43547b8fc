"""Circuits' power: how long a division takes, and what it costs Central while 300 supply."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bench import ours, processes
from bench.charging import charge_all
from bench.plan import Plan
from bench.results import Series, at_most, load, ratio_at_most
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import topics, units
from evcs.core.load_management import Asker, Site, divide
from evcs.core.placement import POOL

TITLE = "Sessions that share circuits"
WINDOW_S = 20.0
#: A CP's most, its share while all have one, and after the change; W.
MOST_W, SHARE_W, LOWERED_W = 7_000, 3_000, 2_000
SITE = "SITE"
WITHIN_S = 120.0


def run(plan: Plan) -> list[Series]:
    """All below one circuit that feeds the others, so that its change is every CP's."""
    found = [_division(plan)]
    for size in plan.sizes(300, quick=(6,)):
        names = [f"C-{n}" for n in range(plan.samples(19))]
        cost = Series(size, "Central, beside it without circuits", "ms/s", ratio_at_most(1.05))
        rate = Series(size, "Central's messages, beside without", "/s")
        lower = Series(size, "lowered: to the last new limit", "s", at_most(2, "s"))
        higher = Series(size, "raised: to the last new limit", "s")
        found += [cost, rate, lower, higher]
        with ours.system() as call:
            ours.fill_s(call, size, "--hosting", POOL, "--max-power-kw", "7")
            cps = [f"CP-{n:03d}" for n in range(1, size + 1)]
            charge_all(call, cps)
            _make(call, size, names)
            time.sleep(plan.seconds(20.0))  # connecting and beginning is over
            for _ in range(plan.runs(size, large=5)):
                bare = _window(plan, call)
                _join(call, cps, names)
                at, joined = load(), _window(plan, call)
                cost.add(at, joined[0], bare[0])
                rate.add(at, joined[1], bare[1])
                lower.add(load(), _changed_s(call, size, LOWERED_W))
                higher.add(load(), _changed_s(call, size, SHARE_W))
                _leave(call, cps)
                plan.say(f"{size} supplied without circuits and on {len(names) + 1}")
    return found


def _division(plan: Plan) -> Series:
    """A thousand sessions, half of them waiting, on fifty circuits of two levels."""
    took = Series(1_000, "a division, 50 circuits", "ms", at_most(20, "ms"))
    site = Site(
        [m.Circuit(SITE, 2_000_000), *(m.Circuit(f"C-{n}", 50_000, SITE) for n in range(49))]
    )
    askers = [
        Asker(f"CP-{n}", f"C-{n % 49}", 4_140, 22_000, n % 2 == 0, f"2026-11-30T09:00:{n % 60:02}Z")
        for n in range(1_000)
    ]
    for _ in range(plan.samples(50)):
        at, began = load(), time.perf_counter()
        divide(site, site.rooms([]), askers)
        took.add(at, (time.perf_counter() - began) * 1000)
    return took


def _window(plan: Plan, call: CommandContext) -> tuple[float, float]:
    """Central's ms of CPU a second, and its messages a second."""
    heard = 0

    def count(_topic: str, _payload: bytes) -> None:
        nonlocal heard
        heard += 1

    with BusProbe(call.settings, [topics.subtree("central")], decode=count):
        time.sleep(plan.seconds(1.0))  # what the broker kept comes first
        before, cpu_s, began = heard, _central_s(call), time.monotonic()
        time.sleep(plan.seconds(WINDOW_S))
        took_s = time.monotonic() - began
        return (_central_s(call) - cpu_s) * 1000 / took_s, (heard - before) / took_s


def _central_s(call: CommandContext) -> float:
    return processes.cpu_by_service(call.settings)["central"]


def _make(call: CommandContext, size: int, names: list[str]) -> None:
    """Circuits, of which SITE alone is narrow."""
    call.registry.add_circuit({"name": SITE, "max_power_w": size * SHARE_W})
    for name in names:
        call.registry.add_circuit({"name": name, "max_power_w": units.MAX_POWER_W, "parent": SITE})


def _join(call: CommandContext, cps: list[str], names: list[str]) -> None:
    """Each CP on one of them, until all have a share of their own."""
    with BusProbe(call.settings, [topics.filter_for(m.Meter)]) as bus:
        for number, cp in enumerate(cps):
            call.registry.edit(cp, {"circuit": names[number % len(names)]})
        _until_all_have(bus, len(cps), SHARE_W)


def _leave(call: CommandContext, cps: list[str]) -> None:
    """No CP on any, until none has a limit; turn by turn with the other, so that both are measured
    under what the machine does meanwhile."""
    with BusProbe(call.settings, [topics.filter_for(m.Meter)]) as bus:
        for cp in cps:
            call.registry.edit(cp, {"circuit": None})
        _until_all(bus, len(cps), lambda meter: meter.limit_w is None, "no limit")


def _changed_s(call: CommandContext, size: int, share_w: int) -> float:
    """Seconds from the change of SITE until the last Engine meters under its new limit."""
    with BusProbe(call.settings, [topics.filter_for(m.Meter)]) as bus:
        began = time.monotonic()
        call.registry.edit_circuit(SITE, {"max_power_w": size * share_w})
        _until_all_have(bus, size, share_w)
        return time.monotonic() - began


def _until_all_have(bus: BusProbe, size: int, share_w: int) -> None:
    def has(meter: m.Meter) -> bool:
        return meter.limit_w is not None and abs(meter.limit_w - share_w) <= share_w * 0.02

    _until_all(bus, size, has, f"{share_w} W")


def _until_all(bus: BusProbe, size: int, has: Callable[[m.Meter], bool], what: str) -> None:
    have: set[str] = set()
    for meter in _meters(bus):
        (have.add if has(meter) else have.discard)(meter.cp)
        if len(have) == size:
            return
    raise AssertionError(f"{len(have)} of {size} have {what} after {WITHIN_S:g} s")


def _meters(bus: BusProbe) -> Iterator[m.Meter]:
    deadline = time.monotonic() + WITHIN_S
    while found := bus.next(deadline):
        if isinstance(found, m.Meter):
            yield found
