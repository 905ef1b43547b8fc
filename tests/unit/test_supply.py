from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import supply as s
from evcs.core.errors import EvcsError
from evcs.core.messages import Command


def cmd(verb: str, session: str | None = "S1", **more: Any) -> Command:
    if verb == "start":
        more = {"energy_wh": 5_000, "max_power_w": 7_400, **more}
    return Command("CP-1", verb, f"{session}.{verb}", session, **more)


RUNNING = s.command(s.Supply(), cmd("start"), None).supply
WAITING = s.from_record(s.to_record(RUNNING))
ENDED = s.end(s.metered(RUNNING, 100), "completed")
PHASES = [s.Supply(), RUNNING, WAITING, ENDED]


def test_a_start_begins_a_supply() -> None:
    supply, error = s.command(s.Supply(), cmd("start"), None)
    assert error is None
    assert (supply.phase, supply.session_id, supply.seq, supply.energy_wh) == (
        "supplying",
        "S1",
        1,
        0,
    )
    assert (supply.target_wh, supply.max_power_w) == (5_000, 7_400)


@pytest.mark.parametrize("supply", PHASES, ids=lambda supply: supply.phase)
@pytest.mark.parametrize("verb", ["start", "resume", "stop", "settled", "dance"])
@pytest.mark.parametrize("session", ["S1", "S2"])
def test_a_command_that_comes_twice_is_answered_alike_and_does_nothing_more(
    supply: s.Supply, verb: str, session: str
) -> None:
    once = s.command(supply, cmd(verb, session), None)
    twice = s.command(once.supply, cmd(verb, session), None)
    assert twice.supply == once.supply
    assert twice.error == once.error or (verb, once.error) == ("settled", None)


@pytest.mark.parametrize("supply", PHASES[1:], ids=lambda supply: supply.phase)
@pytest.mark.parametrize("verb", ["start", "resume", "stop", "settled"])
def test_a_command_for_another_session_touches_nothing(supply: s.Supply, verb: str) -> None:
    found = s.command(supply, cmd(verb, "S2"), None)
    assert found.supply[:7] == supply[:7]
    assert found.error == {"start": "busy", "settled": None}.get(verb, "no_session")


def test_a_stop_of_what_it_never_had_is_answered_as_such() -> None:
    assert s.command(s.Supply(), cmd("stop"), None).error == s.Refusal.NO_SESSION


def test_a_stop_ends_a_waiting_supply_with_its_energy() -> None:
    waiting = s.from_record(s.to_record(s.metered(RUNNING, 70)))
    ended = s.command(waiting, cmd("stop", reason="power_loss"), None).supply
    assert (ended.phase, ended.energy_wh, ended.reason) == ("ended", 70, "power_loss")


def test_an_ended_supply_keeps_its_first_reason_and_is_never_resumed() -> None:
    for verb in ("stop", "resume", "start"):
        assert s.command(ENDED, cmd(verb, reason="other"), None).supply == ENDED


@pytest.mark.parametrize("verb", ["start", "resume"])
def test_a_faulted_engine_supplies_nothing(verb: str) -> None:
    supply = s.Supply() if verb == "start" else WAITING
    assert s.command(supply, cmd(verb), "hot") == s.Outcome(supply, s.Refusal.FAULTED)


@pytest.mark.parametrize("supply", PHASES, ids=lambda supply: supply.phase)
def test_a_fault_by_hand_outlives_its_process_and_the_session(supply: s.Supply) -> None:
    broken = s.from_record(s.to_record(s.break_down(supply, "cable damaged")))
    assert broken.phase in (s.SupplyPhase.IDLE, s.SupplyPhase.ENDED)
    settled = s.command(broken, cmd("settled"), broken.fault).supply
    assert (settled.phase, settled.fault) == (s.SupplyPhase.IDLE, "cable damaged")


@pytest.mark.parametrize(
    "bad",
    [{"energy_wh": None}, {"energy_wh": 0}, {"energy_wh": -1}, {"max_power_w": None},
     {"max_power_w": 0}, {"max_power_w": -5}],
)  # fmt: skip
def test_a_start_without_good_figures_is_refused(bad: dict[str, Any]) -> None:
    assert s.command(s.Supply(), cmd("start", **bad), None).error == s.Refusal.BAD_COMMAND


