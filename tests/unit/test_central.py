"""Central's handling of batches: what a burst after its own absence must not do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters.ledger import Ledger
from evcs.adapters.ledger_reader import LedgerReader
from evcs.core import messages as m
from evcs.core import session_life as life
from evcs.core.audit import AuditEntry
from evcs.core.decisions.draft import TELL_AGAIN_S
from evcs.core.end_reasons import in_words
from evcs.core.errors import EvcsError
from evcs.core.patience import ON_MAIN, PATIENCE, Patience
from evcs.core.ports import Connected, Received
from evcs.core.readings import ALL, Reading, second_of
from evcs.core.session import Phase
from evcs.services.central.driver_requests import CHARGES_A_SECOND, CHARGES_AT_ONCE
from evcs.services.central.fleet import FREE_AFTER_S
from evcs.services.central.operator_requests import REPLY_WITHIN_S
from evcs.services.central.retention import AT_ONCE, Keep, Retention
from evcs.services.central.service import REPEAT_EVERY_S, Central
from tests.unit.fakes import FakeBus, FakeClock

CP = "CP-1"
DESIRED = m.DesiredCp(CP, CP, "in", "0.30", 22_000, "", "main", False, False, 1)
BIRTH = m.ServiceStatus("central", True, "boot", "1")


class Stage:
    """A Central with one CP, on a bus that records."""

    def __init__(
        self, path: Path, ledger: type[Ledger] = Ledger, patience: Patience = PATIENCE
    ) -> None:
        self.path, self.clock, self.begun = path, FakeClock(100.0), 0
        self.bus = FakeBus()
        self.ledger = ledger(path)
        self.central = Central(self.bus, self.ledger, self.clock, BIRTH, patience=patience)
        self.central.handle([Connected()])
        self.hears(
            DESIRED,
            m.EngineStatus(CP, True, "e1"),
            m.MonitorStatus(CP, True, "m1", "ok", 1.0),
            BIRTH,
        )

    def hears(self, *messages: Any) -> list[Any]:
        """One batch; what Central says of it."""
        self.bus.taken()
        self.central.handle([Received(message, False) for message in messages])
        return self.bus.taken()

    def begin(self, requested_wh: int = 2000) -> str:
        """A session that supplies."""
        self.begun += 1
        asked = m.DriverRequest("ALICE", "charge", f"r{self.begun}", CP, requested_wh)
        said = self.hears(asked)
        (start,) = [one for one in said if isinstance(one, m.Command)]
        assert start.session_id is not None
        self.hears(
            m.Reply(CP, start.id, True), m.SessionEvent(CP, "started", start.session_id, 1, 0)
        )
        return start.session_id

    def audited(self, what: str) -> list[str]:
        """Details of the audit's entries of a kind."""
        with closing(sqlite3.connect(self.path)) as db:
            rows = db.execute("SELECT detail FROM audit WHERE what = ?", (what,)).fetchall()
        return [detail for (detail,) in rows]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path / "ledger.db")
    yield found
    found.ledger.close()


def test_an_end_that_is_told_twice_in_one_batch_makes_one_ticket(stage: Stage) -> None:
    session = stage.begin()
    ended = m.SessionEvent(CP, "ended", session, 9, 1500, "completed")
    said = stage.hears(ended, ended, ended)
    tickets = [one for one in said if isinstance(one, m.DriverEvent) and one.event == "ticket"]
    assert len(tickets) == 1
    assert len(stage.audited("ticket")) == 1


def test_more_energy_than_was_asked_for_is_refused(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 1000, 22_000, 230.0, 30.0))
    stage.hears(m.Meter(CP, session, 50, 900_000_000_000, 22_000, 230.0, 30.0))
    assert len(stage.audited("meter")) == 1
    assert "900000000000 Wh" in stage.audited("meter")[0]
    stage.hears(m.Meter(CP, session, 3, 1100, 22_000, 230.0, 30.0))
    said = stage.hears(m.SessionEvent(CP, "ended", session, 51, 10**14, "completed"))
    (ticket,) = [one for one in said if isinstance(one, m.DriverEvent) and one.event == "ticket"]
    assert (ticket.body["energy_wh"], ticket.body["cost_eur"]) == (1100, "0.33")


@pytest.mark.parametrize(
    "reading",
    [
        m.Meter(CP, "", 5, 900, 1, 230.0, 1.0),
        m.Meter(CP, "", 5, -1, 1, 230.0, 1.0),
        m.Meter(CP, "", 1, 1200, 1, 230.0, 1.0),
        m.Meter(CP, "", 5, 1200, -1, 230.0, 1.0),
        m.Meter(CP, "", 5, 1200, 1_000_001, 230.0, 1.0),
        m.Meter(CP, "", 5, 1200, 10**15, 230.0, 1.0),
        m.Meter("CP-2", "", 5, 1200, 1, 230.0, 1.0),
        m.Meter(CP, "another", 5, 1200, 1, 230.0, 1.0),
    ],
)
def test_an_impossible_reading_changes_nothing(stage: Stage, reading: m.Meter) -> None:
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 1000, 22_000, 230.0, 30.0))
    stage.hears(reading._replace(session_id=reading.session_id or session))
    assert stage.central.fleet.open[session].energy_wh == 1000
    assert len(stage.audited("meter")) == 1


def test_an_event_of_an_old_session_changes_no_ticket(stage: Stage) -> None:
    first = stage.begin()
    stage.hears(m.SessionEvent(CP, "ended", first, 9, 1500, "completed"))
    stage.hears(m.EngineStatus(CP, True, "e1"))
    second = stage.begin()
    said = stage.hears(
        m.SessionEvent(CP, "ended", first, 10, 1800, "late"),
        m.SessionEvent(CP, "started", first, 1, 0),
    )
    assert not [one for one in said if isinstance(one, m.DriverEvent)]
    found = stage.ledger.session(first)
    assert found is not None
    assert (found.energy_wh, found.reason) == (1500, "completed")
    assert list(stage.central.fleet.open) == [second]


