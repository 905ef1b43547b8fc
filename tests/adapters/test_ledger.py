from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from evcs.adapters import heartbeat, ledger_mark, ledger_schema
from evcs.adapters.ledger import Ledger
from evcs.adapters.ledger_reader import LedgerReader
from evcs.core import session_life as life
from evcs.core.audit import AuditEntry
from evcs.core.errors import RESTORE, EvcsError
from evcs.core.payloads import MAX_INT
from evcs.core.ports import NeverWritten
from evcs.core.pulse import LOOK_EVERY_S
from evcs.core.readings import ALL, Reading, Sample
from evcs.core.session import Correction, Session
from tests.adapters import ledger_v1
from tests.adapters.conftest import Disk
from tests.system_under_test import eventually

AT = "2026-11-22T09:00:00.000Z"


def session(number: int = 1, **more: object) -> Session:
    made = Session(f"S{number}", "CP-1", "ALICE", "0.30", 5_000, 22_000, AT)
    return made._replace(**more)  # type: ignore[arg-type]


def settled(number: int = 1, energy_wh: int = 4_133) -> Session:
    return life.advance(session(number), life.Ended(9, energy_wh, "completed", AT))


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
        "DELETE FROM audit", "REPLACE INTO session SELECT * FROM session",
        "REPLACE INTO audit (rowid, at, who, what, outcome, detail) VALUES (1, 2, 3, 4, 5, 6)",
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


def test_triggers_that_are_gone_are_made_again(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER session_settled")
        db.execute("DROP TRIGGER audit_kept")
        db.execute("CREATE TRIGGER audit_kept BEFORE UPDATE ON audit BEGIN SELECT 1; END")
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as db:
        for sql in ("UPDATE session SET energy_wh = 1", "UPDATE audit SET detail = 'x'"):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON audit BEGIN INSERT INTO noted VALUES ('a', 'b'); END",
        "CREATE VIEW sessions AS SELECT 1",
    ],
)
def test_what_else_would_run_in_a_ledger_is_refused(path: Path, sql: str) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql)
    with pytest.raises(EvcsError, match="which no ledger has"):
        Ledger(path)


@pytest.mark.parametrize(
    "sql",
    [
        ("PRAGMA legacy_alter_table = ON; CREATE TABLE s AS SELECT * FROM session;"
        "DROP TABLE session; ALTER TABLE s RENAME TO session"),
        "ALTER TABLE session ADD COLUMN more TEXT NOT NULL DEFAULT 'x'",
        "ALTER TABLE audit ADD COLUMN more TEXT AS (1)",
        "CREATE UNIQUE INDEX evil ON audit (what)",
        "DROP INDEX audit_at; CREATE UNIQUE INDEX audit_at ON audit (what)",
        "CREATE TABLE more (x TEXT)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("earlier", [False, True])
def test_a_ledger_whose_tables_are_others_is_refused(path: Path, sql: str, earlier: bool) -> None:
    if earlier:
        ledger_v1.make(path)
    else:
        filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)
        before = db.execute("SELECT * FROM sqlite_master").fetchall()
    with pytest.raises(EvcsError, match="ledger has") as error:
        Ledger(path)
    assert error.value.hint == RESTORE
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT * FROM sqlite_master").fetchall() == before


def test_a_reader_leaves_a_newer_ledger_alone_too(path: Path) -> None:
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 999")
    with pytest.raises(EvcsError, match="newer version"):
        LedgerReader(path).sessions()


# -- an earlier version ---------------------------------------------------------------------


def test_a_reader_reads_version_1_as_it_lies_there(path: Path) -> None:
    ledger_v1.make(path)
    assert [one["session_id"][:6] for one in LedgerReader(path).sessions()] == [
        "261103", "261102", "261101",
    ]  # fmt: skip
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)


def test_version_1_becomes_this_one_with_every_row_and_sum(path: Path) -> None:
    ledger_v1.make(path)
    reader = LedgerReader(path)
    before = reader.sessions(), reader.sums(), reader.audit()
    ledger = Ledger(path)
    assert (reader.sessions(), reader.sums(), reader.audit()) == before
    assert [one.session_id for one in ledger.open_sessions()] == ["261103-cccccccccccc"]
    assert ledger.noted()["broker_log"] == ""
    ledger.commit([], [], [], forgotten={"BERT": "removed-1"})  # version 1 refuses this
    ledger.close()
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (ledger_schema.VERSION,)


