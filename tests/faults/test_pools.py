"""C1 to C5, C8: many CPs in one process, which ends, hangs, changes and comes back.

Small in the checks; as large as FAULTS wants it by hand:
    POOLED=1000 SUPPLYING=200 CHANGED=100 bin/check tests/faults/test_pools.py
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from evcs.adapters.metered import metered
from evcs.home import Home
from tests.faults.charging import begin_many, no_ticket_is_doubled
from tests.faults.invariants import wait_until_consistent
from tests.faults.recorded import (
    births,
    interrupted,
    judged,
    largest_step_wh,
    metering,
    no_cp_has_two_engines,
)
from tests.faults.stores import put_into_pool
from tests.system_under_test import System, eventually

POOLED = int(os.environ.get("POOLED", "100"))
SUPPLYING = int(os.environ.get("SUPPLYING", "25"))
CHANGED = int(os.environ.get("CHANGED", "20"))
TIME_SCALE = 10.0
#: Of 22 kW, in a second of ours.
WH_A_SECOND = 62
ENGINES, MONITORS = "_pool-1:engines", "_pool-1:monitors"
#: In another pool: nothing is done to them.
FAR, FAR_POOL = ("FAR-1", "FAR-2"), 9
#: CPs, each of which fails at another of its Engine's handlers.
HANDLERS = {
    "CP-001": "engine.made", "CP-002": "engine.connected", "CP-003": "engine.command",
    "CP-004": "engine.tick", "CP-005": "engine.health",
}  # fmt: skip
TIMES = 3

Heard = list[tuple[str, dict[str, Any]]]


class Fleet(NamedTuple):
    """A system, its CPs, those in the first pool, and those that supply."""

    system: System
    cps: frozenset[str]
    near: frozenset[str]
    supplying: frozenset[str]

    @property
    def busy(self) -> frozenset[str]:
        """Those in the first pool that supply."""
        return self.near & self.supplying

    @property
    def mark(self) -> Path:
        """What arms a fail point."""
        return self.system.home / "run" / "crash_at"

    def kill(self, name: str, how: int = signal.SIGKILL) -> int:
        """Send a process that signal; its pid."""
        pid = self.system.processes()[name]
        os.kill(pid, how)
        return pid

    def another(self, name: str, pid: int) -> None:
        """Until another process is there."""
        eventually(f"another {name}", lambda: self.system.processes().get(name, pid) != pid)

    def others(self, *names: str) -> dict[str, int]:
        """All processes but these."""
        return {n: pid for n, pid in self.system.processes().items() if n not in names}


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> Iterator[Fleet]:
    system = new_system(time_scale=TIME_SCALE)
    system.env["EVCS_CRASH_AT"] = f"@{system.home}/run/crash_at"
    system.up()
    cps = [f"CP-{number:03d}" for number in range(1, POOLED + 1)]
    pairs = {f"D-{cp}": cp for cp in (*cps[:SUPPLYING], FAR[0])}
    some = f"CP-{{001..{POOLED:03d}}}"
    system.ok("evcs-cp", "create", some, *FAR, "--hosting", "pool")
    system.ok("evcs", "driver", "add", *pairs)
    system.ok("evcs", "down")
    put_into_pool(system.home, FAR_POOL, {*FAR})
    system.up()
    wait_until_consistent(system)
    begin_many(system, pairs)
    near = {one["id"] for one in system.cps() if one["pool"] == 1}
    yield Fleet(system, frozenset({*cps, *FAR}), frozenset(near), frozenset(pairs.values()))
    no_ticket_is_doubled(system)
    system.down()


@contextmanager
def _recorded(fleet: Fleet) -> Iterator[Heard]:
    """The whole bus; who is in the other pool is never touched."""
    with fleet.system.listening("evcs/v1/#") as heard:
        _all_meter(fleet, heard)
        yield heard
        _all_meter(fleet, heard)
    no_cp_has_two_engines(heard)
    assert not interrupted(heard) & {*FAR}


def _all_meter(fleet: Fleet, heard: Heard) -> None:
    """Until each that supplies has told another reading from now on."""
    begin = len(heard)
    eventually("all meter", lambda: metering(heard[begin:]) == fleet.supplying, 30, every_s=0.2)


def _are(heard: Heard, begin: int, cps: frozenset[str], *state: str) -> Callable[[], bool]:
    """Whether each of them has been judged so, since so many messages."""

    def probe() -> bool:
        told = judged(heard[begin:])
        return all(any(one[: len(state)] == state for one in told.get(cp, ())) for cp in cps)

    return probe


def _are_back(fleet: Fleet, heard: Heard, role: str) -> bool:
    """Whether each has begun that role once more, and is as it was before."""
    begun, told = births(heard, role), judged(heard)
    return all(
        len(begun[cp]) > 1
        and told[cp][-1][0] == ("SUPPLYING" if cp in fleet.supplying else "ACTIVATED")
        for cp in fleet.near
    )


def test_members_come_and_go_beside_others(fleet: Fleet) -> None:
    """C5."""
    system, before = fleet.system, fleet.system.steady()
    with _recorded(fleet) as heard:
        system.ok("evcs-cp", "create", f"NEW-{{001..{CHANGED:03d}}}", "--hosting", "pool")
        system.ok("evcs-cp", "edit", "NEW-*", "--price-eur-kwh", "0.44")
        system.ok("evcs-cp", "revoke", "NEW-*")
        system.ok("evcs-cp", "rekey", "NEW-*")
        system.ok("evcs-cp", "delete", "NEW-*", "--yes")
    assert interrupted(heard) == set()
    assert system.processes() == before
    assert wait_until_consistent(system) == fleet.cps


def test_code_that_raises_ends_one_alone(fleet: Fleet) -> None:
    """C3: at each handler, again and again, with a pause that grows."""
    system, before, failing = fleet.system, fleet.system.processes(), frozenset(HANDLERS)
    with _recorded(fleet) as heard:
        begin = len(heard)
        fleet.mark.write_text(" ".join(f"{point}:{cp}" for cp, point in HANDLERS.items()))
        for cp, point in HANDLERS.items():
            if point in ("engine.made", "engine.connected", "engine.command"):
                system.ok("evcs-cp", "kill", cp, "engine", "--no-wait")
        eventually(
            "broken", _are(heard, begin, failing, "BROKEN_DOWN", "engine gone"), 20, every_s=0.2
        )
        log = system.home / "log" / "_pool-1.engines.log"
        eventually(
            "again",
            lambda: all(len(_failures(log, cp)) >= TIMES for cp in failing),
            60,
            every_s=0.5,
        )
        fleet.mark.unlink()
        begin = len(heard)
        eventually("back", _are(heard, begin, failing, "SUPPLYING"), 30, every_s=0.2)
    assert interrupted(heard) <= failing
    assert {cp for cp, told in judged(heard).items() if ("BROKEN_DOWN", "engine gone") in told} == (
        failing
    )
    for cp in failing:
        for number, (one, another) in enumerate(pairwise(_failures(log, cp))):
            assert (another - one).total_seconds() >= min(0.99 * 2**number, 14.9), cp
    assert system.processes() == before


def _failures(log: Path, cp: str) -> list[datetime]:
    """When its Engine's code raised."""
    found = re.findall(rf"^(\S+)Z ERROR {cp} engine failed", log.read_text(), re.MULTILINE)
    return [datetime.fromisoformat(at) for at in found]


