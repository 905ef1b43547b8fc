"""Which readings are kept of charges, and how many of them a plot is given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcs.core.readings import ALL, EVERY_S, Reading, Sample, step, thinned
from evcs.core.session import Phase, Session
from evcs.services.central.readings import Readings
from tests.unit.fakes import FakeClock

AT = "2026-11-22T09:00:00.000Z"
SECOND = 1_795_338_000


def session(cp: str, power_w: int, energy_wh: int = 0) -> Session:
    return Session(
        f"S-{cp}", cp, "ALICE", "0.30", None, 22_000, AT, Phase.SUPPLYING,
        power_w=power_w, energy_wh=energy_wh,
    )  # fmt: skip


def kept(*begun: Session) -> tuple[Readings, FakeClock]:
    clock = FakeClock(1_000.0)
    clock.wall = AT
    return Readings(clock, begun), clock


def test_of_each_charge_one_a_minute_and_of_all_together() -> None:
    readings, clock = kept()
    a, b = session("A", 7_000, 10), session("B", 4_000, 20)
    assert readings.due([a, b]) == [
        Reading("A", SECOND, 7_000, 10), Reading("B", SECOND, 4_000, 20),
        Reading(ALL, SECOND, 11_000, 0),
    ]  # fmt: skip
    clock.now += EVERY_S - 1
    assert readings.due([a, b]) == []
    clock.now += 1
    assert [one.cp for one in readings.due([a])] == ["A", ALL]
    assert [one.cp for one in readings.due([b])] == ["B"]
    assert readings.due([]) == []


def test_where_nothing_flows_any_more_is_told_at_once_and_once() -> None:
    readings, clock = kept()
    readings.due([session("A", 7_000), session("B", 4_000)])
    clock.now += 1
    ended = session("A", 0, 90)
    assert readings.due([ended]) == [Reading("A", SECOND, 0, 90)]
    assert readings.due([ended]) == []
    assert readings.due([session("B", 0)]) == [
        Reading("B", SECOND, 0, 0), Reading(ALL, SECOND, 0, 0),
    ]  # fmt: skip
    # The next charge begins within the same minute.
    assert [one.cp for one in readings.due([session("A", 5_000)])] == ["A", ALL]


def test_what_ended_while_central_was_away_has_its_end() -> None:
    readings, _ = kept(session("A", 7_000))
    assert [(one.cp, one.power_w) for one in readings.due([session("A", 0, 90)])] == [
        ("A", 0), (ALL, 0),
    ]  # fmt: skip
    assert readings.due([session("B", 0)]) == []


def test_a_day_is_told_by_the_minute_a_month_by_the_half_hour() -> None:
    assert [step(0, seconds) for seconds in (0, 1, 86_401, 7 * 86_400 + 1, 30 * 86_400)] == [
        60, 60, 60, 420, 1_800,
    ]  # fmt: skip


def test_parts_have_the_mean_of_what_flowed_in_them() -> None:
    samples = [Sample(600, 10, 0), Sample(660, 30, 1), Sample(700, 0, 2), Sample(2_000, 5, 0)]
    assert thinned(samples, 60) == samples
    # 60 s of 10 W, 40 s of 30 W and 20 s of nothing; nothing until then; what it is now.
    assert thinned(samples, 120) == [
        Sample(600, (600 + 1_200) // 120, 2), Sample(720, 0, 2), Sample(2_000, 5, 0),
    ]  # fmt: skip
    assert thinned([], 120) == []


@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)), unique_by=lambda one: one[0]),
    st.integers(2, 60),
)
def test_thinned_is_in_order_within_what_was_and_short(
    found: list[tuple[int, int]], minutes: int
) -> None:
    samples = [Sample(at, power_w, 0) for at, power_w in sorted(found)]
    thin = thinned(samples, minutes * 60)
    times = [one.at for one in thin]
    assert times == sorted(set(times))
    assert thin[-1:] == samples[-1:]
    if samples:
        spread = samples[-1].at - samples[0].at
        assert len(thin) <= spread // (minutes * 60) + 3
        assert max(one.power_w for one in thin) <= max(one.power_w for one in samples)