def test_a_migration_that_fails_leaves_version_1(path: Path) -> None:
    ledger_v1.make(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE audit")  # the index on it can't be made
        db.execute("CREATE TABLE audit (x TEXT)")
    with pytest.raises(EvcsError, match="version"):
        Ledger(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            db.execute("UPDATE session SET driver = 'removed-1' WHERE phase = 'settled'")


#: Versions 1 to 3 have the same tables.
VERSION_3 = f"""
{ledger_v1.SCHEMA}
INSERT INTO session VALUES ('S1', 'CP-1', 'ALICE', '0.30', 5000, 22000, '2026-11-22T09:00:00.000Z',
  'settled', 1500, 9, 0, 'completed', '2026-11-22T09:30:00.000Z', '0.45', 'r1');
INSERT INTO session VALUES ('S2', 'CP-1', '', '0.30', 700, 22000, '2026-11-22T10:00:00.000Z',
  'settled', 700, 9, 0, 'unknown_session', '2026-11-22T10:30:00.000Z', '0.21', NULL);
INSERT INTO session VALUES ('S3', 'CP-2', 'BERT', '0.30', 5000, 22000, '2026-11-22T11:00:00.000Z',
  'supplying', 100, 1, 7000, NULL, NULL, NULL, 'r3');
PRAGMA user_version = 3;
"""


@pytest.mark.parametrize("killed", [False, True])
def test_version_3_becomes_this_one_without_a_row_written_anew(path: Path, killed: bool) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_3)
    reader = LedgerReader(path)
    before = reader.sessions(), reader.sums()
    assert [one["driver"] for one in before[0]] == ["BERT", None, "ALICE"]
    if killed:  # all of it was one transaction, of which nothing is there
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ALTER TABLE session ADD COLUMN origin TEXT NOT NULL DEFAULT 'driver'")
    ledger = Ledger(path)
    assert (reader.sessions(), reader.sums()) == before
    (running,) = ledger.open_sessions()
    assert (running.origin, running.connector, running.end_known) == ("driver", 1, False)
    nobody = ledger.session("S2")
    assert nobody is not None
    assert (nobody.driver, nobody.end_known) == (None, True)
    ledger.commit([running._replace(requested_wh=None, driver=None)], [], [])
    ledger.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA user_version").fetchone() == (ledger_schema.VERSION,)
        for wrong in ("driver = 'x'", "energy_wh = 1", "tag = 'x'", "end_known = 0"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                db.execute(f"UPDATE session SET {wrong} WHERE session_id = 'S2'")


def test_version_5_becomes_this_one_and_has_no_readings_yet(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled(1)], [], [])
    ledger.close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE reading; PRAGMA user_version = 5;")
    reader = LedgerReader(path)
    before = reader.sessions(), reader.sums()
    assert reader.readings("CP-1", 0, 2**40) == []
    Ledger(path).close()
    assert (reader.sessions(), reader.sums()) == before
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (ledger_schema.VERSION,)
        assert db.execute("SELECT COUNT(*) FROM reading").fetchone() == (0,)


# -- readings -------------------------------------------------------------------------------

DAY_S = 86_400


def test_readings_of_a_time_begin_with_the_one_that_held_then(path: Path) -> None:
    ledger, reader = Ledger(path), LedgerReader(path)
    assert reader.readings("CP-1", 0, 9) == []
    many = [Reading(cp, day * DAY_S + 100 * i, i, 10 * i)
            for day in (3, 5) for cp in ("CP-1", "CP-2", ALL) for i in range(3)]  # fmt: skip
    ledger.commit([], [], [], readings=many)
    ledger.commit([], [], [], readings=[Reading("CP-1", 5 * DAY_S, 99, 7)])  # of the same second

    def times(cp: str, since: int, until: int) -> list[int]:
        return [one.at for one in reader.readings(cp, since, until)]

    third, fifth = 3 * DAY_S, 5 * DAY_S
    assert times("CP-1", third + 150, third + 200) == [third + 100]
    assert times("CP-1", third, fifth + 1) == [third, third + 100, third + 200, fifth]
    assert times(ALL, third + DAY_S, fifth) == [third + 200], "of the day before"
    assert times("CP-2", third + 2 * DAY_S, fifth) == [], "longer ago nothing is looked for"
    assert times("CP-3", 0, 2**40) == []
    assert reader.readings("CP-1", fifth, fifth + 1) == [Sample(fifth, 99, 7)]


# -- corrections ----------------------------------------------------------------------------

MORE = Correction("2026-11-22T12:00:00.000Z", 250, "0.08", "completed")


def test_a_correction_stands_beside_its_ticket_and_in_the_sums(path: Path) -> None:
    ledger, reader = Ledger(path), LedgerReader(path)
    ticket = settled(1)
    ledger.commit([ticket], [], [])
    before, sums = reader.sessions(), reader.sums()
    ledger.commit([ticket._replace(correction=MORE)], [], [])
    first, second = reader.sessions()
    assert [first] == before
    assert (second["corrects"], second["energy_wh"], second["cost_eur"]) == ("S1", 250, "0.08")
    assert second["session_id"] != first["session_id"]
    for now, then in zip(reader.sums(), sums, strict=True):
        (one,) = then
        assert now == [one._replace(energy_wh=one.energy_wh + 250, cents=one.cents + 8)]
    assert ledger.session("S1") == ticket._replace(correction=MORE)
    assert reader.sums(state="active") == reader.sums(cp="CP-9") == ([], [])
    assert reader.sums(state="settled") == reader.sums()


def test_a_session_settled_and_corrected_at_once_has_both(path: Path) -> None:
    ledger = Ledger(path)
    both = settled(1)._replace(correction=MORE._replace(energy_wh=-250, cost_eur="-0.08"))
    ledger.commit([both], [], [])
    assert ledger.session("S1") == both
    assert LedgerReader(path).sums().days[0].energy_wh == both.energy_wh - 250


def test_a_session_is_corrected_once_and_that_stays(path: Path) -> None:
    ledger = Ledger(path)
    corrected = settled(1)._replace(correction=MORE)
    ledger.commit([corrected], [], [])
    with pytest.raises(NeverWritten):
        ledger.commit([corrected], [], [])
    ledger.close()
    with closing(sqlite3.connect(path)) as db:
        for wrong in (
            "UPDATE correction SET energy_wh = 1",
            "DELETE FROM correction",
            "INSERT OR REPLACE INTO correction VALUES ('S1', 'x', 1, '1', 'x')",
            "INSERT INTO correction VALUES ('nothing', 'x', 1, '1', 'x')",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(wrong)


def test_a_correction_goes_with_its_ticket(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled(1)._replace(correction=MORE)], [], [])
    assert not ledger.drop("2099-01-01T00:00:00.000Z", None, AT, 10)
    assert LedgerReader(path).sessions() == []
    ledger.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT COUNT(*) FROM correction").fetchone() == (0,)


def test_who_is_forgotten_leaves_no_tag(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled(1)._replace(tag="04A2", correction=MORE)], [], [])
    ledger.commit([], [], [], forgotten={"ALICE": "removed-1"})
    found = ledger.session("S1")
    assert found is not None
    assert (found.driver, found.tag, found.correction) == ("removed-1", None, MORE)


