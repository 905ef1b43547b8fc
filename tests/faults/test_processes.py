"""A9, A13, A15, A22: engines that won't stay, second systems, parts that are down, limits."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable

import pytest

from evcs.home import Home
from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import ROOT, System, eventually


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..002}")
    return system


def test_engine_that_exits_at_once_is_tried_for_ever(fleet: System) -> None:
    """Its lock is a folder, so it can't even start."""
    before = fleet.steady()
    lock = Home(fleet.home).lock("CP-001.engine")
    lock.unlink()
    lock.mkdir()
    os.kill(before["CP-001:engine"], signal.SIGKILL)
    log = fleet.home / "log" / "supervisord.log"
    tries = log.read_text().count("exited: engine")
    eventually("several tries", lambda: log.read_text().count("exited: engine") - tries >= 4)
    assert fleet.states() == {"CP-001": "BROKEN_DOWN", "CP-002": "ACTIVATED"}
    said = (fleet.home / "log" / "CP-001.engine.log").read_text()
    assert "CP-001.engine.lock: Is a directory" in said
    assert "Traceback" not in said
    lock.rmdir()
    fleet.wait_for_state("CP-001", "ACTIVATED")
    now = fleet.steady()
    assert {n: now[n] for n in before if n.startswith("CP-002")} == {
        n: before[n] for n in before if n.startswith("CP-002")
    }


def test_cp_stopped_by_hand_is_started_again(fleet: System) -> None:
    fleet.ok("supervisorctl", "stop", "CP-002:engine")
    fleet.wait_for_state("CP-002", "BROKEN_DOWN")
    fleet.wait_for_state("CP-002", "ACTIVATED")


def test_second_supervisord_is_refused(fleet: System) -> None:
    before = fleet.steady()
    done = fleet.ok("evcs", "up", "--wait")
    assert "runs already" in done.err
    done = fleet.run("evcs", "up", "--foreground")
    assert done.code == 5
    assert str(fleet.supervisord_pid) in done.err
    env = {**fleet.env, "EVCS_PYTHON": "python3"}
    raw = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "supervisord"), "-n", "-c",
         str(fleet.home / "conf" / "supervisord.conf")],
        env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert raw.returncode != 0
    assert "Another program is already listening" in raw.stdout + raw.stderr
    assert fleet.steady() == before


def test_second_process_of_a_role_is_refused(fleet: System) -> None:
    for role in (["central"], ["registry"], ["cp-manager"], ["web"], ["engine", "CP-001"]):
        done = subprocess.run(
            [str(ROOT / ".venv" / "bin" / "python"), "-P", "-m", "evcs", *role],
            env={**fleet.env, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=30, cwd=fleet.home,
        )  # fmt: skip
        assert done.returncode == 5, (role, done)
        assert "runs already (pid" in done.stdout
    wait_until_consistent(fleet)


def test_registry_down_at_a_create(fleet: System) -> None:
    before = sorted(str(p) for p in fleet.home.joinpath("data", "secrets").rglob("*"))
    fleet.ok("supervisorctl", "stop", "registry")
    try:
        done = fleet.run("evcs-cp", "create", "CP-009")
        assert done.code == 6
        assert "see: evcs logs registry" in done.err
    finally:
        fleet.ok("supervisorctl", "start", "registry")
    assert sorted(str(p) for p in fleet.home.joinpath("data", "secrets").rglob("*")) == before
    eventually("the Registry is back", lambda: fleet.run("evcs-cp", "list").code == 0)
    assert "CP-009" not in fleet.states()


def test_central_down_at_a_create_is_said_and_nothing_is_lost(fleet: System) -> None:
    fleet.ok("supervisorctl", "stop", "central")
    try:
        done = fleet.run("evcs-cp", "create", "CP-010")
        assert done.code == 6
        assert "Central" in done.err
    finally:
        fleet.ok("supervisorctl", "start", "central")
    fleet.wait_for_state("CP-010", "ACTIVATED")


def test_low_limit_of_open_files(new_system: Callable[..., System], fleet: System) -> None:
    other = new_system()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard > 300
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 200; exec {ROOT}/bin/evcs up"], env=other.env,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done
    assert "open files" in done.stderr
    assert "ulimit -n" in done.stderr
    assert not other.stray_pids()


def test_create_beyond_the_limit_says_how_many_fit(new_system: Callable[..., System]) -> None:
    small = new_system()
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 700; exec {ROOT}/bin/evcs up --wait"], env=small.env,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done
    refused = small.run("evcs-cp", "create", "CP-{001..100}")
    assert refused.code == 1
    assert "74 CPs" in refused.err
    assert small.cps() == []
    small.down()