def test_a_cp_whose_deletion_was_missed_is_forgotten(stage: Stage) -> None:
    stage.hears(m.DesiredCp("CP-2", "CP-2", "in", "0.30", 1, "", "main", False, False, 2))
    stage.central.handle([Connected()])
    stage.hears(m.EngineStatus(CP, True, "e1"), BIRTH)
    said = stage.hears(DESIRED, m.ServiceStatus("registry", True, "r", "1"))
    assert m.Cleared(m.CpState, {"cp": "CP-2"}) in said
    assert [record.cp for record in stage.central.fleet.wanted()] == [CP]


def test_another_cp_can_not_answer_what_the_operator_asks_of_one(stage: Stage) -> None:
    stage.hears(m.DesiredCp("CP-2", "CP-2", "in", "0.30", 1, "", "main", False, False, 2))
    (command,) = stage.hears(m.OperatorRequest("operator", "plug", "1", CP))
    assert stage.hears(m.Reply("CP-2", command.id, True)) == []
    (answer,) = stage.hears(m.Reply(CP, command.id, False, "faulted"))
    assert (answer.id, answer.ok) == ("1", False)


# -- a driver who is forgotten --------------------------------------------------------------


def forget(stage: Stage, driver: str = "ALICE") -> m.OperatorEvent:
    (answer,) = stage.hears(m.OperatorRequest("operator", "forget", "f1", driver=driver))
    assert isinstance(answer, m.OperatorEvent)
    return answer


def test_a_driver_with_a_session_is_not_forgotten(stage: Stage) -> None:
    session = stage.begin()
    assert (forget(stage).ok, forget(stage).error) == (False, "conflict")
    stage.hears(m.SessionEvent(CP, "ended", session, 9, 1500, "completed"))
    assert forget(stage).ok


def test_a_forgotten_name_is_in_no_answer_and_no_entry(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(m.SessionEvent(CP, "ended", session, 9, 1500, "completed"))
    answer = forget(stage)
    found = stage.ledger.session(session)
    assert found is not None
    assert (found.driver, found.energy_wh) == (answer.body["driver"], 1500)
    assert found.driver is not None
    assert found.driver.startswith("removed-")
    with closing(sqlite3.connect(stage.path)) as db:
        told = db.execute("SELECT * FROM audit").fetchall()
    assert "forget" in {row[2] for row in told}
    assert "ALICE" not in repr([answer, told])
    assert forget(stage).error == "not_found"
    assert forget(stage, found.driver).error == "not_found"


def test_a_driver_who_ends_and_is_forgotten_in_one_batch_is_told_to_wait(stage: Stage) -> None:
    session = stage.begin()
    said = stage.hears(
        m.OperatorRequest("operator", "forget", "f1", driver="ALICE"),
        m.SessionEvent(CP, "ended", session, 9, 1500, "completed"),
    )
    assert [one.error for one in said if isinstance(one, m.OperatorEvent)] == ["conflict"]
    assert forget(stage).ok


# -- what is old ----------------------------------------------------------------------------


def test_what_is_old_is_dropped_at_the_start_and_each_day(stage: Stage) -> None:
    clock = FakeClock()
    retention = Retention(stage.ledger, Keep(30, 0, 0), clock)
    first = stage.begin()
    stage.hears(m.SessionEvent(CP, "ended", first, 9, 1500, "completed"))
    ended = stage.ledger.session(first)
    assert ended is not None
    assert ended.ended_at is not None
    old = "2020-01-01T00:00:00.000Z"
    later = ended._replace(session_id="S2", started_at=old, ended_at=old)
    stage.ledger.commit([later], [], [])
    clock.wall = "2019-01-01T00:00:00.000Z"  # a clock that fell back: nothing is old
    retention.look(0.0)
    assert stage.ledger.session("S2") is not None
    clock.wall = ended.ended_at
    retention.look(10.0)
    assert stage.ledger.session("S2") is not None, "not before the next day"
    retention.look(86_400.0)
    assert stage.ledger.session("S2") is None
    assert stage.ledger.session(first) is not None
    assert stage.audited("drop") == ["1 sessions, 0 entries of the audit"]


def test_a_clock_that_is_far_ahead_at_a_start_drops_nothing(stage: Stage) -> None:
    """As after a boot with an empty battery; what was written by it made all before it old."""
    clock, begun = FakeClock(), "2026-11-22T09:00:00.000Z"
    clock.wall = begun
    stage.ledger.commit([], [], [AuditEntry(begun, "central", "x", None, "ok", "")])
    Retention(stage.ledger, Keep(0, 30, 0), clock).look(0.0)
    clock.wall = ahead = "2028-01-01T00:00:00.000Z"
    stage.ledger.commit([], [], [AuditEntry(ahead, "central", "y", None, "ok", "")])
    again = Retention(stage.ledger, Keep(0, 30, 0), clock)
    for day in range(3):
        again.look(day * 86_400.0)
    assert stage.audited("x") == [""]
    clock.wall = "2027-01-22T09:00:00.000Z"  # put right; two months later
    for day in range(3, 9):
        again.look(day * 86_400.0)
    assert stage.audited("x") == []


def test_nothing_is_dropped_unless_it_is_set(stage: Stage) -> None:
    clock = FakeClock()
    clock.wall = "2999-01-01T00:00:00.000Z"
    retention = Retention(stage.ledger, Keep(0, 0, 30), clock)
    old = "2020-01-01T00:00:00.000Z"
    stage.ledger.commit([], [], [AuditEntry(old, "central", "x", None, "ok", "")])
    retention.look(0.0)
    assert stage.audited("x") == [""]


@pytest.mark.parametrize(("days", "left"), [(0, 0), (7, 8 * 24), (365, 30 * 24)])
def test_readings_go_by_their_days_and_tickets_stay(stage: Stage, days: int, left: int) -> None:
    clock = FakeClock()
    clock.wall = "2027-01-01T00:00:00.000Z"
    ended = stage.begin()
    stage.hears(m.SessionEvent(CP, "ended", ended, 9, 1500, "completed"))
    ticket = stage.ledger.session(ended)
    assert ticket is not None
    end = second_of(clock.wall)
    found = [Reading(CP, end - hour * 3_600, 7_000, 0) for hour in range(1, 30 * 24 + 1)]
    new = AuditEntry(clock.wall, "central", "x", None, "ok", "")
    stage.ledger.commit([], [], [new], readings=found)
    retention = Retention(stage.ledger, Keep(0, 0, days), clock)
    retention.look(0.0)
    assert len(found) < AT_ONCE
    assert len(LedgerReader(stage.path).readings(CP, 0, end)) == left
    assert stage.ledger.session(ended) == ticket
    assert stage.audited("x") == [""]


def test_old_readings_go_some_at_a_time(stage: Stage) -> None:
    stage.ledger.commit([], [], [], readings=[Reading(CP, at, 1, 0) for at in range(2_500)])
    retention = Retention(stage.ledger, Keep(0, 0, 0), FakeClock())
    left = []
    for now in range(4):
        retention.look(float(now))
        left.append(len(LedgerReader(stage.path).readings(CP, 0, 9_999)))
    assert left == [1_500, 500, 0, 0]


def test_what_a_charge_takes_is_in_the_ledger_with_its_figures(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 1000, 7_000, 230.0, 30.0))
    stage.clock.now += 10
    stage.clock.wall = "2026-11-22T09:00:00.000Z"
    stage.central.tick(stage.clock.now)
    stage.clock.wall = "2026-11-22T09:00:07.000Z"
    stage.hears(m.SessionEvent(CP, "ended", session, 9, 1500, "completed"))
    for of, energies in ((CP, [1000, 1500]), (ALL, [0, 0])):
        found = LedgerReader(stage.path).readings(of, 0, 2**40)
        assert [one.power_w for one in found] == [7_000, 0]
        assert [one.energy_wh for one in found] == energies