# -- a driver who is forgotten --------------------------------------------------------------


def entry(who: str, at: str = AT) -> AuditEntry:
    return AuditEntry(at, who, "charge", "CP-1", "asked", "S1")


def test_a_forgotten_driver_leaves_tickets_with_the_same_sums(path: Path) -> None:
    ledger, reader = Ledger(path), LedgerReader(path)
    bert = settled(2)._replace(driver="BERT")
    ledger.commit([settled(1), bert], [], [entry("driver/ALICE"), entry("driver/BERT")])
    before = reader.sums()
    ledger.commit([], [], [], forgotten={"ALICE": "removed-1"})
    assert ledger.session("S1") == settled(1)._replace(driver="removed-1")
    assert ledger.session("S2") == bert
    assert reader.sums() == before
    assert {one["who"] for one in reader.audit()} == {"driver/removed-1", "driver/BERT"}
    assert not ledger.knows("ALICE")
    ledger.close()


def test_what_is_written_in_the_same_batch_is_forgotten_with_the_rest(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled()], [], [entry("driver/ALICE")], forgotten={"ALICE": "removed-1"})
    assert not ledger.knows("ALICE")
    ledger.close()


def test_nothing_of_a_forgotten_name_is_left_in_the_files(path: Path) -> None:
    name = "FRIEDERIKE-MARGARETE"
    ledger = Ledger(path)
    many = [settled(number)._replace(driver=name) for number in range(300)]
    ledger.commit(many, [], [entry(f"driver/{name}") for _ in many])
    ledger.commit([], [], [], forgotten={name: "removed-1"})
    files = [one for one in path.parent.iterdir() if one.name.startswith("ledger.db")]
    assert not [one.name for one in files if name.encode() in one.read_bytes()]
    ledger.close()


