"""A fault, a stop and a revocation outlive a restart of everything, with the time since when."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters.ledger import Ledger
from evcs.core import messages as m
from evcs.core.ports import Connected, Received
from evcs.services.central.service import Central
from tests.unit.fakes import FakeBus, FakeClock

CP = "CP-1"
WANTED = m.DesiredCp(CP, CP, "in", "0.30", 22_000, "", "main", False, False, 1)
STOPPED, REVOKED = WANTED._replace(service="out"), WANTED._replace(revoked=True)
BIRTH = m.ServiceStatus("central", True, "boot", "1")
ENGINE = m.EngineStatus(CP, True, "e1")
WELL = m.MonitorStatus(CP, True, "m1", "ok", 1.0)
BROKEN = m.MonitorStatus(CP, True, "m1", "ko", 1.0, "cable")
GONE = m.MonitorStatus(CP, False, "m1")


class Run:
    """One run of Central, of all that begins anew with it: nobody has kept what was said."""

    def __init__(self, path: Path, day: int, wanted: m.DesiredCp = WANTED) -> None:
        self.clock, self.bus = FakeClock(1000.0 * day), FakeBus()
        self.ledger = Ledger(path)
        self.clock.wall = f"2026-11-{day:02}T09:00:00.000Z"
        self.central = Central(self.bus, self.ledger, self.clock, BIRTH)
        self.central.handle([Connected()])
        self.hears(wanted, BIRTH)

    def hears(self, *messages: Any) -> m.CpState:
        """One batch, and a look of the auditor's; the CP's state as it was told last."""
        self.central.handle([Received(message, False) for message in messages])
        self.clock.now += 1.0
        self.central.tick(self.clock.now)
        return [one for one in self.bus.said if isinstance(one, m.CpState)][-1]

    def end(self) -> None:
        self.ledger.close()


def faults(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [one for (one,) in db.execute("SELECT outcome FROM audit WHERE what = 'fault'")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.mark.parametrize(
    ("wanted", "monitor"), [(WANTED, BROKEN), (STOPPED, WELL), (REVOKED, GONE)]
)
def test_what_stands_keeps_its_time(
    path: Path, wanted: m.DesiredCp, monitor: m.MonitorStatus
) -> None:
    for day in (1, 2, 3):
        run = Run(path, day, wanted)
        told = run.hears(ENGINE, monitor)
        assert told.since == "2026-11-01T09:00:00.000Z", told.state
        run.end()
    assert faults(path) == (["fault: cable"] if monitor is BROKEN else [])


def test_what_is_over_has_no_time_any_more(path: Path) -> None:
    run = Run(path, 1)
    run.hears(ENGINE, BROKEN)
    run.hears(WELL)
    run.end()
    again = Run(path, 2)
    assert again.hears(ENGINE, BROKEN).since == "2026-11-02T09:00:00.000Z"
    again.end()
    assert faults(path) == ["fault: cable", "over", "fault: cable"]


def test_who_is_restarted_by_hand_has_come_back_anew(path: Path) -> None:
    """So it is known that he has; what stands is audited once all the same."""
    run = Run(path, 1)
    run.hears(ENGINE, BROKEN)
    run.clock.wall = "2026-11-01T10:00:00.000Z"
    assert run.hears(GONE).state == "DISCONNECTED"
    assert run.hears(ENGINE._replace(online=False), BROKEN).reason == "engine gone"
    assert run.hears(ENGINE).since == "2026-11-01T10:00:00.000Z"
    run.end()
    assert faults(path) == ["fault: cable"]


def test_of_a_cp_that_is_deleted_nothing_stands(path: Path) -> None:
    run = Run(path, 1)
    run.hears(ENGINE, BROKEN)
    run.hears(m.Cleared(m.DesiredCp, {"cp": CP}))
    run.end()
    again = Run(path, 2)
    assert again.hears(ENGINE, WELL).since == "2026-11-02T09:00:00.000Z"
    again.end()
    assert faults(path) == ["fault: cable"]


@pytest.mark.parametrize("noted", ["", "[]", "null", '["X", "", ""]', '["BROKEN_DOWN", 1, "x"]',
                                   '["BROKEN_DOWN", "fault", "yesterday"]'])  # fmt: skip
def test_what_another_has_noted_is_passed_over(path: Path, noted: str) -> None:
    ledger = Ledger(path)
    ledger.commit([], [], [], {f"since/{CP}": noted})
    ledger.close()
    run = Run(path, 2)
    assert run.hears(ENGINE, BROKEN).since == "2026-11-02T09:00:00.000Z"
    run.end()