def _events(said: list[Any]) -> list[str]:
    return [one.event for one in said if isinstance(one, m.DriverEvent)]


def _ask(stage: Stage, request: str = "r1") -> m.Command:
    said = stage.hears(m.DriverRequest("ALICE", "charge", request, CP, 2000))
    (start,) = [one for one in said if isinstance(one, m.Command)]
    assert start.session_id is not None
    assert stage.ledger.session(start.session_id) is not None, "on disk before it is told"
    return start


def test_an_acceptance_waits_for_no_commit(tmp_path: Path) -> None:
    told_before: list[list[str]] = []
    watched: list[Stage] = []

    class Watched(Ledger):
        def commit(self, *args: Any) -> None:
            told_before.extend(_events(one.bus.flushed) for one in watched)
            super().commit(*args)

    central = Stage(tmp_path / "ledger.db", Watched)
    start = _ask(central)
    watched.append(central)
    begun = m.SessionEvent(CP, "started", str(start.session_id), 1, 0)
    said = central.hears(m.Reply(CP, start.id, True), begun)
    assert told_before == [["authorised"]]
    assert _events(said) == ["authorised", "started"]
    assert central.audited("charge").count(str(start.session_id)) == 2, "asked and authorised"
    central.ledger.close()


def test_a_supply_that_begins_unheard_was_authorised(stage: Stage) -> None:
    start = _ask(stage)
    begun = m.SessionEvent(CP, "started", str(start.session_id), 1, 0)
    assert _events(stage.hears(begun)) == ["authorised", "started"]
    assert _events(stage.hears(begun)) == []
    assert stage.audited("charge").count(str(start.session_id)) == 2


def _reading(session: str, seq: int) -> m.Meter:
    return m.Meter(CP, session, seq, seq, 22_000, 230.0, 95.0)


def _states(said: list[Any]) -> list[int]:
    return [
        one.session.energy_wh
        for one in said
        if isinstance(one, m.CpState) and one.session is not None
    ]


def test_figures_that_came_too_soon_are_told_when_they_may(stage: Stage) -> None:
    session = stage.begin()
    stage.clock.now += 1.0
    assert _states(stage.hears(_reading(session, 2))) == [2]
    for seq in (3, 4):
        stage.clock.now += 0.3
        assert _states(stage.hears(_reading(session, seq))) == []
    stage.clock.now += 0.3
    assert _states(stage.hears()) == [], "not yet"
    stage.clock.now += 0.2
    assert _states(stage.hears()) == [4], "the latest, once"
    stage.clock.now += 5.0
    assert _states(stage.hears()) == []


LOST = "261101-0123456789ab"


def test_a_supply_that_no_ledger_knows_is_settled_once_with_its_wh(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "ledger.db")
    said = stage.hears(m.EngineStatus(CP, True, "e2", "waiting", True, LOST))
    assert [(one.verb, one.session_id) for one in said if isinstance(one, m.Command)] == [
        ("stop", LOST)
    ]
    ended = m.SessionEvent(CP, "ended", LOST, 9, 2_185, "unknown_session")
    for batch in ((ended, ended), (ended,)):
        said = stage.hears(*batch)
        assert {one.verb for one in said if isinstance(one, m.Command)} == {"settled"}
    found = stage.ledger.session(LOST)
    assert found is not None
    assert (found.phase, found.energy_wh, found.cost_eur, found.reason, found.driver) == (
        "settled", 2_185, "0.66", "unknown_session", None,
    )  # fmt: skip
    assert stage.audited("ticket") == [f"{LOST} 2185 Wh 0.66 EUR"]