def test_who_reads_just_then_is_read_to_and_the_name_goes_all_the_same(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled()], [], [])
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT driver FROM session").fetchall() == [("ALICE",)]
        ledger.commit([], [], [], forgotten={"ALICE": "removed-1"})
        assert reader.execute("SELECT driver FROM session").fetchall() == [("ALICE",)]
        reader.execute("COMMIT")
        assert reader.execute("SELECT driver FROM session").fetchall() == [("removed-1",)]
    ledger.commit([session(2)], [], [])
    ledger.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE session SET driver = 'BERT'",
        "UPDATE session SET driver = 'removed-2', energy_wh = 0",
        "UPDATE session SET driver = 'removed-2', request_id = 'x'",
        "UPDATE audit SET who = 'driver/BERT'",
        "UPDATE audit SET who = 'operator'",
        "UPDATE audit SET who = 'driver/removed-2', detail = ''",
        "DELETE FROM session",
        "DELETE FROM audit",
    ],
)
def test_a_name_gives_way_to_a_pseudonym_and_nothing_else_changes(path: Path, sql: str) -> None:
    ledger = Ledger(path)
    ledger.commit([settled()], [], [entry("driver/ALICE")])
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(sql)
    ledger.commit([], [], [], forgotten={"ALICE": "removed-1"})
    with closing(sqlite3.connect(path)) as db:
        for again in (
            sql,
            "UPDATE session SET driver = 'removed-2'",  # nor a pseudonym to another
            "UPDATE audit SET who = 'driver/removed-2'",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                db.execute(again)
    ledger.close()


# -- what is old ----------------------------------------------------------------------------


def aged(number: int, day: str, phase: str = "settled") -> Session:
    at = f"2026-11-{day}T09:00:00.000Z"
    made = settled(number)._replace(started_at=at, ended_at=at)
    return made if phase == "settled" else session(number, started_at=at, phase=phase)


def test_what_ended_before_the_horizon_goes_and_nothing_else(path: Path) -> None:
    ledger = Ledger(path)
    old = [aged(1, "01"), aged(2, "02", "interrupted"), aged(3, "03", "supplying"), aged(4, "04")]
    ledger.commit(
        [*old, aged(5, "20")], [], [entry("central", one.started_at) for one in old]
    )  # fmt: skip
    assert not ledger.drop("2026-11-04T00:00:00.000Z", "2026-11-02T00:00:00.000Z", AT, 100)
    left = LedgerReader(path).sessions()
    assert [one["session_id"] for one in left] == ["S5", "S4", "S3", "S2"]
    audit = LedgerReader(path).audit()
    assert [one["detail"] for one in audit if one["what"] == "drop"] == [
        "1 sessions, 1 entries of the audit"
    ]
    assert len(audit) == 1 + len(old) - 1
    ledger.close()


def test_nothing_goes_that_no_horizon_was_given_for(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([aged(1, "01")], [], [entry("central")])
    assert not ledger.drop(None, None, AT, 100)
    assert ledger.session("S1") is not None
    assert len(LedgerReader(path).audit()) == 1
    ledger.close()


def test_what_is_old_goes_a_part_at_a_time(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([aged(number, "01") for number in range(5)], [], [])
    parts = []
    while ledger.drop("2026-11-02T00:00:00.000Z", None, AT, 2):
        parts.append(len(LedgerReader(path).sessions()))
    assert parts == [3, 1]
    assert LedgerReader(path).sessions() == []
    ledger.close()


def test_a_horizon_of_the_past_allows_no_more_than_it_did(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([aged(1, "10")], [], [])
    ledger.drop("2026-11-05T00:00:00.000Z", None, AT, 100)
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("DELETE FROM session")
    ledger.close()


def test_garbage_and_a_lock_are_told_with_what_helps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"garbage " * 1000)
    for look in (lambda: Ledger(path), lambda: LedgerReader(path).sessions()):
        with pytest.raises(EvcsError, match="not a database") as error:
            look()
        assert "evcs restore" in error.value.hint
    path.unlink()
    ledger = Ledger(path)
    signs: list[float] = []
    monkeypatch.setattr(heartbeat, "beat", lambda: signs.append(time.monotonic()))
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(2):
            with pytest.raises(EvcsError, match="locked") as error:
                ledger.commit([session()], [], [])
        assert "another program" in error.value.hint
    first, second = signs
    assert second - first < LOOK_EVERY_S / 2, "a sign of life at each wait, and none is long"
    ledger.close()


@pytest.mark.parametrize(
    "field",
    [
        {"cp": "a/b"}, {"driver": "#"}, {"price_eur_kwh": "x"}, {"phase": "x"},
        {"session_id": "S1" + "x" * 70_000}, {"energy_wh": MAX_INT + 1},
        {"started_at": "zzzz"}, {"waiting_since": "now"},
        {"request_id": "a\nb"}, {"tag": "\0"},
    ],
)  # fmt: skip
def test_an_open_session_that_can_not_be_one_is_named(path: Path, field: dict[str, str]) -> None:
    ledger = Ledger(path)
    ledger.commit([session()._replace(**field)], [], [])  # type: ignore[arg-type]
    with pytest.raises(EvcsError, match="session 'S1") as error:
        ledger.open_sessions()
    assert "evcs restore" in error.value.hint
    ledger.close()


NO_TICKETS = [
    {"started_at": "zz"}, {"ended_at": "2026-02-30T09:00:00Z"}, {"price_eur_kwh": "x"},
    {"cost_eur": "1e9"}, {"energy_wh": 2**63 - 1}, {"cp": "a/b"},
    {"correction": Correction("now", 1, "0.00", "late")},
    {"correction": Correction(AT, 1, "0.001", "late")},
]  # fmt: skip


@pytest.mark.parametrize("field", NO_TICKETS)
def test_a_ticket_that_can_not_be_one_is_named(path: Path, field: dict[str, str]) -> None:
    ledger = Ledger(path)
    ledger.commit([settled(2)], [], [])
    ledger.commit([settled()._replace(**field)], [], [])  # type: ignore[arg-type]
    ledger.close()
    reader = LedgerReader(path)
    for look in (reader.check, reader.sessions, lambda: reader.session("S1")):
        with pytest.raises(EvcsError, match="session 'S1") as error:
            look()
        assert "evcs restore" in error.value.hint


def test_sums_of_what_can_not_be_are_refused(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled(), settled(2)._replace(price_eur_kwh="x", cost_eur=None)], [], [])
    with pytest.raises(EvcsError, match="price") as error:
        LedgerReader(path).sums()
    assert "evcs restore" in error.value.hint
    ledger.commit([settled(3)._replace(energy_wh=2**63 - 1)], [], [])
    with pytest.raises(EvcsError, match="overflow") as error:
        LedgerReader(path).sums()
    assert "evcs doctor" in error.value.hint
    ledger.close()


def test_an_audit_that_can_not_be_one_is_named(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled()], [], [AuditEntry("zz", "central", "ticket", "CP-1", "ok", "")])
    ledger.close()
    with pytest.raises(EvcsError, match="'zz' is no time"):
        LedgerReader(path).check()


def test_what_is_no_text_is_refused(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(
            "DROP TRIGGER session_settled; UPDATE session SET driver = CAST(x'ff41' AS TEXT)"
        )
    reader = LedgerReader(path)
    for look in (reader.check, reader.sessions, lambda: reader.session("S1")):
        with pytest.raises(EvcsError, match="no text") as error:
            look()
        assert "evcs restore" in error.value.hint


def test_a_ticket_of_old_stays_one(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled()._replace(request_id="x" * 4_096, reason="\0" * 300)], [], [])
    ledger.close()
    assert LedgerReader(path).check() == 1
    assert len(LedgerReader(path).sessions()) == 1


def filled(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled()], [], [AuditEntry(AT, "central", "ticket", "CP-1", "ok", "")])
    ledger.close()


