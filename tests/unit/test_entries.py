"""G6: who repeats what is denied fills no audit, and how often is told."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evcs.core import messages as m
from evcs.core.bounded_entries import A_SECOND, AT_ONCE
from tests.unit.test_central import CP, Stage

WHO = "driver/ALICE"
MANY = 4_000


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "ledger.db")
    yield made
    made.ledger.close()


def rows(stage: Stage, who: str = WHO) -> list[tuple[str, str, str]]:
    """What, outcome and detail of the entries of one."""
    with closing(sqlite3.connect(stage.path)) as db:
        query = "SELECT what, outcome, detail FROM audit WHERE who = ? ORDER BY rowid"
        return db.execute(query, (who,)).fetchall()


def counted(stage: Stage, who: str = WHO) -> int:
    """Entries that are written or told as left out."""
    found = rows(stage, who)
    told = [int(text.split()[1]) for *_, text in found if re.fullmatch(r"and \d+ more", text)]
    return len(found) - len(told) + sum(told)


@pytest.mark.parametrize(
    ("verb", "cp"), [("charge", "CP-9"), ("stop", None), ("🔌" * 128, "x" * 128)], ids=ascii
)
def test_denied_requests_are_few_entries_and_a_number(
    stage: Stage, verb: str, cp: str | None
) -> None:
    for number in range(MANY):
        (answer,) = stage.hears(m.DriverRequest("ALICE", verb, str(number), cp))
        assert answer.event == "denied", "each is answered"
        stage.clock.now += 0.01
    passed = MANY * 0.01
    assert len(rows(stage)) <= AT_ONCE + 2 * passed * A_SECOND + 1
    stage.clock.now += 60.0
    stage.central.tick(stage.clock.now)
    assert counted(stage) == MANY
    before = len(rows(stage))
    stage.hears(m.DriverRequest("ALICE", "stop", "x"))
    assert len(rows(stage)) == before + 1, "one that is calm again has each entry"


def test_a_cp_that_refuses_and_a_driver_who_asks_again_are_a_few_entries(stage: Stage) -> None:
    for number in range(500):
        said = stage.hears(m.DriverRequest("ALICE", "charge", str(number), CP, 100))
        (start,) = [one for one in said if isinstance(one, m.Command)]
        stage.hears(m.Reply(CP, start.id, False, "busy"))
    assert len(rows(stage)) <= AT_ONCE
    stage.clock.now += 60.0
    stage.central.tick(stage.clock.now)
    assert counted(stage) == 1_000


def test_another_drivers_entries_are_all_there(stage: Stage) -> None:
    for number in range(500):
        stage.hears(m.DriverRequest("ALICE", "stop", str(number)))
    stage.hears(m.DriverRequest("BOB", "stop", "1"))
    assert rows(stage, "driver/BOB") == [("stop", "denied", "no session is under way")]


def test_who_is_forgotten_is_not_named_by_what_was_left_out(stage: Stage) -> None:
    for number in range(500):
        stage.hears(m.DriverRequest("ALICE", "stop", str(number)))
    stage.hears(m.OperatorRequest("operator", "forget", "f", driver="ALICE"))
    stage.clock.now += 60.0
    stage.central.tick(stage.clock.now)
    stage.hears()
    assert rows(stage) == []


def test_a_cp_whose_faults_come_and_go_is_a_few_entries(stage: Stage) -> None:
    for number in range(500):
        fault = f"fault {number}" if number % 2 else None
        stage.hears(m.MonitorStatus(CP, True, "m1", "ko" if fault else "ok", 1.0, fault))
        stage.central.tick(stage.clock.now)
    with closing(sqlite3.connect(stage.path)) as db:
        (count,) = db.execute("SELECT COUNT(*) FROM audit WHERE what = 'fault'").fetchone()
    assert count == AT_ONCE


def test_charges_of_nothing_are_few_entries_and_a_number(stage: Stage) -> None:
    """Each is a session and a ticket, but the audit needn't tell of each three times more."""
    for number in range(400):
        said = stage.hears(m.DriverRequest("ALICE", "charge", str(number), CP, 2000))
        (start,) = [one for one in said if isinstance(one, m.Command)]
        assert start.session_id is not None
        stage.hears(
            m.Reply(CP, start.id, True),
            m.SessionEvent(CP, "started", start.session_id, 1, 0),
            m.SessionEvent(CP, "ended", start.session_id, 2, 0, "driver"),
        )
        stage.clock.now += 0.1
    assert len(rows(stage)) + len(rows(stage, "central")) <= AT_ONCE + 2 * 40 * A_SECOND + 2
    stage.clock.now += 60.0
    stage.central.tick(stage.clock.now)
    assert counted(stage) + counted(stage, "central") == 3 * 400
