from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import session_life as life
from evcs.core.cp_record import CpRecord
from evcs.core.messages import DesiredCp, EngineStatus
from evcs.core.patience import ON_MAIN, Patience, deadlines
from evcs.core.placement import OCPP
from evcs.core.session import NO_PRICE, Correction, Phase, Session, in_full, rows
from evcs.core.units import cost_eur

AT = "2026-11-22T09:00:00.000Z"
NEW = Session("S1", "CP-1", "ALICE", "0.30", 5_000, 22_000, AT)
SEQS, ENERGIES = st.integers(0, 50), st.integers(0, 6_000)
EVENTS = st.one_of(
    st.builds(life.Started, SEQS, ENERGIES),
    st.builds(life.Metered, SEQS, ENERGIES, st.integers(0, 22_000)),
    st.builds(life.Lost),
    st.builds(life.Stop, st.sampled_from(["stopped", "fault"])),
    st.builds(life.Ended, SEQS, ENERGIES, st.just("completed"), st.just(AT)),
    st.builds(life.NotHeld, st.just(AT)),
    st.builds(life.Closed, st.just("closed"), st.just(AT)),
)
STATUSES = st.none() | st.builds(
    EngineStatus, st.just("CP-1"), st.booleans(), st.just("b"),
    st.sampled_from(["idle", "supplying", "waiting", "ended"]), st.booleans(),
    st.sampled_from([None, "S1", "S2"]),
)  # fmt: skip


@given(st.lists(EVENTS, max_size=25))
def test_any_order_of_events_keeps_the_rules_of_a_session(events: list[Any]) -> None:
    session = NEW
    for event in events:
        after = life.advance(session, event)
        assert after[:7] == session[:7], "what was agreed changed"
        assert after.energy_wh >= session.energy_wh
        if session.phase == Phase.SETTLED:
            assert after._replace(correction=session.correction) == session
            assert session.correction is None or after is session
            assert not session.end_known or after is session
        assert (
            (after.cost_eur is None) == (after.ended_at is None) == (after.phase != Phase.SETTLED)
        )
        if after.phase == Phase.SETTLED:
            assert after.cost_eur == cost_eur(after.energy_wh, "0.30")
            assert after.reason
        if after.phase != Phase.SUPPLYING:
            assert after.power_w == 0 or after.phase == Phase.ENDING
        session = after


@given(st.lists(EVENTS, max_size=15), EVENTS)
def test_an_event_that_comes_twice_does_nothing_the_second_time(
    events: list[Any], event: Any
) -> None:
    session = NEW
    for one in events:
        session = life.advance(session, one)
    once = life.advance(session, event)
    assert life.advance(once, event) == once


@given(st.lists(EVENTS, max_size=15), st.integers(0, 6_000))
def test_no_ticket_is_below_what_was_ever_read(events: list[Any], last: int) -> None:
    session = NEW
    highest = 0
    for event in events:
        session = life.advance(session, event)
        highest = max(highest, session.energy_wh)
    assert life.advance(session, life.Ended(99, last, "completed", AT)).energy_wh >= highest


@pytest.mark.parametrize(
    ("energy_wh", "more_wh", "more_eur"), [(1_234, 234, "0.07"), (900, -100, "-0.03")]
)
def test_an_end_after_the_operators_close_is_a_correction(
    energy_wh: int, more_wh: int, more_eur: str
) -> None:
    supplying = life.advance(NEW, life.Metered(5, 1_000, 7_000))
    closed = life.advance(supplying, life.Closed("closed", AT))
    end = life.Ended(9, energy_wh, "completed", AT)
    corrected = life.advance(closed, end)
    assert corrected == closed._replace(correction=Correction(AT, more_wh, more_eur, "completed"))
    assert life.advance(corrected, end._replace(energy_wh=1_500)) is corrected
    assert life.advance(closed, end._replace(energy_wh=5_001)) is closed, "more than was asked for"
    ended = life.advance(supplying, end)
    assert life.advance(ended, end._replace(energy_wh=2_000)) is ended, "its own word stands"


def test_a_reading_out_of_order_is_passed_over() -> None:
    supplying = life.advance(NEW, life.Metered(5, 100, 7_000))
    for late in (
        life.Metered(4, 90, 7_000),
        life.Metered(4, 100, 7_000),
        life.Metered(6, 99, 7_000),
    ):
        assert life.advance(supplying, late) == supplying


def test_an_engine_that_has_not_got_the_session_settles_it_at_what_was_read() -> None:
    unread = life.advance(NEW, life.Stop("stopped"))
    settled = life.advance(unread, life.NotHeld(AT))
    assert (settled.phase, settled.energy_wh, settled.cost_eur) == (Phase.SETTLED, 0, "0.00")
    read = life.advance(life.advance(NEW, life.Metered(2, 10, 1)), life.Stop("stopped"))
    settled = life.advance(read, life.NotHeld(AT))
    assert (settled.phase, settled.energy_wh, settled.reason) == (Phase.SETTLED, 10, "stopped")


def test_a_request_that_no_engine_took_is_settled_as_not_started() -> None:
    """`pending` says stop once it is too late; the Engine answers that it has no such session."""
    idle = EngineStatus("CP-1", True, "b")
    assert life.pending(NEW, idle, False) == life.Pending("stop", "not_started")
    settled = life.advance(NEW, life.NotHeld(AT))
    assert (settled.phase, settled.reason, settled.energy_wh) == (Phase.SETTLED, "not_started", 0)