def test_of_a_cp_not_heard_of_yet_nothing_is_settled_unseen(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "ledger.db")
    ended = m.SessionEvent("CP-2", "ended", LOST, 9, 2_185, "unknown_session")
    assert not [one for one in stage.hears(ended) if isinstance(one, m.Command)]
    stage.hears(DESIRED._replace(cp="CP-2", id="CP-2"), ended)
    assert stage.ledger.session(LOST) is not None


@pytest.mark.parametrize(
    ("session_id", "energy_wh"), [("x", 5), (LOST + "\n", 5), (LOST, -1), (LOST, 10**9)]
)
def test_what_can_not_be_a_supply_makes_no_ticket(
    tmp_path: Path, session_id: str, energy_wh: int
) -> None:
    stage = Stage(tmp_path / "ledger.db")
    stage.hears(m.SessionEvent(CP, "ended", session_id, 9, energy_wh, "x"))
    assert stage.ledger.session(session_id) is None


def test_a_cp_that_makes_supplies_up_makes_few_tickets(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "ledger.db")
    stage.hears(*(m.SessionEvent(CP, "ended", f"261101-{n:012x}", 1, 5, "x") for n in range(50)))
    assert len(stage.audited("ticket")) == 3


# -- what the tables and Engines leave open --------------------------------------------------


def test_a_command_without_a_reply_is_answered_after_a_while(stage: Stage) -> None:
    stage.hears(m.OperatorRequest("operator", "plug", "1", CP))
    stage.bus.taken()
    stage.clock.now += REPLY_WITHIN_S - 1
    stage.central.tick(stage.clock.now)
    assert not [one for one in stage.bus.taken() if isinstance(one, m.OperatorEvent)]
    stage.clock.now += 1
    stage.central.tick(stage.clock.now)
    (answer,) = [one for one in stage.bus.taken() if isinstance(one, m.OperatorEvent)]
    assert (answer.id, answer.ok, answer.error) == ("1", False, "timeout")
    assert stage.hears(m.Reply(CP, "1", True)) == [], "too late"


def test_an_event_that_the_table_does_not_know_is_counted(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    session = stage.begin()
    reply = m.Reply(CP, f"{session}.stop", False, "no_session")
    for _ in range(4):
        stage.hears(reply)
    assert stage.central.fleet.open[session].phase == Phase.SUPPLYING
    counted = [one.args[1] for one in caplog.records if "unexpected" in one.msg]  # type: ignore[index]
    assert counted == [1, 2, 4]


# -- an Engine that has lost its journal -----------------------------------------------------

GONE = m.EngineStatus(CP, True, "e2")


def look(stage: Stage, times: int) -> list[Any]:
    """So many looks at what is due; what Central says."""
    stage.bus.taken()
    for _ in range(times):
        stage.clock.now += REPEAT_EVERY_S
        stage.central.tick(stage.clock.now)
    return [one for one in stage.bus.taken() if isinstance(one, m.Command | m.DriverEvent)]


def test_a_session_that_its_engine_has_lost_ends_with_what_was_read(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 1000, 22_000, 230.0, 30.0))
    assert _events(stage.hears(GONE)) == ["interrupted"]
    assert look(stage, life.UNHELD_LOOKS - 1) == [], "its word may be under way"
    (stop,) = look(stage, 1)
    assert (stop.verb, stop.reason) == ("stop", "journal_lost")
    said = stage.hears(m.Reply(CP, stop.id, False, "no_session"), GONE)
    (ticket,) = [one for one in said if isinstance(one, m.DriverEvent)]
    assert ticket.event == "ticket"
    assert (ticket.body["energy_wh"], ticket.body["reason"]) == (1000, "journal_lost")
    assert _ask(stage, "r2").verb == "start", "CP and driver are free"


def test_its_driver_can_end_it_at_once(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 1000, 22_000, 230.0, 30.0), GONE)
    said = stage.hears(m.DriverRequest("ALICE", "stop", "r2"))
    (stop,) = [one for one in said if isinstance(one, m.Command)]
    said = stage.hears(m.Reply(CP, stop.id, False, "no_session"), GONE)
    assert _events(said) == ["ticket"]


