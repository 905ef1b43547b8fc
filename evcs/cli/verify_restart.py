"""`evcs verify-restart`: N CPs up, everything killed at once, and how all of them come back."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from evcs.adapters import capacity, processes
from evcs.cli import supervision
from evcs.cli.bus_probe import BusProbe, wait_for_broker
from evcs.cli.common import CommandContext, table
from evcs.cli.temporary_system import begin, temporary_system
from evcs.core import charge_point as cp_states
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import EvcsError, TimedOut, Unreachable
from evcs.core.fleet_size import FleetSize
from evcs.core.placement import PROCESS
from evcs.home import Home

BACK_WITHIN_S = 300.0
Identity = tuple[Any, ...]
GREEN = frozenset({cp_states.State.ACTIVATED, cp_states.State.SUPPLYING})


class Back(NamedTuple):
    """What came back: CPs that are as before, seconds to green, roles that two play."""

    there: int
    times: list[float]
    doubles: int


def run(ctx: CommandContext, count: int, hosting: str) -> None:
    """The whole trial in a home of its own; exits 1 where a CP is missing or doubled."""
    with temporary_system(1.0) as settings:
        own = CommandContext(settings, ctx.out)
        fleet = FleetSize.of([hosting] * count)
        capacity.check_memory(fleet)
        begin(own, fleet)
        ctx.out.say(f"creating {count} CPs in {settings.home.path}")
        began = time.monotonic()
        names = fill(own, count, hosting)
        created_s = time.monotonic() - began
        before = identities(own)
        ctx.out.say(f"killed {supervision.kill_everything(settings)} processes; starting again")
        found = come_back(own, before)
    _report(ctx, len(names), found, created_s)
    if found.there < count or found.doubles:
        raise SystemExit(1)


def fill(ctx: CommandContext, count: int, hosting: str = PROCESS) -> set[str]:
    """Create a fleet and wait until it is green; its ids."""
    width = max(3, len(str(count)))
    names = [f"CP-{number:0{width}d}" for number in range(1, count + 1)]
    ctx.registry.create_many(
        [{"id": name, "location": f"Street {name}", "hosting": hosting} for name in names]
    )
    _greens(ctx, set(names))
    return set(names)


def come_back(ctx: CommandContext, before: Mapping[str, Identity]) -> Back:
    """Start what was killed, and see who is back as before."""
    began = time.monotonic()
    supervision.start(ctx.settings, lambda _: None)
    greens = _greens(ctx, set(before))
    after = identities(ctx)
    back = sum(before[name] == after.get(name) for name in before if name in greens)
    return Back(back, sorted(at - began for at in greens.values()), _doubles(ctx.settings.home))


def _greens(ctx: CommandContext, names: set[str]) -> dict[str, float]:
    """When each CP was first judged green, on the monotonic clock."""
    found: dict[str, float] = {}

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.CpState) and message.state in GREEN:
            found.setdefault(message.cp, time.monotonic())
        return names <= found.keys()

    deadline = time.monotonic() + BACK_WITHIN_S
    # A connection that fails is tried again after a pause, which would be counted.
    wait_for_broker(ctx.settings.home, BACK_WITHIN_S)
    while time.monotonic() < deadline:
        with suppress(Unreachable), BusProbe(ctx.settings, [topics.filter_for(m.CpState)]) as eye:
            if eye.wait(take, deadline - time.monotonic(), needs_central=False):
                break
    return found


def identities(ctx: CommandContext) -> dict[str, Identity]:
    """What must be the same afterwards: price, power, place and both keys."""
    home = ctx.settings.home
    found = {}
    for cp in ctx.registry.cps():
        keys = [home.secret(f"cp/{cp['id']}/{role}").read_bytes() for role in ("engine", "monitor")]
        found[cp["id"]] = (cp["price_eur_kwh"], cp["max_power_w"], cp["location"], *keys)
    return found


def _doubles(home: Home) -> int:
    """Roles that more than one process plays."""
    lines: Counter[str] = Counter()
    for pid in processes.of_home(home.path):
        with suppress(OSError):
            words = processes.words(pid)
            if "evcs" in words:
                lines[" ".join(words[words.index("evcs") :])] += 1
    return sum(count > 1 for count in lines.values())


def _report(ctx: CommandContext, count: int, found: Back, created_s: float) -> None:
    if not found.times:
        raise TimedOut("no CP came back", "this is a defect: please report it")
    p95 = found.times[min(len(found.times) - 1, int(len(found.times) * 0.95))]
    figures = {"p50": statistics.median(found.times), "p95": p95, "max": found.times[-1]}
    rows = [
        (
            f"{found.there}/{count}",
            *(f"{figures[name]:.1f}" for name in ("p50", "p95", "max")),
            str(found.doubles),
            f"{created_s:.1f}",
        )
    ]
    head = ("BACK", "GREEN P50 S", "P95 S", "LONGEST S", "DOUBLES", "CREATED IN S")
    report = {
        "count": count,
        "back": found.there,
        "doubles": found.doubles,
        "created_s": round(created_s, 2),
        **{f"green_{name}_s": round(value, 2) for name, value in figures.items()},
    }
    ctx.out.data(report, table(head, rows))
    if found.there < count:
        ctx.out.fail(EvcsError(f"{count - found.there} CPs are not as before", "see above"))
