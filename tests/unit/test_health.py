from __future__ import annotations

import pytest

from evcs.core import health as h

GOOD = h.EngineAnswer(ready=True)


def observe(
    view: h.Health, answer: h.EngineAnswer | None, now: float, started: float = 0.0
) -> h.Health:
    return h.observe(view, h.ProbeResult(answer, 0.5, now), started)


def run(answers: dict[float, h.EngineAnswer | None], started: float = 0.0) -> dict[float, h.Health]:
    """The views after each answer (or its absence), by second."""
    views, now = {}, h.Health()
    for second, answer in answers.items():
        now = views[second] = observe(now, answer, second, started)
    return views


def test_one_missed_question_is_not_told() -> None:
    views = run({1: GOOD, 2: None, 3: GOOD})
    assert [view.engine for view in views.values()] == ["ok", "ok", "ok"]
    assert views[3].misses == 0


def test_a_hang_shows_within_four_seconds() -> None:
    """The worst case: it hangs right after an answer, and each question takes its second."""
    asked_at, now, view = 100.0, 100.0, observe(h.Health(), GOOD, 100.0)
    while view.engine != "silent":
        now = max(asked_at + h.PERIOD_S, now) + h.ANSWER_WITHIN_S
        asked_at = now - h.ANSWER_WITHIN_S
        view = observe(view, None, now)
    assert now - 100.0 <= 4.0
    assert view.fault is None


def test_a_fault_is_ko_with_its_reason_and_its_end_is_ok() -> None:
    views = run({1: GOOD, 2: h.EngineAnswer("hot", ready=True), 3: GOOD})
    assert (views[2].engine, views[2].fault) == ("ko", "hot")
    assert (views[3].engine, views[3].fault) == ("ok", None)


def test_a_process_is_ended_after_fifteen_seconds_of_silence_and_not_before() -> None:
    since = h.silence(None, True, 99.0)
    for second in range(100, 115):
        since = h.silence(since, False, float(second))
        assert not h.to_be_ended(since, float(second))
    assert h.to_be_ended(h.silence(since, False, 115.0), 115.0)


def test_looks_in_a_row_without_a_question_are_counted_if_they_came_in_time() -> None:
    every = h.LOOK_EVERY_S
    assert [h.unasked(2, False, every), h.unasked(2, True, every)] == [3, 0]
    assert h.unasked(2, False, 2 * every) == 0
    assert h.MISSES_TO_END * every == h.END_AFTER_S


def test_one_answer_ends_the_silence() -> None:
    view, since = observe(h.Health(), GOOD, 0.0), h.silence(None, True, 0.0)
    for second in range(1, 15):
        view = observe(view, None, float(second))
        since = h.silence(since, False, float(second))
    view, since = observe(view, GOOD, 15.0), h.silence(since, True, 15.0)
    assert (view.engine, view.misses, since) == ("ok", 0, None)
    assert not h.to_be_ended(since, 100.0)


def test_a_cp_that_is_just_started_is_not_called_broken() -> None:
    views = run({second / 10: None for second in range(60)})
    assert {view.engine for view in views.values()} == {None}


def test_an_engine_that_never_comes_is_silent_after_the_grace() -> None:
    views = run({float(second): None for second in range(8)})
    assert views[5].engine is None
    assert views[6].engine == "silent"


def test_an_engine_that_answers_but_is_not_on_the_bus_yet_is_not_told_of() -> None:
    unready = h.EngineAnswer(ready=False)
    views = run({0: None, 1: unready, 2: unready, 3: GOOD})
    assert [views[second].engine for second in (1, 2, 3)] == [None, None, "ok"]


def test_an_engine_that_does_not_reach_the_bus_is_told_of_after_the_grace() -> None:
    assert run({6.0: h.EngineAnswer(ready=False)})[6.0].engine == "ok"


@pytest.mark.parametrize("ready", [True, False])
def test_once_told_of_readiness_plays_no_part(ready: bool) -> None:
    views = run({1: GOOD, 2: h.EngineAnswer("hot", ready)})
    assert views[2].engine == "ko"
