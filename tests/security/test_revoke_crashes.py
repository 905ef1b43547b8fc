"""The Registry and the CP Manager end themselves at each step of a revoke and a rekey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.charging import begin, ticket
from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually

REVOKE = (
    "registry.committed",
    "registry.accounts_written",
    "registry.published",
    "manager.section_erased",
    "manager.group_stopped",
)
BACK = (
    "registry.secrets_written",
    "registry.committed",
    "manager.section_written",
    "manager.group_added",
)
REKEY = ("registry.secrets_written", "registry.committed", "registry.accounts_written")


@pytest.fixture(scope="module")
def armed(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up(EVCS_CRASH_AT=f"@{system.home}/run/crash_at")
    system.ok("evcs-cp", "create", "CP-001", "KEEP")
    system.ok("evcs", "driver", "add", "ALICE")
    return system


def _crash(system: System, point: str, verb: str) -> bool:
    """Whether the command was answered though somebody ended at that step."""
    mark = system.home / "run" / "crash_at"
    mark.write_text(point)
    done = system.run("evcs-cp", verb, "CP-001", "--no-wait")
    assert done.code in (0, 6), done
    eventually("the crash point was reached", lambda: not mark.exists(), 20)
    return done.code == 0


def _keep(system: System) -> tuple[int, int]:
    now = system.steady()
    return now["KEEP:engine"], now["KEEP:monitor"]


def _shut_out(system: System) -> bool:
    path: Path = system.home / "data" / "mosquitto.passwd"
    gone = "cp/CP-001/" not in path.read_text()
    groups = {name.partition(":")[0] for name in system.processes()}
    section = system.home / "conf" / "supervisord.d" / "CP-001.conf"
    return gone and "CP-001" not in groups and not section.exists()


@pytest.mark.parametrize("point", REVOKE)
def test_revoke(armed: System, point: str) -> None:
    before = _keep(armed)
    _crash(armed, point, "revoke")
    eventually("wholly out", lambda: _shut_out(armed), 20, every_s=0.2)
    armed.wait_for_state("CP-001", "DISCONNECTED")
    eventually("nothing retained", lambda: not armed.retained("evcs/v1/cp/CP-001/#"), 20)
    eventually("as desired", lambda: armed.run("evcs", "status", "--check").code == 0, 20)
    armed.ok("evcs-cp", "rekey", "CP-001")
    assert wait_until_consistent(armed) == {"CP-001", "KEEP"}
    assert _keep(armed) == before


@pytest.mark.parametrize("point", BACK)
def test_rekey_of_a_revoked_one(armed: System, point: str) -> None:
    before = _keep(armed)
    armed.ok("evcs-cp", "revoke", "CP-001")
    eventually("wholly out", lambda: _shut_out(armed), 20, every_s=0.2)
    if not _crash(armed, point, "rekey") and point == "registry.secrets_written":
        eventually("the Registry is back", lambda: armed.run("evcs-cp", "list").code == 0)
        assert armed.states()["CP-001"] == "DISCONNECTED"
        armed.ok("evcs-cp", "rekey", "CP-001")
    armed.wait_for_state("CP-001", "ACTIVATED")
    assert wait_until_consistent(armed) == {"CP-001", "KEEP"}
    assert _keep(armed) == before


@pytest.mark.parametrize("point", REKEY)
def test_rekey_in_a_charge(armed: System, point: str) -> None:
    before, pids = _keep(armed), armed.steady()
    started = begin(armed, "CP-001", "ALICE", "5")
    _crash(armed, point, "rekey")
    found = ticket(armed, started)
    assert (found["reason"], found["energy_wh"]) == ("completed", 5000)
    assert wait_until_consistent(armed) == {"CP-001", "KEEP"}
    assert _keep(armed) == before
    assert armed.steady()["CP-001:engine"] == pids["CP-001:engine"]
