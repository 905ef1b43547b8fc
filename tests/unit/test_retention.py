"""From which time on nothing may be dropped."""

from __future__ import annotations

from evcs.core.retention import horizon

NOW = "2026-11-22T09:00:00.000Z"


def test_for_ever_unless_days_are_given() -> None:
    assert horizon(0, NOW, NOW) is None


def test_an_empty_ledger_has_nothing_to_drop() -> None:
    assert horizon(30, NOW, None) is None


def test_a_day_more_than_asked_is_kept() -> None:
    assert horizon(30, NOW, NOW) == "2026-10-22T09:00:00.000Z"


def test_a_clock_that_is_a_day_ahead_costs_nothing_that_is_not_old() -> None:
    ahead = "2026-11-23T09:00:00.000Z"
    right = "2026-10-23T09:00:00.000Z"  # thirty days before now
    found = horizon(30, ahead, ahead)
    assert found is not None
    assert found <= right


def test_a_clock_that_leaps_ahead_while_nothing_is_written_drops_nothing_more() -> None:
    assert horizon(30, "2036-01-01T00:00:00.000Z", NOW) == horizon(30, NOW, NOW)


def test_a_clock_that_fell_back_drops_less() -> None:
    assert horizon(30, "2020-01-01T00:00:00.000Z", NOW) == "2019-12-01T00:00:00.000Z"
