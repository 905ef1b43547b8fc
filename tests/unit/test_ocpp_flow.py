"""What flows, by two readings of a register that says nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp.flow import APART_S, Flow, Point, limited, read
from evcs.core.power import allowed_w

MOST_W = 44_000
steps_s = st.lists(st.floats(1.0, 120.0), min_size=1, max_size=30)
powers_w = st.integers(0, 22_000)


def point(register_wh: float, at_s: float, heard_s: float | None = None) -> Point:
    """A register that tells whole Wh."""
    return Point(int(register_wh), at_s, at_s if heard_s is None else heard_s)


def test_one_reading_says_nothing() -> None:
    flow = read(None, point(1_000, 0), 9_000, MOST_W)
    assert (flow.power_w, flow.limit_w) == (None, None)


def test_two_readings_say_what_flowed_between_them() -> None:
    flow = read(None, point(1_000, 0), 9_000, MOST_W)
    flow = read(flow, point(1_100, 60), 9_000, MOST_W)
    assert (flow.power_w, flow.limit_w) == (6_000, 9_000)


@given(power_w=powers_w, steps=steps_s, begin_wh=st.integers(0, 10**7))
def test_what_is_constant_is_found_within_a_watt_hour(
    power_w: int, steps: list[float], begin_wh: int
) -> None:
    flow, at_s = read(None, point(begin_wh, 0), 9_000, MOST_W), 0.0
    for step_s in steps:
        at_s += step_s
        flow = read(flow, point(begin_wh + power_w * at_s / 3_600, at_s), 9_000, MOST_W)
        if flow.power_w is not None:
            assert abs(flow.power_w - power_w) <= 3_600 / APART_S + 1
    assert (flow.power_w is not None) == (at_s >= APART_S)


@given(changes=st.lists(st.tuples(powers_w, st.floats(1.0, 120.0)), min_size=1, max_size=30))
def test_who_obeys_at_once_is_seen_to_obey(changes: list[tuple[int, float]]) -> None:
    """Whatever limit a reading is said to be of: it took no more than that."""
    flow, at_s, energy_wh = None, 0.0, 0.0
    for limit_w, for_s in changes:
        at_s, energy_wh = at_s + for_s, energy_wh + limit_w * for_s / 3_600
        flow = read(flow, point(energy_wh, at_s), limit_w, MOST_W)
        if flow.power_w is not None and flow.limit_w is not None:
            assert flow.power_w <= flow.limit_w + 3_600 / APART_S + 1
            assert flow.limit_w >= limit_w


@given(
    over_w=st.integers(400, 10_000),
    limits=st.lists(st.integers(0, 9_000), min_size=1),
    step_s=st.floats(5.0, 120.0),
)
def test_who_takes_too_much_all_the_time_is_never_seen_to_obey(
    over_w: int, limits: list[int], step_s: float
) -> None:
    flow, at_s = None, 0.0
    power_w = allowed_w(max(limits)) + over_w
    for limit_w in limits:
        at_s += step_s
        flow = read(flow, point(power_w * at_s / 3_600, at_s), limit_w, MOST_W)
        shown = flow.limit_w == limit_w and (flow.power_w or 0) <= allowed_w(limit_w)
        assert not shown


def test_after_a_lowered_limit_only_what_flowed_under_it_shows_it() -> None:
    """He took 9 kW, and took half of it away in the middle of the interval."""
    flow = read(None, point(0, 0), 9_000, MOST_W)
    flow = read(flow, point(150, 60), 9_000, MOST_W)
    flow = read(flow, point(260, 120), 4_500, MOST_W)
    assert (flow.power_w, flow.limit_w) == (9_000, 9_000)
    flow = read(flow, point(335, 180), 4_500, MOST_W)
    assert (flow.power_w, flow.limit_w) == (4_500, 4_500)


def test_a_limit_that_came_and_went_between_two_readings_counts() -> None:
    flow = limited(read(None, point(0, 0), 4_500, MOST_W), 9_000)
    flow = read(flow, point(50, 60), 4_500, MOST_W)
    assert (flow.power_w, flow.limit_w) == (None, None)
    flow = read(flow, point(125, 120), 4_500, MOST_W)
    assert (flow.power_w, flow.limit_w) == (4_500, 4_500)


def test_a_limit_that_is_raised_is_shown_by_what_flowed_before() -> None:
    flow = read(None, point(0, 0), 4_500, MOST_W)
    flow = read(flow, point(75, 60), 4_500, MOST_W)
    flow = read(flow, point(80, 64), 9_000, MOST_W)
    assert (flow.power_w, flow.limit_w) == (4_500, 9_000)


@given(jump_s=st.one_of(st.floats(-10_000.0, -70.0), st.floats(40.0, 10_000.0)))
def test_a_clock_that_jumps_begins_anew(jump_s: float) -> None:
    flow = read(None, point(0, 0), 9_000, MOST_W)
    flow = read(flow, point(150, 60), 9_000, MOST_W)
    flow = read(flow, point(300, 120 + jump_s, 120), 9_000, MOST_W)
    assert flow.power_w == 9_000
    flow = read(flow, point(350, 180 + jump_s, 180), 9_000, MOST_W)
    assert flow.power_w == 3_000


def test_what_was_kept_and_is_told_at_once_is_as_far_apart_as_it_was_read() -> None:
    """Five minutes without a connection, in which it took little, and then all."""
    flow = read(None, point(0, 0), 9_000, MOST_W)
    for minute in range(1, 6):
        flow = read(flow, point(150 * minute, 60 * minute, 300 + minute / 10), 9_000, MOST_W)
        assert flow.power_w in (None, 9_000)
    flow = read(flow, point(900, 360), 9_000, MOST_W)
    assert flow.power_w == 9_000


def test_a_register_that_falls_begins_anew_and_one_that_jumps_is_the_most() -> None:
    flow = read(None, point(10_000, 0), 9_000, MOST_W)
    flow = read(flow, point(10_150, 60), 9_000, MOST_W)
    flow = read(flow, point(5, 120), 9_000, MOST_W)
    assert flow.power_w == 9_000
    flow = read(flow, point(10**12, 180), 9_000, MOST_W)
    assert flow.power_w == MOST_W


def test_without_a_clock_of_its_own_ours_counts() -> None:
    flow: Flow | None = None
    for minute in range(3):
        flow = read(flow, Point(100 * minute, None, 60.0 * minute), None, MOST_W)
    assert flow is not None
    assert (flow.power_w, flow.limit_w) == (6_000, None)
