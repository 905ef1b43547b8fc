"""G38: of a CP, what hangs is ended and started anew, and nothing else is."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

import pytest

from tests.system_under_test import System, eventually

WITHIN_S = 30.0
MONITOR = "CP-001:monitor"
BOTH = ("CP-002:engine", "CP-002:monitor")


class Hung(NamedTuple):
    """A system of three CPs, and its pids before some of them were stopped."""

    system: System
    before: dict[str, int]

    def started_anew(self, *names: str) -> bool:
        """Whether each of these is another process now."""
        now = self.system.processes()
        return all(now.get(name, 0) not in (0, self.before[name]) for name in names)

    def changed(self) -> set[str]:
        """What is not the process that it was, once all run."""
        now = self.system.steady()
        return {name for name, pid in self.before.items() if now[name] != pid}


@pytest.fixture(scope="module")
def hung(system: System) -> Hung:
    """All of them at once: each is waited for as long."""
    system.ok("evcs-cp", "create", "CP-{001..003}")
    before = system.steady()
    for name in (MONITOR, *BOTH):
        os.kill(before[name], signal.SIGSTOP)
    return Hung(system, before)


def test_a_hung_monitor_is_started_anew_by_its_engine(hung: Hung) -> None:
    eventually("it is started anew", lambda: hung.started_anew(MONITOR), WITHIN_S)
    hung.system.wait_for_state("CP-001", "ACTIVATED")
    assert hung.changed() - set(BOTH) == {MONITOR}
    log = (hung.system.home / "log" / "CP-001.engine.log").read_text()
    assert f"monitor pid={hung.before[MONITOR]} asks no more: ended" in log


def test_a_cp_whose_two_processes_are_stopped_is_back(hung: Hung) -> None:
    eventually("both are started anew", lambda: hung.started_anew(*BOTH), 1.5 * WITHIN_S)
    hung.system.wait_for_state("CP-002", "ACTIVATED")
    assert hung.changed() == {MONITOR, *BOTH}