def copy_of(path: Path) -> bytes:
    """The file as it lies there once it is closed: all of it, the log beside it is gone."""
    return path.read_bytes()


def _another(path: Path) -> None:
    mark = path.with_name("ledger.mark")
    kept = mark.read_bytes()
    path.unlink()
    mark.unlink()
    filled(path)
    mark.write_bytes(kept)


LOSSES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "another": _another,
}


@pytest.mark.parametrize("how", LOSSES)
def test_a_ledger_that_this_home_has_lost_does_not_begin_anew(path: Path, how: str) -> None:
    filled(path)
    kept = copy_of(path)
    LOSSES[how](path)
    left = path.read_bytes() if path.exists() else None
    with pytest.raises(EvcsError, match=AT) as error:
        Ledger(path)
    assert "evcs restore" in error.value.hint
    assert "ledger.mark" in error.value.hint
    assert (path.read_bytes() if path.exists() else None) == left
    path.write_bytes(kept)
    assert Ledger(path).session("S1") == settled()


def test_an_older_copy_in_its_place_is_noticed(path: Path) -> None:
    filled(path)
    older = copy_of(path)
    ledger, later = Ledger(path), "2026-11-23T00:00:00.000Z"
    ledger.commit([], [], [AuditEntry(later, "central", "ticket", "CP-1", "ok", "")])
    ledger.close()
    path.write_bytes(older)
    with pytest.raises(EvcsError, match=f"is older: it ends at {AT}.*{later}"):
        Ledger(path)
    path.with_name("ledger.mark").unlink()
    Ledger(path).close()
    assert path.with_name("ledger.mark").exists()


