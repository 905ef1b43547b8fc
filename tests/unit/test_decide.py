"""Central's decisions: each event has one who decides, and nothing but what is given counts."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import effects as e
from evcs.core import messages as m
from evcs.core.cp_record import CpRecord
from evcs.core.decisions import events as d
from evcs.core.decisions.decide import HANDLERS, decide
from evcs.core.placement import OCPP, PROCESS
from evcs.core.session import (
    AnsweredStart,
    CardStatus,
    Origin,
    Phase,
    Session,
    check,
    to_json,
)  # fmt: skip

CP, AT = "CP-1", d.At(100.0, "2026-11-22T09:00:00.000Z", 50.0)
ASKED = m.DriverRequest("ALICE", "charge", "r1", CP, 2000)
DESIRED = m.DesiredCp(CP, CP, "in", "0.30", 22_000, "", "main", False, False, 1)
SESSION = Session("261122-0123456789ab", CP, "ALICE", "0.30", 2000, 22_000, AT.wall)

CLOSING = m.OperatorRequest("operator", "close", "c1", session_id=SESSION.session_id)

IDS = st.sampled_from(
    [SESSION.session_id, "261122-00000000000f", "261122-00000000001a", "x"]
)  # fmt: skip
WH, SEQS = st.integers(-1, 2_100), st.integers(-1, 9)
ENGINES = st.builds(
    m.EngineStatus, st.just(CP), st.booleans(), st.just("b"),
    st.sampled_from(["idle", "supplying", "waiting", "ended"]), st.booleans(), st.none() | IDS,
)  # fmt: skip
MONITORS = st.builds(
    m.MonitorStatus, st.just(CP), st.booleans(), st.just("b"),
    st.sampled_from(["ok", "ko", "silent"]),
)  # fmt: skip
SESSIONS = st.builds(
    lambda phase, wh, seq: SESSION._replace(phase=phase, energy_wh=wh, seq=seq),
    st.sampled_from([Phase.REQUESTED, Phase.SUPPLYING, Phase.INTERRUPTED, Phase.ENDING]),
    st.integers(0, 2000), st.integers(0, 8),
)  # fmt: skip
LATE = st.builds(
    lambda wh: SESSION._replace(
        session_id="261122-00000000001a", phase=Phase.LATE, driver=None, requested_wh=None,
        origin=Origin.STATION, meter_start_wh=0, energy_wh=wh,
    ),
    st.integers(0, 2000),
)  # fmt: skip
STATION_REQUESTS = st.builds(
    m.StationRequest, st.just(CP), st.just("t1"), st.sampled_from(["authorise", "start"]),
    st.sampled_from(["CARD", SESSION.session_id]), st.just(AT.wall), st.just(500), st.booleans(),
)  # fmt: skip
RECORDS = st.builds(
    CpRecord, st.just(CP), st.sampled_from([None, DESIRED, DESIRED._replace(hosting=OCPP)]),
    st.none() | ENGINES, st.none() | MONITORS,
    st.sampled_from([None, 10.0, 99.0]), st.sampled_from([None, 10.0, 99.0]),
    st.none() | SESSIONS, st.none() | LATE, st.just(60.0), st.booleans(), st.none() | st.just(70.0),
    st.integers(0, 3),
)  # fmt: skip
EVENTS = st.one_of(
    st.builds(lambda s, r, x: DESIRED._replace(service=s, revoked=r, deleted=x),
              st.sampled_from(["in", "out"]), st.booleans(), st.booleans()),
    ENGINES, MONITORS,
    st.builds(m.Meter, st.just(CP), IDS, SEQS, WH, WH, st.just(230.0), st.just(1.0)),
    st.builds(m.SessionEvent, st.just(CP), st.sampled_from(["started", "ended", "x"]), IDS, SEQS,
              WH),
    st.builds(m.Reply, st.just(CP), st.sampled_from(["start", "stop"]).map(
        lambda verb: f"{SESSION.session_id}.{verb}"), st.booleans(),
        st.sampled_from([None, "busy", "no_session"]), st.just(m.NOTHING)),
    st.builds(d.Charge, st.just(ASKED), IDS, st.sampled_from([None, CP, "CP-2"])),
    st.builds(d.StopCharge, st.just(ASKED)),
    st.builds(d.AskedByStation, STATION_REQUESTS, st.just("261122-00000000002b"),
              st.sampled_from([None, "ALICE"]), st.sampled_from([None, CP, "CP-2"]),
              st.sampled_from([None, AnsweredStart("x", CardStatus.ACCEPTED)])),
    st.builds(d.Close, st.just(CLOSING), SESSIONS),
    st.just(d.EndCharge(m.OperatorRequest("operator", "end", "e1", session_id=SESSION.session_id))),
    st.just(d.MakeWay(m.OperatorRequest("operator", "make_way", "w1", CP))),
    *(st.just(kind()) for kind in (d.ChargeAgain, d.Leave, d.Delete, d.EngineStale, d.MonitorStale,
                                   d.MonitorAbsent, d.Repeat, d.Unwritten)),
)  # fmt: skip


def test_each_event_has_who_decides() -> None:
    assert set(get_args(d.Event)) == HANDLERS.keys()


@given(RECORDS, EVENTS, st.none() | SESSIONS)
def test_a_decision_follows_from_what_is_given_alone(
    record: CpRecord, event: Any, found: Session | None
) -> None:
    before = tuple(record)
    first = decide(record, event, AT, found)
    assert tuple(record) == before
    assert decide(record, event, AT, found) == first
    for effect in first.effects:
        assert type(effect) in get_args(e.Effect)


@given(RECORDS, EVENTS, SESSIONS, st.sampled_from([Phase.SETTLED, Phase.SUPPLYING]))
def test_what_a_cp_says_does_nothing_to_another(
    record: CpRecord, event: Any, session: Session, phase: Phase
) -> None:
    """Ids of sessions are no secret: who names another CP's has it told nothing and changed."""
    others = session._replace(cp="CP-2", session_id="261122-00000000000f", phase=phase)
    if isinstance(event, d.Close):
        return
    for effect in decide(record, event, AT, others).effects:
        if isinstance(effect, e.Send | e.SendNow) and isinstance(effect.message, m.Command):
            assert effect.message.cp == CP
        if isinstance(effect, e.Save | e.Remove):
            assert effect.session.cp == CP


