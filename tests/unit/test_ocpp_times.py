"""Times, as chargers tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp import times


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("2026-11-30T10:00:00Z", "2026-11-30T10:00:00.000Z"),
        ("2026-11-30T10:00:00.1234Z", "2026-11-30T10:00:00.123Z"),
        ("2026-11-30T11:00:00+01:00", "2026-11-30T10:00:00.000Z"),
        ("2026-11-30T10:00:00", "2026-11-30T10:00:00.000Z"),
        ("1970-01-01T00:00:05Z", "1970-01-01T00:00:05.000Z"),
    ],
)
def test_times(told: str, written: str) -> None:
    found = times.parse(told)
    assert found is not None
    assert times.written(found) == written
    assert times.is_set(found) == (not told.startswith("1970"))


@given(st.text() | st.none() | st.integers())
def test_nothing_else_breaks_it(told: object) -> None:
    times.parse(told)


def test_the_ends_of_time() -> None:
    assert times.parse("0001-01-01T00:00:00+10:00") is None
    assert times.parse("yesterday") is None


def test_a_clock_is_judged_by_what_is_latest() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    offset = times.Offset()
    kept, live = now - timedelta(hours=1), now - timedelta(seconds=3)
    assert offset.heard(kept, now) == -3_600
    assert offset.heard(live, now) == offset.heard(kept, now) == 0
    assert not offset.is_same(kept, now), "what was kept is not of now"
    assert offset.heard(now + timedelta(hours=2), now) == 7_200
    assert offset.heard(live, now) == 7_200, "until it has been told the time"
    offset.set()
    assert offset.heard(live, now) == 0
    assert offset.heard(datetime(1970, 1, 1, tzinfo=UTC), now) < -1_000_000_000
    assert offset.heard(live, now) == 0


def test_what_is_as_late_as_what_was_told_before_it_is_of_now() -> None:
    now, behind = datetime(2026, 11, 30, 12, tzinfo=UTC), timedelta(hours=5)
    offset = times.Offset()
    assert not offset.is_same(now - behind, now)
    offset.heard(now - behind, now)
    later = now + timedelta(minutes=10)
    assert offset.is_same(later - behind, later)
    assert not offset.is_same(later - behind + timedelta(minutes=1), later), "it was kept"
    offset.set()
    assert not offset.is_same(later - behind, later)