def test_a_request_that_is_turned_down_leaves_a_ledger_that_is_not_older(path: Path) -> None:
    filled(path)
    ledger = Ledger(path)
    ledger.commit([session(2, started_at="2026-11-23T00:00:00.000Z")], [], [])
    ledger.look()
    ledger.commit([], ["S2"], [])
    Ledger(path).close()
    ledger.close()


def test_a_mark_that_can_not_be_read_is_made_anew_unless_the_ledger_is_gone(path: Path) -> None:
    filled(path)
    mark = path.with_name("ledger.mark")
    good = mark.read_bytes()
    mark.write_bytes(b"garbage")
    Ledger(path).close()
    assert mark.read_bytes() == good
    mark.write_bytes(b"garbage")
    path.unlink()
    with pytest.raises(EvcsError, match="is gone"):
        Ledger(path)


@pytest.mark.parametrize("names", ["ledger.db*", "ledger.db-*", "ledger.db-wal"])
def test_removed_while_in_use_it_is_written_back_with_every_row(path: Path, names: str) -> None:
    Ledger(path).close()
    ledger = Ledger(path)
    ledger.look()
    ledger.commit([settled(1)], [], [])
    for one in path.parent.glob(names):
        one.unlink()
    ledger.commit([settled(2)], [], [])
    ledger.look()
    ledger.commit([settled(3)], [], [])
    assert {row["session_id"] for row in LedgerReader(path).sessions()} == {"S1", "S2", "S3"}
    ledger.close()
    assert Ledger(path).session("S2") == settled(2)
    assert not list(path.parent.glob(".*"))


def test_removed_on_a_full_disk_it_is_written_back_once_there_is_room(disk: Disk) -> None:
    path = disk.path / "ledger.db"
    ledger = Ledger(path)
    ledger.commit([settled(1)], [], [])
    disk.fill()
    for one in path.parent.glob("ledger.db*"):
        one.unlink()
    disk.fill()
    ledger.look()
    assert not path.exists()
    assert not list(path.parent.glob(".*"))
    disk.make_room()
    ledger.close()
    assert Ledger(path).session("S1") == settled(1)


def test_replaced_while_in_use_it_is_not_written_over(path: Path) -> None:
    ledger = Ledger(path)
    ledger.commit([settled(1)], [], [])
    path.unlink()
    path.write_bytes(b"")
    with pytest.raises(EvcsError, match="is empty"):
        ledger.look()
    ledger.close()


def test_damaged_at_any_place_it_is_read_or_refused_never_a_traceback(path: Path) -> None:
    filled(path)
    whole, mark = copy_of(path), path.with_name("ledger.mark").read_bytes()
    looks: list[Callable[[], object]] = [
        lambda: LedgerReader(path).sessions(),
        lambda: LedgerReader(path).audit(),
        lambda: ledger_mark.check(path),
    ]
    refused = 0
    for number, index in enumerate(itertools.chain(range(0, 200, 7), range(200, len(whole), 149))):
        harmed = bytearray(whole)
        place = index % len(whole)
        harmed[place] ^= 0x80 | number % 128
        path.write_bytes(harmed)
        path.with_name("ledger.mark").write_bytes(mark)
        for look in [*looks, lambda: Ledger(path).close()] if number % 9 == 0 else looks:
            try:
                look()
            except EvcsError:
                refused += 1
        for extra in path.parent.glob("ledger.db-*"):
            extra.unlink()
    assert refused > 50