def test_an_engine_that_holds_it_again_goes_on(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(GONE)
    look(stage, life.UNHELD_LOOKS - 1)
    stage.hears(m.EngineStatus(CP, True, "e3", "supplying", True, session))
    assert look(stage, 2 * life.UNHELD_LOOKS) == []
    stage.hears(m.EngineStatus(CP, False, "e3"))
    assert look(stage, 2 * life.UNHELD_LOOKS) == [], "one that is away is waited for"


def test_a_command_is_told_again_but_not_at_each_word(stage: Stage) -> None:
    session = stage.begin()
    status = m.EngineStatus(CP, True, "e1", "supplying", True, session)
    stage.hears(status, m.DriverRequest("ALICE", "stop", "r2"))
    assert not [one for one in stage.hears(*[status] * 50) if isinstance(one, m.Command)]
    stage.clock.now += TELL_AGAIN_S
    assert len([one for one in stage.hears(*[status] * 50) if isinstance(one, m.Command)]) == 1
    said = stage.hears(status._replace(boot="e2", phase="waiting"))
    assert [one.verb for one in said if isinstance(one, m.Command)] == ["stop"], "to a new process"


def test_the_limit_of_who_has_left_its_circuit_has_no_start_told_at_each_word(stage: Stage) -> None:
    """Its Engine has the fallback still that it had there."""
    _ask(stage, "r1")
    status = m.EngineStatus(CP, True, "e1", fallback_w=4_000)
    assert _verbs(stage.hears(*[status] * 50)) == ["limit"]


def test_a_host_that_is_cut_off_for_ten_minutes_loses_no_charge(stage: Stage) -> None:
    """FAULTS D1's long cut: 120 looks, five seconds apart."""
    stage.hears(DESIRED._replace(host="h2", revision=2))
    session = stage.begin()
    stage.hears(m.EngineStatus(CP, True, "e1", "supplying", True, session))
    stage.hears(m.Meter(CP, session, 2, 100, 22_000, 230.0, 30.0))
    gone = stage.hears(m.EngineStatus(CP, False, "e1"), m.MonitorStatus(CP, False, "m1"))
    assert _events(gone) == ["interrupted"]
    assert look(stage, round(600 / REPEAT_EVERY_S)) == [], "nothing is ended for its absence"
    stage.hears(m.EngineStatus(CP, True, "e1", "supplying", True, session))
    stage.hears(m.MonitorStatus(CP, True, "m1", "ok", 1.0))
    stage.hears(m.Meter(CP, session, 602, 1900, 22_000, 230.0, 30.0))
    said = stage.hears(m.SessionEvent(CP, "ended", session, 650, 2000, "completed"))
    (ticket,) = [one for one in said if isinstance(one, m.DriverEvent)]
    assert (ticket.event, ticket.body["energy_wh"]) == ("ticket", 2000)


@pytest.mark.parametrize(
    ("away_s", "asked", "reason"), [(25, "resume", "driver"), (35, "stop", "power_loss")]
)
def test_an_engine_that_was_gone_for_long_ends_its_session_as_power_loss(
    stage: Stage, away_s: int, asked: str, reason: str
) -> None:
    """A6: nothing is ended before it is back, and says what was metered."""
    stage.clock.now += ON_MAIN.reconnect_grace_s
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 100, 22_000, 230.0, 30.0))
    assert _events(stage.hears(m.EngineStatus(CP, False, "e1"))) == ["interrupted"]
    assert look(stage, round(away_s / REPEAT_EVERY_S)) == []
    said = stage.hears(m.EngineStatus(CP, True, "e2", "waiting", True, session))
    (command,) = [one for one in said if isinstance(one, m.Command)]
    assert command.verb == asked
    ended = m.SessionEvent(CP, "ended", session, 3, 100, command.reason or "driver")
    (ticket,) = [one for one in stage.hears(ended) if isinstance(one, m.DriverEvent)]
    assert (ticket.body["energy_wh"], ticket.body["reason"]) == (100, reason)


# -- what one CP says in one breath, and what the ledger refuses -------------------------------


@pytest.mark.parametrize("event", ["ended", "started"])
def test_a_session_that_is_refused_and_told_of_in_one_batch(stage: Stage, event: str) -> None:
    start = _ask(stage)
    session = str(start.session_id)
    said = stage.hears(
        m.Reply(CP, start.id, False, "busy"), m.SessionEvent(CP, event, session, 2, 500, "x")
    )
    assert _events(said) == ["denied"]
    assert stage.ledger.session(session) is None
    assert session not in stage.central.fleet.open
    assert _ask(stage, "r2").verb == "start", "the ledger is written, and all go on"


