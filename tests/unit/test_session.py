from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import session as s
from evcs.core.messages import EngineStatus
from evcs.core.units import cost_eur

AT = "2026-11-22T09:00:00.000Z"
NEW = s.Session("S1", "CP-1", "ALICE", "0.30", 5_000, 22_000, AT)
SEQS, ENERGIES = st.integers(0, 50), st.integers(0, 6_000)
EVENTS = st.one_of(
    st.builds(s.Started, SEQS, ENERGIES),
    st.builds(s.Metered, SEQS, ENERGIES, st.integers(0, 22_000)),
    st.builds(s.Lost),
    st.builds(s.Stop, st.sampled_from(["stopped", "fault"])),
    st.builds(s.Ended, SEQS, ENERGIES, st.just("completed"), st.just(AT)),
    st.builds(s.NotHeld, st.just(AT)),
    st.builds(s.Closed, st.just("closed"), st.just(AT)),
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
        after = s.advance(session, event)
        assert after[:7] == session[:7], "what was agreed changed"
        assert after.energy_wh >= session.energy_wh
        if session.phase == s.Phase.SETTLED:
            assert after is session
        assert (
            (after.cost_eur is None) == (after.ended_at is None) == (after.phase != s.Phase.SETTLED)
        )
        if after.phase == s.Phase.SETTLED:
            assert after.cost_eur == cost_eur(after.energy_wh, "0.30")
            assert after.reason
        if after.phase != s.Phase.SUPPLYING:
            assert after.power_w == 0 or after.phase == s.Phase.ENDING
        session = after


@given(st.lists(EVENTS, max_size=15), EVENTS)
def test_an_event_that_comes_twice_does_nothing_the_second_time(
    events: list[Any], event: Any
) -> None:
    session = NEW
    for one in events:
        session = s.advance(session, one)
    once = s.advance(session, event)
    assert s.advance(once, event) == once


@given(st.lists(EVENTS, max_size=15), st.integers(0, 6_000))
def test_no_ticket_is_below_what_was_ever_read(events: list[Any], last: int) -> None:
    session = NEW
    highest = 0
    for event in events:
        session = s.advance(session, event)
        highest = max(highest, session.energy_wh)
    assert s.advance(session, s.Ended(99, last, "completed", AT)).energy_wh >= highest


def test_a_reading_out_of_order_is_passed_over() -> None:
    supplying = s.advance(NEW, s.Metered(5, 100, 7_000))
    for late in (s.Metered(4, 90, 7_000), s.Metered(4, 100, 7_000), s.Metered(6, 99, 7_000)):
        assert s.advance(supplying, late) == supplying


def test_an_engine_that_has_not_got_the_session_settles_it_at_what_was_read() -> None:
    unread = s.advance(NEW, s.Stop("stopped"))
    settled = s.advance(unread, s.NotHeld(AT))
    assert (settled.phase, settled.energy_wh, settled.cost_eur) == (s.Phase.SETTLED, 0, "0.00")
    read = s.advance(s.advance(NEW, s.Metered(2, 10, 1)), s.Stop("stopped"))
    settled = s.advance(read, s.NotHeld(AT))
    assert (settled.phase, settled.energy_wh, settled.reason) == (s.Phase.SETTLED, 10, "stopped")


def test_a_request_that_no_engine_took_is_settled_as_not_started() -> None:
    """`due` says stop after START_WITHIN_S; the Engine answers that it has no such session."""
    idle = EngineStatus("CP-1", True, "b")
    assert s.due(NEW, idle, s.START_WITHIN_S + 1) == s.Due("stop", "not_started")
    settled = s.advance(NEW, s.NotHeld(AT))
    assert (settled.phase, settled.reason, settled.energy_wh) == (s.Phase.SETTLED, "not_started", 0)


@pytest.mark.parametrize(
    ("phase", "state"),
    [(s.Phase.REQUESTED, "active"), (s.Phase.SUPPLYING, "active"), (s.Phase.ENDING, "interrupted"),
     (s.Phase.INTERRUPTED, "interrupted"), (s.Phase.SETTLED, "settled")],
)  # fmt: skip
def test_each_phase_has_the_contracts_word(phase: str, state: str) -> None:
    assert NEW._replace(phase=phase).state == state


def test_one_that_shall_end_is_active_as_long_as_it_delivers() -> None:
    ending = s.advance(s.advance(NEW, s.Metered(1, 9, 7_000)), s.Stop("stopped"))
    assert (ending.state, ending.power_w) == ("active", 7_000)
    lost = s.advance(ending, s.Lost())
    assert (lost.state, lost.power_w, lost.phase) == ("interrupted", 0, s.Phase.ENDING)
    assert s.due(lost, EngineStatus("CP-1", True, "b", "waiting", True, "S1"), 1.0) == s.Due(
        "stop", "stopped"
    )


HOLDS = EngineStatus("CP-1", True, "b", "supplying", True, "S1")
IDLE = EngineStatus("CP-1", True, "b")


@pytest.mark.parametrize(
    ("phase", "engine", "age", "due"),
    [
        (s.Phase.REQUESTED, IDLE, 0, s.Due("start")),
        (s.Phase.REQUESTED, IDLE, 30, s.Due("start")),
        (s.Phase.REQUESTED, IDLE, 31, s.Due("stop", "not_started")),
        (s.Phase.REQUESTED, HOLDS, 31, None),
        (s.Phase.REQUESTED, HOLDS._replace(phase="waiting"), 0, s.Due("resume")),
        (s.Phase.SUPPLYING, HOLDS, 0, None),
        (s.Phase.SUPPLYING, HOLDS._replace(phase="waiting"), 0, s.Due("resume")),
        (s.Phase.INTERRUPTED, HOLDS._replace(phase="waiting"), 0, s.Due("resume")),
        (s.Phase.INTERRUPTED, IDLE, 0, None),
        (s.Phase.ENDING, HOLDS, 0, s.Due("stop", "why")),
        (s.Phase.ENDING, IDLE, 0, s.Due("stop", "why")),
        (s.Phase.SETTLED, HOLDS, 0, s.Due("settled")),
        (s.Phase.SETTLED, IDLE, 0, None),
    ],
)
def test_what_is_due_follows_from_the_two_states(
    phase: str, engine: EngineStatus, age: float, due: s.Due | None
) -> None:
    assert s.due(NEW._replace(phase=phase, reason="why"), engine, age) == due


@given(st.sampled_from([p for p, _ in s.TABLE]), STATUSES, st.floats(0, 100))
def test_an_engine_that_is_away_is_told_nothing(
    phase: str, engine: EngineStatus | None, age: float
) -> None:
    if engine is None or not engine.online:
        assert s.due(NEW._replace(phase=phase), engine, age) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_centrals_own_absence_is_never_held_against_a_cp(
    lost_at: int, connected_at: int, later: int
) -> None:
    now = max(lost_at, connected_at) + later
    away = s.absent_for(lost_at, connected_at, now)
    assert away <= now - lost_at
    assert away <= now - connected_at - s.RECONNECT_GRACE_S


def test_the_diagram_shows_every_row_of_the_table() -> None:
    drawn = s.diagram()
    for phase, event in s.TABLE:
        assert any(
            line.strip().startswith(f"{phase} -->") and line.endswith(f": {event.__name__}")
            for line in drawn.splitlines()
        )
