"""What charging profiles let a car take: each rule of 3.13 by itself, and any of them together
against a reckoning second by second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp import station_profiles as p
from evcs.core.ocpp.station_profiles import Car, LimitStep, Period, Profile
from evcs.core.ocpp.times import written

#: A Monday.
NOW = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
THREE = Car(22_000, NOW)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def text(seconds: float) -> str:
    return written(at(seconds))


def profile(limit: float = 5_000, purpose: str = p.DEFAULT, **more: object) -> Profile:
    made = Profile(1, 0, purpose, "W", (Period(0, limit),))
    return made._replace(**more)  # type: ignore[arg-type]


def held(*them: Profile) -> p.Profiles:
    """All of them, installed one after the other."""
    found: p.Profiles = ()
    for number, one in enumerate(them, 1):
        more = p.installed(found, one._replace(id=number))
        assert more is not None, one
        found = more
    return found


def test_without_one_it_is_what_the_cp_can_give() -> None:
    assert p.allowed_w((), THREE, NOW) == 22_000
    assert p.composite((), THREE, NOW, 60) == [LimitStep(0, 22_000)]
    assert p.allowed_w(held(profile(50_000)), THREE, NOW) == 22_000


@pytest.mark.parametrize(
    ("most_w", "period", "watts"),
    [
        (22_000, Period(0, 16), 11_040), (22_000, Period(0, 16, 3), 11_040),
        (22_000, Period(0, 16, 1), 3_680), (7_400, Period(0, 16, 3), 3_680),
        (7_400, Period(0, 0), 0),
    ],
)  # fmt: skip
def test_amperes_count_on_each_phase_that_both_have(
    most_w: int, period: Period, watts: float
) -> None:
    one = profile(unit="A", periods=(period,))
    assert p.allowed_w((one,), Car(most_w, NOW), NOW) == watts


def test_a_charges_own_goes_before_the_default_and_none_above_the_stations() -> None:
    own, default = profile(9_000, p.TRANSACTION), profile(5_000)
    assert p.allowed_w(held(own, default), THREE, NOW) == 9_000
    assert p.allowed_w(p.over(held(own, default)), THREE, NOW) == 5_000
    for most in (4_000, 20_000):
        both = held(own, default, profile(most, p.STATION))
        assert p.allowed_w(both, THREE, NOW) == min(most, 9_000)


def test_the_highest_level_that_says_something_counts() -> None:
    low, high = profile(5_000), profile(7_000, stack=3, duration_s=60)
    assert p.composite(held(low, high), THREE, NOW, 120) == [
        LimitStep(0, 7_000),
        LimitStep(60, 5_000),
    ]
    later = profile(7_000, stack=3, valid_from=text(30), valid_to=text(90))
    assert p.composite(held(low, later), THREE, NOW, 120) == [
        LimitStep(0, 5_000), LimitStep(30, 7_000), LimitStep(90, 5_000),
    ]  # fmt: skip


def test_a_connectors_own_default_goes_before_the_stations_of_its_level() -> None:
    all_, own = profile(5_000), profile(7_000, connector=1)
    assert p.allowed_w(held(all_, own), THREE, NOW) == 7_000
    assert p.allowed_w(held(all_._replace(stack=1), own), THREE, NOW) == 5_000


def test_one_of_a_given_time_waits_for_it_and_one_of_none_begins_with_the_charge() -> None:
    given_ = profile(periods=(Period(0, 5_000), Period(60, 6_000)), start=text(30))
    assert p.composite((given_,), THREE, NOW, 200) == [
        LimitStep(0, 22_000), LimitStep(30, 5_000), LimitStep(90, 6_000),
    ]  # fmt: skip
    relative = given_._replace(start="")
    assert p.composite((relative,), Car(22_000, at(-40)), NOW, 200) == [
        LimitStep(0, 5_000), LimitStep(20, 6_000),
    ]  # fmt: skip
    assert p.composite((relative,), Car(22_000), NOW, 200) == [
        LimitStep(0, 5_000),
        LimitStep(60, 6_000),
    ]


def test_a_week_begins_anew_and_what_is_longer_than_it_is_cut() -> None:
    """From 23:00 to 06:00 all, in the day a third: Monday 7:00 is in the day."""
    night = profile(
        periods=(Period(0, 22_000), Period(7 * 3_600, 7_000), Period(90_000, 1)),
        start="2026-11-23T23:00:00Z", every_s=p.A_DAY_S,
    )  # fmt: skip
    assert p.composite((night,), THREE, NOW, p.A_DAY_S) == [
        LimitStep(0, 7_000), LimitStep(16 * 3_600, 22_000), LimitStep(23 * 3_600, 7_000),
    ]  # fmt: skip
    weekly = night._replace(every_s=7 * p.A_DAY_S, duration_s=3_600, periods=(Period(0, 1_000),))
    assert p.composite((weekly,), THREE, NOW, p.A_DAY_S) == [
        LimitStep(0, 22_000), LimitStep(16 * 3_600, 1_000), LimitStep(17 * 3_600, 22_000),
    ]  # fmt: skip


def test_one_of_the_same_id_or_place_takes_the_others_place() -> None:
    first = profile()
    for same in (
        first._replace(stack=4), first._replace(id=9, periods=(Period(0, 1),)),
    ):  # fmt: skip
        assert p.installed((first,), same) == (same,)
    other = first._replace(id=2, stack=1)
    assert p.installed((first,), other) == (first, other)


@pytest.mark.parametrize(
    "wrong",
    [
        profile(periods=()), profile(periods=(Period(1, 5),)),
        profile(periods=(Period(0, 5), Period(0, 6))),
        profile(periods=tuple(Period(number, 5) for number in range(p.MOST_PERIODS + 1))),
        profile(-1), profile(stack=p.MOST_STACK + 1), profile(stack=-1), profile(duration_s=-1),
        profile(valid_from="yesterday"), profile(every_s=p.A_DAY_S),
        profile(periods=(Period(0, 5, 4),)), profile(duration_s=10**15),
        profile(periods=(Period(0, 5), Period(10**15, 6))), profile(start="0001-01-01T00:00:00Z"),
        profile(start="9999-12-31T23:59:59Z"), profile(valid_to="9999-12-31T23:59:59Z"),
    ],
)  # fmt: skip
def test_what_is_no_profile_is_not_installed(wrong: Profile) -> None:
    assert p.installed((), wrong) is None


def test_of_more_than_it_can_hold_none_is_installed() -> None:
    full = held(*(profile(stack=number) for number in range(p.MOST_PROFILES)))
    assert p.installed(full, profile(id=99, stack=0, connector=1)) is None
    assert p.installed(full, profile(id=99, stack=0)) is not None


def test_what_is_cleared_fits_all_that_is_given() -> None:
    one, two = profile(), profile(purpose=p.STATION, stack=2)
    both = held(one, two)
    assert p.cleared(both) == ()
    assert p.cleared(both, id_=2) == both[:1]
    assert p.cleared(both, purpose=p.DEFAULT, stack=2) == both
    assert p.cleared(both, connector=0, stack=0) == both[1:]
    assert p.cleared(both, connector=1) == both


def test_a_limit_is_shown_in_tenths_and_never_as_more_than_it_is() -> None:
    assert p.shown(11_040, "A", 22_000) == 16.0
    assert p.shown(7_000, "A", 22_000) == 10.1
    assert p.shown(3_680, "A", 7_400) == 16.0
    assert p.shown(16.1 * 690, "A", 22_000) == 16.1


_SECONDS = st.integers(-200, 400)
_PERIODS = st.lists(
    st.tuples(st.integers(1, 150), st.integers(0, 320)), max_size=4, unique_by=lambda it: it[0]
)


@st.composite
def _profiles(draw: st.DrawFn) -> Profile:
    rest = sorted(draw(_PERIODS))
    periods = [Period(0, draw(st.integers(0, 320)) / 10)]
    periods += [Period(second, tenths / 10, draw(st.sampled_from([None, 1, 3])))
                for second, tenths in rest]  # fmt: skip
    every_s = draw(st.sampled_from([0, 0, 60, 170]))
    begins = draw(_SECONDS)
    relative = not every_s and draw(st.booleans())
    ends = draw(st.one_of(st.none(), _SECONDS))
    valid = draw(st.one_of(st.none(), _SECONDS))
    return Profile(
        0, draw(st.integers(0, 3)), draw(st.sampled_from([p.STATION, p.DEFAULT, p.TRANSACTION])),
        draw(st.sampled_from(["A", "W"])), tuple(periods), draw(st.integers(0, 1)),
        "" if relative else text(begins), every_s,
        draw(st.one_of(st.none(), st.integers(0, 200))),
        "" if valid is None else text(valid), "" if ends is None else text(ends),
    )  # fmt: skip


def _plain(them: p.Profiles, began: int, second: int) -> float:
    """What may be taken that second, level by level."""
    said: dict[tuple[str, int, int], float] = {}
    for one in them:
        start = began
        if one.start:
            start = int((datetime.fromisoformat(one.start) - NOW).total_seconds())
        if second < start:
            continue
        if one.valid_from and at(second) < datetime.fromisoformat(one.valid_from):
            continue
        if one.valid_to and at(second) >= datetime.fromisoformat(one.valid_to):
            continue
        past = second - start
        while one.every_s and past >= one.every_s:
            past -= one.every_s
        if one.duration_s is not None and past >= one.duration_s:
            continue
        for period in one.periods:
            if period.start_s <= past:
                factor = 1 if one.unit == "W" else 230 * (period.phases or 3)
                said[one.purpose, one.stack, one.connector] = period.limit * factor
    found = 22_000.0
    for purposes in ((p.STATION,), (p.TRANSACTION, p.DEFAULT)):
        for purpose in purposes:
            levels = [
                said[purpose, stack, connector]
                for stack in (3, 2, 1, 0) for connector in (1, 0)
                if (purpose, stack, connector) in said
            ]  # fmt: skip
            if levels:
                found = min(found, levels[0])
                break
    return found


@given(st.lists(_profiles(), max_size=6), st.integers(-300, 0))
def test_each_second_of_a_composite_schedule_is_what_may_be_taken_then(
    them: list[Profile], began: int
) -> None:
    have, car = held(*them), Car(22_000, at(began))
    found = p.composite(have, car, NOW, 300)
    starts = [one.start_s for one in found]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert all(one.limit_w != two.limit_w for one, two in pairwise(found))
    for second in range(300):
        then = [one for one in found if one.start_s <= second][-1]
        assert then.limit_w == p.allowed_w(have, car, at(second))
        assert then.limit_w == pytest.approx(_plain(have, began, second))