def test_a_session_that_the_ledger_refuses_holds_up_no_other(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever made it so: what can never be written is set aside, and said."""
    session = stage.begin()
    other = sqlite3.connect(stage.path)
    with closing(other), other:
        other.execute("UPDATE session SET phase = 'settled' WHERE session_id = ?", (session,))
    said = stage.hears(
        m.SessionEvent(CP, "ended", session, 9, 1500, "completed"),
        m.OperatorRequest("operator", "plug", "1", "CP-9"),
    )
    assert [one.ok for one in said if isinstance(one, m.OperatorEvent)] == [False]
    assert "can never be written" in caplog.text
    assert _ask(stage, "r2").verb == "start"


# -- while there is no room ---------------------------------------------------------------------


class Full(Ledger):
    """A ledger that has room, or none."""

    room = True

    def commit(self, *args: Any) -> None:
        if not self.room:
            raise EvcsError("no room", "make room")
        super().commit(*args)


class NoRoom(Stage):
    """A session supplies and was read; from now on there is no room, which Central may know."""

    def __init__(self, path: Path, known: bool) -> None:
        super().__init__(path, Full)
        self.session = self.begin()
        self.reads(2, 1000)
        self.has_room(False)
        if known:
            self.hears(m.DriverRequest("BOB", "stop", "x"))

    def has_room(self, room: bool) -> None:
        assert isinstance(self.ledger, Full)
        self.ledger.room = room

    def reads(self, seq: int, energy_wh: int) -> list[Any]:
        return self.hears(m.Meter(CP, self.session, seq, energy_wh, 22_000, 230.0, 30.0))

    def closes(self) -> list[Any]:
        """The operator closes the session."""
        return self.hears(m.OperatorRequest("operator", "close", "1", session_id=self.session))

    def ticks(self, seconds: float) -> list[Any]:
        """What Central says by itself, so much later."""
        self.clock.now += seconds
        self.bus.taken()
        self.central.tick(self.clock.now)
        return self.bus.taken()

    def outcomes(self, what: str) -> list[str]:
        with closing(sqlite3.connect(self.path)) as db:
            rows = db.execute("SELECT outcome FROM audit WHERE what = ?", (what,)).fetchall()
        return [outcome for (outcome,) in rows]


@pytest.fixture(params=[False, True], ids=["first", "known"])
def full(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NoRoom]:
    found = NoRoom(tmp_path / "ledger.db", request.param)
    yield found
    found.ledger.close()


def _answers(said: list[Any]) -> list[m.OperatorEvent]:
    return [one for one in said if isinstance(one, m.OperatorEvent)]


def _verbs(said: list[Any]) -> list[str]:
    return [one.verb for one in said if isinstance(one, m.Command)]


def test_a_ping_says_that_the_ledger_can_not_be_written(full: NoRoom) -> None:
    full.ticks(6.0)
    (answer,) = _answers(full.hears(m.OperatorRequest("operator", "ping", "1")))
    assert (answer.ok, answer.error) == (False, "failed")
    full.has_room(True)
    full.ticks(1.0)
    (answer,) = _answers(full.hears(m.OperatorRequest("operator", "ping", "2")))
    assert answer.ok


def test_a_close_that_can_not_be_written_is_refused_and_the_charge_goes_on(full: NoRoom) -> None:
    said = full.closes() + full.ticks(1.0)
    (answer,) = _answers(said)
    assert (answer.ok, answer.error) == (False, "failed")
    assert not [one for one in said if isinstance(one, m.CpState) and one.state == "ACTIVATED"]
    assert "ticket" not in _events(said)
    full.reads(3, 1100)
    full.has_room(True)
    full.reads(4, 1200)
    said = full.ticks(6.0)
    assert full.ledger.session(full.session) == full.central.fleet.open[full.session]
    assert not _verbs(said)
    assert full.audited("ticket") == []
    assert [one.partition(":")[0] for one in full.outcomes("close")] == ["refused"]


def test_a_close_is_on_disk_with_its_entries_before_it_is_told(full: NoRoom) -> None:
    full.closes()
    full.has_room(True)
    said = full.closes()
    (answer,) = _answers(said)
    assert answer.body["session"]["energy_wh"] == 1000
    assert _events(said) == ["ticket"]
    assert len(full.audited("ticket")) == 1
    assert full.outcomes("close")[-1] == "ok"
    assert full.central.fleet.of_driver("ALICE") is None
    assert _ask(full, "r2").verb == "start"


def test_a_driver_can_end_his_charge_while_there_is_no_room(full: NoRoom) -> None:
    said = full.hears(m.DriverRequest("ALICE", "stop", "r2"))
    assert (_verbs(said), _events(said)) == (["stop"], ["answer"])
    ended = m.SessionEvent(CP, "ended", full.session, 9, 1100, "driver")
    said = full.hears(ended)
    assert (_verbs(said), _events(said)) == ([], []), "no ticket that is not on disk"
    full.has_room(True)
    said = full.ticks(1.0)
    assert (_verbs(said), _events(said)) == (["settled"], ["ticket"])


def test_no_other_command_waits_for_room(full: NoRoom) -> None:
    fault = m.OperatorRequest("operator", "fault", "f", CP, reason="x")
    assert _verbs(full.hears(fault)) == ["fault"]
    full.hears(m.EngineStatus(CP, False, "e1"))
    back = m.EngineStatus(CP, True, "e2", "waiting", True, full.session)
    assert _verbs(full.hears(back)) == ["resume"]
    full.has_room(True)
    assert "fault" not in _verbs(full.ticks(1.0))


def test_a_start_is_not_told_late(full: NoRoom) -> None:
    """A request that is on disk is told at once; one that is not, never."""
    full.hears(m.SessionEvent(CP, "ended", full.session, 9, 1100, "driver"))
    full.has_room(True)
    full.ticks(1.0)
    start = _ask(full, "r2")
    full.has_room(False)
    full.clock.now += TELL_AGAIN_S
    assert _verbs(full.hears(m.EngineStatus(CP, True, "e2"))) == ["start"]
    full.hears(m.Reply(CP, start.id, False, "busy"))
    assert _verbs(full.hears(m.DriverRequest("ALICE", "charge", "r3", CP, 2000))) == []
    full.has_room(True)
    assert _verbs(full.ticks(1.0)) == []


def test_a_charge_that_is_denied_for_want_of_room_is_audited_as_denied(full: NoRoom) -> None:
    full.hears(m.SessionEvent(CP, "ended", full.session, 9, 1100, "driver"))
    said = full.hears(m.DriverRequest("BOB", "charge", "b1", CP, 2000)) + full.ticks(1.0)
    assert "denied" in _events(said)
    full.has_room(True)
    full.ticks(1.0)
    assert full.outcomes("charge")[-2:] == ["asked", "denied"]


def test_a_session_of_a_cp_that_was_deleted_while_central_was_away(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 1000, 22_000, 230.0, 30.0))
    stage.clock.now += 6.0
    stage.central.tick(stage.clock.now)
    later = Central(stage.bus, stage.ledger, stage.clock, BIRTH)
    registry = m.ServiceStatus("registry", True, "r", "1")
    later.handle([Connected(), Received(registry, True), Received(BIRTH, False)])
    later.tick(stage.clock.now)
    assert later.fleet.of_driver("ALICE") is not None, "its Engine may be a moment late"
    stage.clock.now += ON_MAIN.reconnect_grace_s + 1
    stage.bus.taken()
    later.tick(stage.clock.now)
    (ticket,) = [one for one in stage.bus.taken() if isinstance(one, m.DriverEvent)]
    assert (ticket.event, ticket.body["reason"]) == ("ticket", "deleted")
    assert ticket.body["energy_wh"] == 1000
    assert later.fleet.of_driver("ALICE") is None


def test_a_charge_makes_way_for_its_cps_move(stage: Stage) -> None:
    def make_way(cp: str) -> list[Any]:
        return stage.hears(m.OperatorRequest("operator", "make_way", "w", cp))

    (answer,) = make_way(CP)
    assert answer.ok, "there is none"
    session = stage.begin()
    stop, answer = make_way(CP)
    assert (stop.verb, stop.session_id, stop.reason, answer.ok) == ("stop", session, "moved", True)
    assert stage.audited("make way") == [session]
    ended = m.SessionEvent(CP, "ended", session, 9, 1500, "moved")
    tickets = [one for one in stage.hears(ended) if isinstance(one, m.DriverEvent)]
    assert [(one.event, one.body["reason"]) for one in tickets] == [("ticket", "moved")]
    (answer,) = make_way("CP-9")
    assert answer.error == "not_found"


def test_the_operator_ends_a_charge(stage: Stage) -> None:
    def end(session: str) -> list[Any]:
        return stage.hears(m.OperatorRequest("web", "end", "e", session_id=session))

    (answer,) = end("261122-000000000000")
    assert answer.error == "not_found"
    session = stage.begin()
    stop, answer = end(session)
    assert (stop.verb, stop.session_id, stop.reason) == ("stop", session, "operator")
    assert (answer.ok, answer.body["session"]["driver"]) == (True, "ALICE")
    assert stage.audited("end")[-1] == session
    ended = m.SessionEvent(CP, "ended", session, 9, 1500, "operator")
    tickets = [one for one in stage.hears(ended) if isinstance(one, m.DriverEvent)]
    assert [(one.event, one.body["reason"]) for one in tickets] == [("ticket", "operator")]
    assert in_words(tickets[0].body["reason"]) == "stopped by operator"
    assert end(session)[-1].error == "conflict", "it is settled"


def test_the_charge_of_a_back_end_is_not_the_operators_to_end(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(DESIRED._replace(backend="ws://127.0.0.1:9/x", revision=2))
    (answer,) = stage.hears(m.OperatorRequest("web", "end", "e", session_id=session))
    assert (answer.error, CP in answer.body["message"]) == ("conflict", True)


@pytest.mark.parametrize("asked_to_end", [False, True])
@pytest.mark.parametrize("more_wh", [0, 500])
def test_a_charge_on_a_host_that_stays_away_is_settled_and_what_it_tells_later_corrects_it(
    tmp_path: Path, more_wh: int, asked_to_end: bool
) -> None:
    stage = Stage(tmp_path / "ledger.db", patience=Patience(host_s=600.0))
    stage.hears(DESIRED._replace(host="h2", revision=2))
    stage.clock.now += ON_MAIN.reconnect_grace_s
    session = stage.begin()
    stage.hears(m.Meter(CP, session, 2, 1000, 22_000, 230.0, 30.0))
    stage.hears(m.EngineStatus(CP, False, "e1"), m.MonitorStatus(CP, False, "m1"))
    if asked_to_end:
        stage.hears(m.DriverRequest("ALICE", "stop", "s"))
    stage.clock.now += 600.0
    stage.central.tick(stage.clock.now)
    assert session in stage.central.fleet.open, "its cable may be cut"
    stage.clock.now += 1.0
    stage.bus.taken()
    stage.central.tick(stage.clock.now)
    (ticket,) = [one for one in stage.bus.taken() if isinstance(one, m.DriverEvent)]
    assert (ticket.event, ticket.body["reason"]) == ("ticket", "monitor_gone")
    assert (ticket.body["energy_wh"], ticket.body["cost_eur"]) == (1000, "0.30")
    back = m.EngineStatus(CP, True, "e1", "supplying", True, session)
    (stop,) = [one for one in stage.hears(back) if isinstance(one, m.Command)]
    assert (stop.verb, stop.session_id) == ("stop", session)
    ended = m.SessionEvent(CP, "ended", session, 9, 1000 + more_wh, "stopped")
    for _ in range(2):
        told = [one for one in stage.hears(ended) if isinstance(one, m.Command)]
        assert [one.verb for one in told] == ["settled"]
    rows = [f"{session} +500 Wh 0.15 EUR"] if more_wh else []
    assert stage.audited("correction") == rows
    assert len(stage.audited("ticket")) == 1
    stage.ledger.close()


def test_a_request_that_comes_again_after_its_ticket_makes_no_second(stage: Stage) -> None:
    session = stage.begin()
    stage.hears(m.SessionEvent(CP, "ended", session, 9, 1500, "completed"))
    stage.hears(m.EngineStatus(CP, True, "e1"))
    said = stage.hears(m.DriverRequest("ALICE", "charge", "r1", CP, 2000))
    (again,) = said
    assert isinstance(again, m.DriverEvent)
    assert (again.event, again.session_id) == ("ticket", session)
    assert _ask(stage, "r2").verb == "start"


def test_a_driver_begins_so_many_charges_and_then_one_now_and_then(stage: Stage) -> None:
    """Each is a row of the ledger for ever, and its Engine says a dozen things of it."""

    def cycle(number: int) -> str:
        said = stage.hears(m.DriverRequest("ALICE", "charge", f"c{number}", CP, 2000))
        starts = [one for one in said if isinstance(one, m.Command)]
        for start in starts:
            ended = m.SessionEvent(CP, "ended", str(start.session_id), 2, 0, "driver")
            stage.hears(m.Reply(CP, start.id, True), ended)
        return "begun" if starts else str(said[0].body["code"])

    assert [cycle(n) for n in range(CHARGES_AT_ONCE)] == ["begun"] * CHARGES_AT_ONCE
    assert [cycle(n) for n in range(1000, 1003)] == ["conflict"] * 3
    stage.clock.now += 1 / CHARGES_A_SECOND
    assert [cycle(n) for n in range(2000, 2002)] == ["begun", "conflict"]
    said = stage.hears(m.DriverRequest("BOB", "charge", "b", CP, 2000))
    assert [one.verb for one in said if isinstance(one, m.Command)] == ["start"]


def test_a_charge_that_is_denied_is_none(stage: Stage) -> None:
    for number in range(2 * CHARGES_AT_ONCE):
        stage.hears(m.DriverRequest("ALICE", "charge", f"d{number}", "CP-9", 2000))
    assert _ask(stage).verb == "start"


def test_of_a_cp_that_nobody_knows_nothing_is_kept(stage: Stage) -> None:
    for number in range(10):
        there_is_none = f"CP-9{number}"
        (denied,) = stage.hears(m.DriverRequest("ALICE", "charge", f"d{number}", there_is_none))
        assert isinstance(denied, m.DriverEvent)
        assert denied.body["code"] == "not_found"
        stage.hears(m.Meter(there_is_none, "s", 2, 1000, 22_000, 230.0, 30.0))
        stage.hears(m.StationRequest(there_is_none, "a", "start", "CARD", stage.clock.timestamp()))
    assert list(stage.central.fleet.records) == [CP]


@pytest.mark.parametrize(
    "noted", ["[" * 100_000, "[1e400, null]", "[9007199254740993, null]", "{}"]
)
def test_what_another_ledger_notes_of_power_is_passed_over(tmp_path: Path, noted: str) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.commit([], [], [], {f"power/{CP}": noted})
    central = Central(FakeBus(), ledger, FakeClock(100.0), BIRTH)
    assert central.fleet.records[CP].fallback_said_w is None
    ledger.close()


def test_who_counts_messages_hears_of_each_start(tmp_path: Path) -> None:
    told: list[m.Command | m.ManagerCommand] = []
    ledger = Ledger(tmp_path / "l.db")
    central = Central(FakeBus(), ledger, FakeClock(100.0), BIRTH, on_ask=told.append)
    asked = m.DriverRequest("ALICE", "charge", "r1", CP, 2000)
    said = (
        DESIRED,
        m.EngineStatus(CP, True, "e"),
        m.MonitorStatus(CP, True, "m", "ok", 1.0),
        asked,
    )
    central.handle([Connected(), *(Received(one, False) for one in said)])
    assert [(type(one), getattr(one, "cp", "")) for one in told] == [(m.Command, CP)]
    ledger.close()


@pytest.mark.parametrize("halt", ["its CP is gone", "its CP does not end it"])
def test_a_driver_is_bound_to_a_cp_that_delivers_nothing_for_half_a_minute(
    stage: Stage, halt: str
) -> None:
    """A rogue that took a start and never ended it kept its driver from charging anywhere."""
    other = "CP-2"
    stage.hears(DESIRED._replace(cp=other, id=other), m.EngineStatus(other, True, "e2"))
    stage.hears(m.MonitorStatus(other, True, "m2", "ok", 1.0))
    stage.clock.now += ON_MAIN.reconnect_grace_s
    first = stage.begin()
    stage.hears(m.Meter(CP, first, 2, 1000, 22_000, 230.0, 30.0))
    if halt == "its CP is gone":
        stage.hears(m.EngineStatus(CP, False, "e1"))
    else:
        stage.hears(m.EngineStatus(CP, True, "e1", "supplying", True, first))
        stage.hears(m.DriverRequest("ALICE", "stop", "s"))
    stage.clock.now += FREE_AFTER_S
    (denied,) = charge_events(stage, other, "early")
    assert (denied.event, denied.body["reason"]) == ("denied", f"driver already charging at {CP}")
    stage.clock.now += 1
    stage.hears(m.DriverRequest("ALICE", "charge", "late", other, 2000))
    second = stage.central.fleet.of_driver("ALICE")
    assert second is not None
    assert second.cp == other
    back = stage.hears(m.EngineStatus(CP, True, "e3", "waiting", True, first))
    assert [(one.verb, one.cp) for one in back if isinstance(one, m.Command)] == [("stop", CP)]
    said = stage.hears(m.SessionEvent(CP, "ended", first, 3, 1000, "driver"))
    assert [one.session_id for one in said if isinstance(one, m.DriverEvent)] == [first]
    assert stage.central.fleet.of_driver("ALICE") == second


def test_a_driver_whose_charge_was_taken_and_never_began_is_bound_as_long(stage: Stage) -> None:
    other = "CP-2"
    stage.hears(DESIRED._replace(cp=other, id=other), m.EngineStatus(other, True, "e2"))
    stage.hears(m.MonitorStatus(other, True, "m2", "ok", 1.0))
    stage.clock.now += ON_MAIN.reconnect_grace_s
    charge_events(stage, CP, "first")
    first = stage.central.fleet.of_driver("ALICE")
    assert first is not None
    stage.hears(m.Reply(CP, f"{first.session_id}.start", True, None))
    stage.hears(m.EngineStatus(CP, False, "e1"))
    stage.clock.now += FREE_AFTER_S
    (denied,) = charge_events(stage, other, "early")
    assert (denied.event, denied.body["reason"]) == ("denied", f"driver already charging at {CP}")
    stage.clock.now += 1
    charge_events(stage, other, "late")
    second = stage.central.fleet.of_driver("ALICE")
    assert second is not None
    assert second.cp == other


def test_a_driver_who_left_a_session_is_not_forgotten_before_it_is_settled(stage: Stage) -> None:
    """Its ticket would bring the name back."""
    other = "CP-2"
    stage.hears(DESIRED._replace(cp=other, id=other), m.EngineStatus(other, True, "e2"))
    stage.hears(m.MonitorStatus(other, True, "m2", "ok", 1.0))
    stage.clock.now += ON_MAIN.reconnect_grace_s
    first = stage.begin()
    stage.hears(m.EngineStatus(CP, False, "e1"))
    stage.clock.now += FREE_AFTER_S + 1
    stage.hears(m.DriverRequest("ALICE", "charge", "late", other, 2000))
    second = stage.central.fleet.of_driver("ALICE")
    assert second is not None
    stage.hears(m.SessionEvent(other, "ended", second.session_id, 3, 1000, "completed"))
    bound = stage.central.fleet.of_driver("ALICE")
    assert bound is not None
    assert bound.session_id == first
    assert forget(stage).error == "conflict"
    stage.hears(m.SessionEvent(CP, "ended", first, 3, 1000, "driver"))
    assert stage.central.fleet.of_driver("ALICE") is None
    assert forget(stage).ok


def charge_events(stage: Stage, cp: str, request_id: str) -> list[m.DriverEvent]:
    said = stage.hears(m.DriverRequest("ALICE", "charge", request_id, cp, 2000))
    return [one for one in said if isinstance(one, m.DriverEvent)]