@pytest.mark.parametrize(
    ("phase", "state"),
    [(Phase.REQUESTED, "active"), (Phase.SUPPLYING, "active"), (Phase.ENDING, "interrupted"),
     (Phase.INTERRUPTED, "interrupted"), (Phase.LATE, "interrupted"),
     (Phase.SETTLED, "settled")],
)  # fmt: skip
def test_each_phase_has_the_contracts_word(phase: str, state: str) -> None:
    assert NEW._replace(phase=phase).state == state


def test_one_that_shall_end_is_active_as_long_as_it_delivers() -> None:
    ending = life.advance(life.advance(NEW, life.Metered(1, 9, 7_000)), life.Stop("stopped"))
    assert (ending.state, ending.power_w) == ("active", 7_000)
    lost = life.advance(ending, life.Lost())
    assert (lost.state, lost.power_w, lost.phase) == ("interrupted", 0, Phase.ENDING)
    assert life.pending(
        lost, EngineStatus("CP-1", True, "b", "waiting", True, "S1"), True
    ) == life.Pending("stop", "stopped")


HOLDS = EngineStatus("CP-1", True, "b", "supplying", True, "S1")
IDLE = EngineStatus("CP-1", True, "b")


@pytest.mark.parametrize(
    ("phase", "engine", "in_time", "due"),
    [
        (Phase.REQUESTED, IDLE, True, life.Pending("start")),
        (Phase.REQUESTED, IDLE, False, life.Pending("stop", "not_started")),
        (Phase.REQUESTED, HOLDS, False, None),
        (Phase.REQUESTED, HOLDS._replace(phase="waiting"), True, life.Pending("resume")),
        (Phase.SUPPLYING, HOLDS, True, None),
        (Phase.SUPPLYING, HOLDS._replace(phase="waiting"), True, life.Pending("resume")),
        (Phase.INTERRUPTED, HOLDS._replace(phase="waiting"), True, life.Pending("resume")),
        (Phase.INTERRUPTED, IDLE, True, None),
        (Phase.ENDING, HOLDS, True, life.Pending("stop", "why")),
        (Phase.ENDING, IDLE, True, life.Pending("stop", "why")),
        (Phase.SETTLED, HOLDS, True, life.Pending("stop", "why")),
        (Phase.SETTLED, IDLE, True, None),
    ],
)
def test_what_is_due_follows_from_the_two_states(
    phase: str, engine: EngineStatus, in_time: bool, due: life.Pending | None
) -> None:
    assert life.pending(NEW._replace(phase=phase, reason="why"), engine, in_time) == due


def test_a_settled_session_whose_end_is_known_is_let_go() -> None:
    over = NEW._replace(phase=Phase.SETTLED)
    corrected = over._replace(correction=Correction(AT, 1, "0.00", "completed"))
    for known in (over._replace(end_known=True), corrected):
        assert life.pending(known, HOLDS, True) == life.Pending("settled")


def test_a_correction_of_what_costs_elsewhere_has_no_cost() -> None:
    over = NEW._replace(phase=Phase.SETTLED, price_eur_kwh=NO_PRICE, cost_eur="0.00")
    corrected = over._replace(correction=Correction(AT, 1, "0.00", "completed"))
    assert in_full(corrected)["correction"]["cost_eur"] is None
    assert [one["cost_eur"] for one in rows(corrected)] == [None, None]


@given(st.sampled_from([p for p, _ in life.TABLE]), STATUSES, st.booleans())
def test_an_engine_that_is_away_is_told_nothing(
    phase: str, engine: EngineStatus | None, in_time: bool
) -> None:
    if engine is None or not engine.online:
        assert life.pending(NEW._replace(phase=phase), engine, in_time) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_centrals_own_absence_is_never_held_against_a_cp(
    lost_at: int, connected_at: int, later: int
) -> None:
    now = max(lost_at, connected_at) + later
    away = CpRecord("CP-1").absent_for(lost_at, connected_at, now)
    assert away <= now - lost_at
    assert away <= now - connected_at - ON_MAIN.reconnect_grace_s


def test_absence_on_another_host_ends_nothing_for_as_long_as_is_set() -> None:
    here = DesiredCp("CP-1", "", "in", "0.30", 22_000, "", "main", False, False, 1)
    assert deadlines(here) == deadlines(None) == ON_MAIN
    patience = Patience(charger_s=7_200.0, host_s=60.0)
    charger = deadlines(here._replace(hosting=OCPP), patience)
    assert (charger.start_within_s, charger.resume_within_s) == (600.0, 7_200.0)
    assert charger.monitor_gone_s == 7_200.0
    there = deadlines(here._replace(host="h2"))
    assert (there.resume_within_s, there.monitor_gone_s) == (3_600, 3_600)
    assert there.start_within_s == ON_MAIN.start_within_s
    leaving = here._replace(previous_host="h2", previous_placement="t")
    assert deadlines(leaving, patience).monitor_gone_s == 60.0, "h2 holds it still"
    assert deadlines(leaving._replace(host="h2", previous_host="main"), patience) == ON_MAIN


def test_the_diagram_shows_every_row_of_the_table() -> None:
    drawn = life.diagram()
    for phase, event in life.TABLE:
        assert any(
            line.strip().startswith(f"{phase} -->") and line.endswith(f": {event.__name__}")
            for line in drawn.splitlines()
        )
