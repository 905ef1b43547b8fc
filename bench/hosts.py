"""A fleet over three hosts, cut off power one by one and all at once, beside the same on one host.

Hosts are network namespaces of this machine, so all share its processors: what three machines would
do at once is done by one. Only one of both systems runs at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle

from bench import ours
from bench.plan import Plan
from bench.results import Series, exactly, load, percentile
from evcs.cli import supervision, verify_restart
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.cli.temporary_system import begin
from evcs.cli.trial_hosts import Machines, machines
from evcs.cli.verify_restart import GREEN, Identity
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import TimedOut
from evcs.core.fleet_size import FleetSize
from evcs.core.placement import MAIN, POOL, PROCESS

TITLE = "A fleet over three hosts"
OTHERS = 2
OWN, POOLED = 300, 1_000


def run(plan: Plan) -> list[Series]:
    """Power cuts of a host, of the centre and of all, and of all of the same fleet on one host."""
    own, pooled = (3, 6) if plan.quick else (OWN, POOLED)
    size = own + pooled
    cuts = {"one host": ["h2"], "the centre": [MAIN], "all three": [MAIN, "h2", "h3"]}
    back = {who: Series(size, f"{who} without power: CPs back", "", exactly(size)) for who in cuts}
    green = {who: Series(size, f"{who} without power: all ACTIVATED", "s") for who in cuts}
    with machines(OTHERS, 1.0) as made, ours.system() as alone:
        there = CommandContext(made.centre, alone.out)
        fleet = FleetSize(own, pooled)
        supervision.kill_everything(alone.settings)
        known = _made(there, made, fleet)
        made.kill(made.hosts)
        supervision.start(alone.settings, ours.quiet, room_for=fleet)
        of_alone = _filled(alone, fleet, [MAIN])
        for _ in range(plan.runs(size)):
            supervision.kill_everything(alone.settings)
            at, found = load(), dict[str, float]()
            for who in reversed(cuts):  # all of it was killed before
                if who != "all three":
                    made.kill(cuts[who])
                    _all_are_seen_to_be_gone(there, cuts[who])
                found[who] = _back(there, partial(made.start, *cuts[who]), known, back[who], at)
            made.kill(made.hosts)
            start = partial(supervision.start, alone.settings, ours.quiet)
            floor_s = _back(alone, start, of_alone)
            for who, took_s in found.items():
                green[who].add(at, took_s, floor_s)
            plan.say(", ".join(f"{who} {took_s:.1f} s" for who, took_s in found.items())
                     + f", alone {floor_s:.1f} s")  # fmt: skip
    return [one for who in cuts for one in (back[who], green[who])]


def _made(call: CommandContext, made: Machines, fleet: FleetSize) -> dict[str, Identity]:
    """The three of them with their fleet. The broker has room for hosts from its next start on."""
    begin(call)
    made.join(call)
    made.kill([MAIN])
    made.start(MAIN)
    return _filled(call, fleet, made.hosts)


def _filled(call: CommandContext, fleet: FleetSize, hosts: Sequence[str]) -> dict[str, Identity]:
    """The fleet, on these hosts in turns."""
    begin(call)
    hostings = [PROCESS] * fleet.own + [POOL] * fleet.pooled
    call.registry.create_many([
        {"id": f"CP-{number:04d}", "hosting": hosting, "host": host}
        for number, (hosting, host) in enumerate(zip(hostings, cycle(hosts), strict=False), 1)
    ])  # fmt: skip
    found = verify_restart.identities(call)
    verify_restart.greens(call, set(found))
    return found


def _back(
    call: CommandContext, start: Callable[[], object], known: dict[str, Identity],
    back: Series | None = None, at: float = 0.0,
) -> float:  # fmt: skip
    """Start what was killed; seconds until all are green."""
    there = verify_restart.come_back(call, known, start)
    assert not there.doubles, there.doubles
    assert there.there == len(known), f"{there.there} of {len(known)}"
    if back is not None:
        back.add(at, there.there)
    return percentile(there.times, 1.0)


def _all_are_seen_to_be_gone(call: CommandContext, killed: Sequence[str]) -> None:
    """Until Central says so of each CP of a killed host: what it said before is no news."""
    if MAIN in killed:
        return
    left = {cp["id"] for cp in call.registry.cps() if cp["host"] in killed}
    with BusProbe(call.settings, [topics.filter_for(m.CpState)]) as eye:
        deadline = time.monotonic() + ours.WITHIN_S
        while left and (message := eye.next(deadline)) is not None:
            if isinstance(message, m.CpState) and message.state not in GREEN:
                left.discard(message.cp)
    if left:
        raise TimedOut(f"{len(left)} CPs of {', '.join(killed)} are still seen", "see: evcs status")