def test_a_command_without_a_session_is_refused() -> None:
    for verb in ("start", "stop", "settled", "resume"):
        assert s.command(RUNNING, cmd(verb, None), None) == s.Outcome(
            RUNNING, s.Refusal.BAD_COMMAND
        )


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_the_register_never_falls_and_every_word_has_a_new_number(readings: list[int]) -> None:
    supply = RUNNING
    for energy_wh in readings:
        after = s.metered(supply, energy_wh)
        assert after.energy_wh >= supply.energy_wh
        assert after.seq == supply.seq + 1
        supply = after
    assert s.end(supply, "completed").seq == supply.seq + 1


STEPS = st.one_of(
    st.builds(cmd, st.sampled_from(["start", "resume", "stop", "settled"]),
              st.sampled_from(["S1", "S2"])),
    st.integers(0, 10_000),
    st.just("end"),
)  # fmt: skip


@given(st.lists(STEPS, max_size=15))
def test_killed_at_any_moment_it_is_reborn_with_all_that_it_held(steps: list[Any]) -> None:
    supply = s.Supply()
    for step in steps:
        if isinstance(step, Command):
            supply = s.command(supply, step, None).supply
        elif step == "end":
            supply = s.end(supply, "completed")
        elif supply.phase == s.SupplyPhase.SUPPLYING:
            supply = s.metered(supply, step)
        reborn = s.from_record(json.loads(json.dumps(s.to_record(supply))))
        expected = (
            s.SupplyPhase.WAITING if supply.phase == s.SupplyPhase.SUPPLYING else supply.phase
        )
        assert reborn == supply._replace(phase=expected)
        assert s.from_record(s.to_record(reborn)) == reborn


def test_without_a_journal_it_is_idle() -> None:
    assert s.from_record(None) == s.Supply()


def test_a_journal_of_the_first_format_need_not_say_so() -> None:
    record = s.to_record(RUNNING)
    assert record.pop("format") == 1
    assert s.from_record(record).session_id == "S1"


def test_a_journal_of_a_newer_format_is_refused() -> None:
    record = s.to_record(RUNNING)
    with pytest.raises(EvcsError, match="format"):
        s.from_record({**record, "format": 2})


GOOD = s.to_record(RUNNING)
NO_RECORDS: list[dict[str, Any]] = [
    {}, {"format": 1}, *({**GOOD, name: bad} for name, bad in (
        ("phase", "flying"), ("phase", None), ("session_id", None), ("session_id", 7), ("seq", "1"),
        ("seq", -1), ("energy_wh", True), ("energy_wh", 1.5), ("target_wh", None), ("reason", []),
        ("over", "S1"), ("over", [1]), ("fault", 1), ("format", "1"), ("format", None),
    )), *({key: GOOD[key] for key in GOOD if key != name} for name in ("phase", "seq", "reason")),
]  # fmt: skip


@pytest.mark.parametrize("record", NO_RECORDS, ids=ascii)
def test_what_no_engine_can_hold_is_no_record(record: dict[str, Any]) -> None:
    assert not s.is_record(record)


def test_what_an_engine_writes_is_a_record_and_a_newer_one_is_not_passed_over() -> None:
    assert all(s.is_record(json.loads(json.dumps(one))) for one in (GOOD, s.to_record(s.Supply())))
    assert s.is_record({"format": 2})


def test_what_central_has_heard_and_the_journal_has_not_is_gone_on_from() -> None:
    """Killed while its disk was full, an Engine has told more than it has written."""
    told = s.command(WAITING, cmd("resume", energy_wh=700, seq=9), None).supply
    assert (told.phase, told.energy_wh, told.seq) == ("supplying", 700, 9)
    written = s.metered(s.metered(WAITING, 900), 950)
    after = s.command(written, cmd("resume", energy_wh=700, seq=1), None).supply
    assert (after.energy_wh, after.seq) == (950, written.seq)