def test_engines_killed_are_back_in_their_sessions(fleet: Fleet) -> None:
    """C1."""
    others, before = fleet.others(ENGINES), metered(Home(fleet.system.home))
    with _recorded(fleet) as heard:
        fleet.another(ENGINES, fleet.kill(ENGINES))
        eventually("back", lambda: _are_back(fleet, heard, "engine"), 15, every_s=0.2)
    after = metered(Home(fleet.system.home))
    assert all(after[session] > wh for session, wh in before.items())
    assert fleet.others(ENGINES) == others


@pytest.mark.parametrize("how", ["stopped", "blocked"])
def test_engines_that_hang_are_silent_and_ended(fleet: Fleet, how: str) -> None:
    """C2: all of them together, be it one CP's code that never returns."""
    others = fleet.others(ENGINES)
    pid = fleet.system.processes()[ENGINES]
    with _recorded(fleet) as heard:
        begin = len(heard)
        if how == "stopped":
            fleet.kill(ENGINES, signal.SIGSTOP)
        else:
            fleet.mark.write_text("engine.tick:CP-001!")
        eventually(
            "silent", _are(heard, begin, fleet.near, "BROKEN_DOWN", "silent"), 10, every_s=0.2
        )
        fleet.mark.unlink(missing_ok=True)
        begin = len(heard)
        fleet.another(ENGINES, pid)
        eventually("back", _are(heard, begin, fleet.busy, "SUPPLYING"), 40, every_s=0.2)
    assert largest_step_wh(heard) <= 3 * WH_A_SECOND
    assert fleet.others(ENGINES) == others


def test_monitors_killed_are_back_and_charges_go_on(fleet: Fleet) -> None:
    """C4."""
    others = fleet.others(MONITORS)
    with _recorded(fleet) as heard:
        fleet.another(MONITORS, fleet.kill(MONITORS))
        eventually("back", lambda: _are_back(fleet, heard, "monitor"), 15, every_s=0.2)
    assert interrupted(heard) == set()
    assert fleet.others(MONITORS) == others


def test_a_power_cut_takes_nothing(fleet: Fleet) -> None:
    """C8: N of N, in their sessions."""
    before = metered(Home(fleet.system.home))
    fleet.system.kill_all()
    fleet.system.up()
    with _recorded(fleet):
        pass
    after = metered(Home(fleet.system.home))
    assert all(after[session] > wh for session, wh in before.items())
    assert wait_until_consistent(fleet.system) == fleet.cps


def test_monitors_gone_for_long_end_the_supplies(fleet: Fleet) -> None:
    """C4, by the rule of a CP's own Monitor; the last, since it ends what the others need."""
    system = fleet.system
    system.ok("supervisorctl", "stop", "cp-manager")
    with system.listening("evcs/v1/#") as heard:
        begin = len(heard)
        system.ok("supervisorctl", "stop", MONITORS)
        eventually("seen", _are(heard, begin, fleet.near, "DISCONNECTED"), 10, every_s=0.2)
        eventually("ended", lambda: _ended(heard) == fleet.busy, 30, every_s=0.2)
        begin = len(heard)
        system.ok("supervisorctl", "start", MONITORS, "cp-manager")
        eventually("back", _are(heard, begin, fleet.near, "ACTIVATED"), 15, every_s=0.2)
    assert not interrupted(heard) & {*FAR}
    rows = system.ok("evcs", "sessions", "--limit", "100000", "--json").json
    reasons = {row["cp"]: row["reason"] for row in rows}
    assert reasons == {**dict.fromkeys(fleet.busy, "monitor_gone"), FAR[0]: None}
    system.ok("evcs-driver", "stop", "--driver", f"D-{FAR[0]}")


def _ended(heard: Heard) -> set[str]:
    """CPs whose drivers were given their tickets."""
    return {
        payload["cp"]
        for topic, payload in [*heard]
        if topic.startswith("evcs/v1/central/driver/") and payload["event"] == "ticket"
    }