@given(RECORDS, EVENTS)
def test_a_session_goes_nowhere_without_being_written(record: CpRecord, event: Any) -> None:
    """Whatever becomes of a CP's session is saved, or removed, by the same decision."""
    after = decide(record, event, AT)
    saved = {
        one.session.session_id
        for one in after.effects
        if isinstance(one, (e.Save, e.SaveFigures, e.Remove))
    }
    if isinstance(event, d.Unwritten):
        return
    for was, now in ((record.session, after.record.session), (record.late, after.record.late)):
        if now != was:
            assert {one.session_id for one in (was, now) if one is not None} <= saved


@pytest.mark.parametrize(
    ("asked", "hosting"),
    [
        ({"verb": "begin"}, OCPP),
        ({"meter_wh": -1}, OCPP),
        ({"at": "1"}, OCPP),
        ({"at": ""}, OCPP),
        ({}, PROCESS),
    ],
)
def test_what_no_charger_can_ask_makes_no_session(asked: dict[str, Any], hosting: str) -> None:
    """A register below nothing, kept in the ledger, would have no Central start any more."""
    given = m.StationRequest(CP, "t1", "start", "CARD", AT.wall, 500)._replace(**asked)
    event = d.AskedByStation(given, "261122-00000000002b", "ALICE", None, None)
    record = CpRecord(CP, DESIRED._replace(hosting=hosting))
    after = decide(record, event, AT)
    assert after.record == record
    assert [type(one) for one in after.effects] == [e.Refuse]


def test_a_charge_at_a_charger_is_told_to_its_driver_and_what_was_before_is_over() -> None:
    charger = DESIRED._replace(hosting=OCPP)
    given = m.StationRequest(CP, "t1", "start", "CARD", AT.wall, 500)
    event = d.AskedByStation(given, "261122-00000000002b", "BOB", None, None)
    before = SESSION._replace(phase=Phase.SUPPLYING, energy_wh=40)
    after = decide(CpRecord(CP, charger, session=before), event, AT)
    assert after.record.session is not None
    assert (after.record.session.phase, after.record.late) == (Phase.SUPPLYING, None)
    told = [one.message for one in after.effects if isinstance(one, e.Send)]
    assert [(one.driver, one.event) for one in told if isinstance(one, m.DriverEvent)] == [
        ("ALICE", "ticket"), ("BOB", "started"),
    ]  # fmt: skip
    assert [one.status for one in told if isinstance(one, m.StationAnswer)] == ["accepted"]


def test_a_charge_at_a_charger_of_a_back_end_is_nobodys_and_costs_nothing_here() -> None:
    desired = DESIRED._replace(backend="ws://x", ocpp="1.6", service="in")
    asked = m.StationRequest(CP, "t1", "start", "CARD", AT.wall, 500)
    record = CpRecord(CP, desired, m.EngineStatus(CP, True, "b"), m.MonitorStatus(CP, True, "b"))
    begun = decide(record, d.AskedByStation(asked, SESSION.session_id, None, None, None), AT)
    (answer,) = [
        one.message for one in begun.effects
        if isinstance(one, e.Send) and isinstance(one.message, m.StationAnswer)
    ]  # fmt: skip
    assert (answer.ok, answer.status, answer.driver) == (True, "accepted", None)
    ended = decide(
        begun.record, m.SessionEvent(CP, "ended", SESSION.session_id, 9, 1_500, "stopped"), AT
    )
    settled = [one.session for one in ended.effects if isinstance(one, e.Save)][-1]
    shown = to_json(check(settled))
    assert (shown["state"], shown["energy_wh"], shown["reason"]) == ("settled", 1_500, "stopped")
    assert (shown["driver"], shown["price_eur_kwh"], shown["cost_eur"]) == (None, None, None)
    assert [one.detail for one in ended.effects if isinstance(one, e.Audit)] == [
        f"{settled.session_id} 1500 Wh"
    ]


def test_no_absence_ends_a_charge_at_a_charger_of_a_back_end() -> None:
    desired = DESIRED._replace(backend="ws://x", ocpp="1.6")
    session = SESSION._replace(phase=Phase.SUPPLYING, driver=None, origin=Origin.STATION)
    monitor = m.MonitorStatus(CP, False, "b")
    record = CpRecord(CP, desired, None, monitor, 1.0, 1.0, session)
    later = decide(record, d.MonitorAbsent(), AT._replace(clock=3_600.0))
    assert later.record.session is not None
    assert later.record.session.phase != Phase.ENDING
