"""C7: a CP is moved into a pool and out again, and who does it ends itself at each step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.faults.charging import begin, metered, no_ticket_is_doubled, session, ticket
from tests.faults.invariants import consistent, wait_until_audited, wait_until_consistent
from tests.faults.recorded import no_cp_has_two_engines
from tests.system_under_test import System, eventually

#: What a crash there leaves is as if nothing had been asked.
UNDONE = ("registry.secrets_written", "registry.audit_prepared")
MADE = (
    "registry.committed", "registry.audited", "registry.accounts_written", "registry.published",
)  # fmt: skip
#: At the release, which is a change of the Registry's too.
RELEASED = tuple(f"{point}:released" for point in (UNDONE[0], *MADE))
#: What the Registry does is the same both ways: the change goes one way, the release the other.
STEPS = {
    "pool": (
        *UNDONE, *MADE, "manager.section_erased", "manager.group_stopped", "manager.group_removed",
        "manager.reported", "manager.carried_over", "manager.members_written",
    ),
    "process": (
        "manager.members_written", "manager.reported", *RELEASED, "manager.carried_over",
        "manager.section_written", "manager.group_added",
    ),
}  # fmt: skip
#: The last one before the old place's release is told.
BEFORE_RELEASE = {"pool": "manager.group_removed", "process": "manager.members_written"}
#: Of a pool that comes with its first member, and goes with its last.
ALONE = {
    "pool": ("manager.members_written", "manager.section_written", "manager.group_added"),
    "process": (
        "manager.members_written", "manager.section_erased", "manager.group_stopped",
        "manager.group_removed",
    ),
}  # fmt: skip
SUPPLYING = {
    "pool": ("registry.committed", "manager.group_stopped", "manager.carried_over"),
    "process": ("registry.published", "manager.members_written", "manager.carried_over"),
}
OTHER = {"pool": "process", "process": "pool"}


def _cases(points: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """In and out in turns, so that nothing has to be moved back."""
    both = zip_longest(*([(hosting, one) for one in points[hosting]] for hosting in points))
    return [case for pair in both for case in pair if case is not None]


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> Iterator[System]:
    system = new_system()
    system.up(EVCS_CRASH_AT=f"@{system.home}/run/crash_at")
    system.ok("evcs-cp", "create", "OWN", "IDLE", "BUSY")
    system.ok("evcs-cp", "create", "POOLED", "--hosting", "pool")
    system.ok("evcs", "driver", "add", "ALICE")
    system.ok("evcs-cp", "fault", "IDLE", "--reason", "cable damaged")
    system.steady()
    with system.listening("evcs/v1/#") as recorded:
        yield system
    no_cp_has_two_engines(recorded)
    no_ticket_is_doubled(system)
    wait_until_audited(system)
    system.down()


def _mark(system: System) -> Path:
    return system.home / "run" / "crash_at"


def _arm(system: System, point: str) -> None:
    _mark(system).write_text(point)


def _went_off(system: System) -> None:
    eventually("the crash point was reached", lambda: not _mark(system).exists(), 30)


def _bystanders(system: System) -> dict[str, int]:
    return {
        name: pid for name, pid in system.processes().items() if name.startswith(("OWN:", "_pool"))
    }


def _move(system: System, cp: str, hosting: str, point: str) -> str:
    """Ask for it, have who does it end at that step; how the CP is to be hosted now."""
    name, _, late = point.partition(":")
    _arm(system, BEFORE_RELEASE[hosting] if late else name)
    done = system.run("evcs-cp", "edit", cp, "--hosting", hosting, "--no-wait")
    assert done.code in (0, 6), done
    _went_off(system)
    if late:
        _arm(system, name)
        _went_off(system)
    return hosting if done.code == 0 or late or name not in UNDONE else OTHER[hosting]


def _is_in(system: System, cp: str, hosting: str) -> bool:
    """Whether the Registry has it there; not while it is coming back."""
    try:
        status, found = system.http("GET", f"{system.registry_url}/api/v1/cps/{cp}")
    except OSError:
        return False
    return status == 200 and (found["hosting"], found["moving"]) == (hosting, False)


def _arrived(system: System, cp: str, hosting: str) -> None:
    """Wholly there, and nowhere else."""
    what = f"{cp} in a {hosting}"
    eventually(what, lambda: _is_in(system, cp, hosting), 30, every_s=0.2)
    eventually(what, lambda: consistent(system), 30, every_s=0.3)


def _start_in(system: System, cp: str, hosting: str) -> None:
    """Where it is before the move, whatever the test before left."""
    if not _is_in(system, cp, hosting):
        system.ok("evcs-cp", "edit", cp, "--hosting", hosting, "--no-wait")
        _arrived(system, cp, hosting)


def _charging_in(system: System, hosting: str, kwh: str) -> str:
    """The session of BUSY, which is there."""
    _start_in(system, "BUSY", hosting)
    system.wait_for_state("BUSY", "ACTIVATED")
    return begin(system, "BUSY", "ALICE", kwh)


def _has_its_fault(system: System, cp: str) -> bool:
    (shown,) = [one for one in system.cps() if one["id"] == cp]
    return (shown["state"], shown["reason"]) == ("BROKEN_DOWN", "fault: cable damaged")


@pytest.mark.parametrize(("hosting", "point"), _cases(STEPS))
def test_an_idle_one_keeps_its_fault(fleet: System, hosting: str, point: str) -> None:
    _start_in(fleet, "IDLE", OTHER[hosting])
    before = _bystanders(fleet)
    _arrived(fleet, "IDLE", _move(fleet, "IDLE", hosting, point))
    eventually("its fault is kept", lambda: _has_its_fault(fleet, "IDLE"))
    assert _bystanders(fleet) == before


@pytest.mark.parametrize(("hosting", "point"), _cases(SUPPLYING))
def test_one_that_supplies_moves_after_its_supply(fleet: System, hosting: str, point: str) -> None:
    one, before = _charging_in(fleet, OTHER[hosting], "1"), _bystanders(fleet)
    wanted = _move(fleet, "BUSY", hosting, point)
    found = ticket(fleet, one)
    assert (found["energy_wh"], found["reason"]) == (1000, "completed")
    _arrived(fleet, "BUSY", wanted)
    fleet.wait_for_state("BUSY", "ACTIVATED")
    assert _bystanders(fleet) == before


@pytest.mark.parametrize("hosting", [*OTHER])
def test_it_waits_for_the_end_of_a_supply(fleet: System, hosting: str) -> None:
    """Also where the CP Manager is killed meanwhile. Once its Engine is, the supply goes along."""
    one = _charging_in(fleet, OTHER[hosting], "3")
    fleet.ok("evcs-cp", "edit", "BUSY", "--hosting", hosting, "--no-wait")
    pid = fleet.processes()["cp-manager"]
    os.kill(pid, signal.SIGKILL)
    eventually("another CP Manager", lambda: fleet.processes().get("cp-manager", pid) != pid)
    waited = metered(fleet, "BUSY")[one] + 700
    eventually("it supplies for some looks", lambda: metered(fleet, "BUSY")[one] > waited)
    assert not _is_in(fleet, "BUSY", hosting)
    at_kill = metered(fleet, "BUSY")[one]
    kill = ("evcs-cp", "kill", "BUSY", "engine", "--no-wait")
    eventually("its Engine is killed", lambda: fleet.run(*kill).code == 0)
    eventually("it goes on", lambda: metered(fleet, "BUSY")[one] > at_kill)
    found = ticket(fleet, one)
    assert (found["energy_wh"], found["reason"]) == (3000, "completed")
    _arrived(fleet, "BUSY", hosting)
    fleet.wait_for_state("BUSY", "ACTIVATED")


@pytest.mark.parametrize("hosting", [*OTHER])
def test_one_that_hangs_is_ended_and_its_energy_kept(fleet: System, hosting: str) -> None:
    """It can't be asked whether it supplies; nothing begins before its process has ended."""
    one = _charging_in(fleet, OTHER[hosting], "2")
    name = "BUSY:engine" if hosting == "pool" else "_pool-1:engines"
    os.kill(fleet.processes()[name], signal.SIGSTOP)
    fleet.ok("evcs-cp", "edit", "BUSY", "--hosting", hosting, "--no-wait")
    halted = ("interrupted", "settled")  # the first may be over before it is looked for
    eventually("interrupted", lambda: session(fleet, one)["state"] in halted)
    _arrived(fleet, "BUSY", hosting)
    assert ticket(fleet, one)["energy_wh"] > 0
    fleet.wait_for_state("BUSY", "ACTIVATED")


@pytest.mark.parametrize(("hosting", "point"), _cases(ALONE))
def test_the_first_and_the_last_of_a_pool(fleet: System, hosting: str, point: str) -> None:
    for cp in ("POOLED", "BUSY"):
        _start_in(fleet, cp, "process")
    _start_in(fleet, "IDLE", OTHER[hosting])
    before = {name: pid for name, pid in _bystanders(fleet).items() if name.startswith("OWN")}
    _arrived(fleet, "IDLE", _move(fleet, "IDLE", hosting, point))
    eventually("its fault is kept", lambda: _has_its_fault(fleet, "IDLE"))
    assert before.items() <= _bystanders(fleet).items()
    assert any(name.startswith("_pool") for name in _bystanders(fleet)) == (hosting == "pool")


def test_all_agree_in_the_end(fleet: System) -> None:
    fleet.ok("evcs-cp", "clear", "IDLE")
    assert wait_until_consistent(fleet) == {"OWN", "IDLE", "BUSY", "POOLED"}
