"""From which time on nothing may be dropped."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from evcs import config
from evcs.core.retention import believed, horizon

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


def test_what_is_no_time_drops_nothing() -> None:
    assert horizon(30, NOW, "1x") is None
    assert horizon(30, NOW, "0001-01-01T00:00:00.000Z") is None
    assert believed("1x", NOW, 5) == NOW
    assert believed("9999-12-31T23:59:59.000Z", NOW, 5) == NOW


def test_a_clock_is_believed_no_more_than_ten_times_as_fast_as_we_ran() -> None:
    assert believed(NOW, "2026-11-22T09:00:05.000Z", 5) == "2026-11-22T09:00:05.000Z"
    assert believed(NOW, "2028-01-01T00:00:00.000Z", 3_600) == "2026-11-22T19:00:00.000Z"
    assert believed(NOW, "1970-01-01T00:00:00.000Z", 3_600) == NOW


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", (0, 0, 7)),
        ("keep_sessions_days = 5\nkeep_audit_days = 6\n", (5, 6, 7)),  # as it was written before
        ("[keep]\nsessions_days = 5\naudit_days = 6\nreadings_days = 0\n", (5, 6, 0)),
    ],
)
def test_how_long_is_kept_is_set_in_a_table(text: str, kept: tuple[int, int, int]) -> None:
    with tempfile.TemporaryDirectory(prefix="evcs-") as home:  # a home's path is short
        (Path(home) / "conf").mkdir()
        (Path(home) / "conf" / "evcs.toml").write_text(text)
        found = config.load({"EVCS_HOME": home})
    assert (found.keep_sessions_days, found.keep_audit_days, found.keep_readings_days) == kept
