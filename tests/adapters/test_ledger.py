from __future__ import annotations

import itertools
import sqlite3
import threading
from pathlib import Path

import pytest

from evcs.adapters.ledger import Ledger, LedgerReader
from evcs.core import session as s
from evcs.core.audit import AuditEntry
from evcs.core.errors import EvcsError
from tests.adapters.conftest import Disk
from tests.system_under_test import eventually

AT = "2026-11-22T09:00:00.000Z"


def session(number: int = 1, **more: object) -> s.Session:
    made = s.Session(f"S{number}", "CP-1", "ALICE", "0.30", 5_000, 22_000, AT)
    return made._replace(**more)  # type: ignore[arg-type]


def settled(number: int = 1, energy_wh: int = 4_133) -> s.Session:
    return s.advance(session(number), s.Ended(9, energy_wh, "completed", AT))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_what_is_committed_is_there_for_the_next_process(path: Path) -> None:
    first = Ledger(path)
    first.commit([settled(1), session(2, phase="supplying", energy_wh=7)], [], [])
    first.close()
    again = Ledger(path)
    assert again.session("S1") == settled(1)
    assert again.open_sessions() == [session(2, phase="supplying", energy_wh=7)]
    assert again.session("S3") is None
    again.close()


def test_a_session_has_one_row_however_often_it_is_written(path: Path) -> None:
    ledger = Ledger(path)
    for energy_wh in range(5):
        ledger.commit([session(phase="supplying", energy_wh=energy_wh)], [], [])
    ledger.commit([settled()], [], [])
    rows = LedgerReader(path).sessions()
    assert [(row["session_id"], row["energy_wh"], row["cost_eur"]) for row in rows] == [
        ("S1", 4_133, "1.24")
    ]
    ledger.close()


def test_a_ticket_is_never_changed_nor_taken_back_and_what_came_with_it_is_refused(
    path: Path,
) -> None:
    ledger = Ledger(path)
    ledger.commit([settled()], [], [])
    for change in (settled(energy_wh=1), session(phase="supplying"), settled()):
        with pytest.raises(EvcsError, match="never changed"):
            ledger.commit([session(2), change], [], [AuditEntry(AT, "x", "x", None, "x", "")])
    with pytest.raises(EvcsError, match="never deleted"):
        ledger.commit([], ["S1"], [])
    assert ledger.session("S1") == settled()
    assert ledger.session("S2") is None
    ledger.close()


def test_a_second_hand_on_the_file_can_not_change_a_ticket_either(path: Path) -> None:
    Ledger(path).commit([settled()], [], [AuditEntry(AT, "central", "x", None, "ok", "")])
    db = sqlite3.connect(path)
    for sql in (
        "UPDATE session SET energy_wh = 0", "DELETE FROM session", "UPDATE audit SET who = 'me'",
        "DELETE FROM audit",
    ):  # fmt: skip
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(sql)
    db.close()


def test_a_request_that_its_cp_refused_leaves_no_row(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([session()], [], [])
    ledger.commit(
        [], ["S1", "S9"], [AuditEntry(AT, "driver/ALICE", "charge", "CP-1", "denied", "")]
    )
    assert ledger.session("S1") is None
    ledger.close()


def test_it_is_read_while_it_is_written(path: Path) -> None:
    ledger, reader, seen = Ledger(path), LedgerReader(path), []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append({row["energy_wh"] for row in reader.sessions()})

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 60):
        both = [session(one, phase="supplying", energy_wh=number) for one in (1, 2)]
        ledger.commit(both, [], [])
    eventually("the last commit is read", lambda: seen[-1:] == [{59}], 20)
    done.set()
    thread.join()
    assert all(len(energies) <= 1 for energies in seen), "half a transaction was seen"
    ledger.close()


def test_an_absent_ledger_is_an_empty_one(path: Path) -> None:
    assert LedgerReader(path).sessions() == []
    assert not path.exists()


def test_sessions_are_found_by_every_filter_the_latest_first(path: Path) -> None:
    ledger = Ledger(path)
    places = itertools.product(("CP-1", "CP-2"), ("ALICE", "BOB"), ("requested", "interrupted"))
    for number, (cp, driver, phase) in enumerate(places):
        at = f"2026-11-2{number}T00:00:00.000Z"
        ledger.commit([session(number, cp=cp, driver=driver, started_at=at, phase=phase)], [], [])
    found = LedgerReader(path).sessions
    assert [row["session_id"] for row in found()] == [f"S{n}" for n in range(7, -1, -1)]
    assert [row["session_id"] for row in found(cp="CP-2")] == ["S7", "S6", "S5", "S4"]
    assert [row["session_id"] for row in found(cp="CP-2", driver="BOB")] == ["S7", "S6"]
    assert [row["session_id"] for row in found(since="2026-11-26")] == ["S7", "S6"]
    assert {row["state"] for row in found(state="interrupted")} == {"interrupted"}
    assert len(found(state="active")) == 4
    assert len(found(limit=3)) == 3
    assert found(cp="' OR 1=1 --") == []
    ledger.close()


def test_on_a_full_disk_a_commit_is_refused_whole_and_goes_through_when_there_is_room(
    disk: Disk,
) -> None:
    path = disk.path / "ledger.db"
    ledger = Ledger(path)
    ledger.commit([session()], [], [])
    disk.fill()
    many = [session(number, reason="x" * 900) for number in range(2, 60)]
    with pytest.raises(EvcsError, match="can't be written"):
        ledger.commit([settled(1), *many], [], [])
    assert ledger.session("S1") == session()
    assert ledger.open_sessions() == [session()]
    disk.make_room()
    ledger.commit([settled(1), *many], [], [])
    assert ledger.session("S1") == settled(1)
    assert len(ledger.open_sessions()) == len(many)
    ledger.close()


def test_a_ledger_of_a_newer_version_is_left_alone(path: Path) -> None:
    Ledger(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(EvcsError, match="newer version"):
        Ledger(path)
