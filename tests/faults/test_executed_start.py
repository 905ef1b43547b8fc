"""A9, A12, A13, A14 where CPs' processes are executed, not forked (cp_start = exec)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import pytest

from tests.faults import test_processes
from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually

test_engine_that_exits_at_once_is_tried_for_ever = (
    test_processes.test_engine_that_exits_at_once_is_tried_for_ever
)
test_second_process_of_a_role_is_refused = test_processes.test_second_process_of_a_role_is_refused


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.env["EVCS_CP_START"] = "exec"
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..002}")
    return system


def _kill_supervisord(system: System) -> None:
    assert system.supervisord_pid is not None
    os.kill(system.supervisord_pid, signal.SIGKILL)


def test_all_are_back_after_an_end_of_supervisord_and_of_everything(fleet: System) -> None:
    before = fleet.cps()
    for end in (partial(_kill_supervisord, fleet), fleet.kill_all):
        end()
        eventually("nothing is left", lambda: not fleet.stray_pids())
        fleet.up()
        assert [cp["id"] for cp in fleet.cps()] == [cp["id"] for cp in before]
        assert set(fleet.states().values()) == {"ACTIVATED"}
        wait_until_consistent(fleet)
