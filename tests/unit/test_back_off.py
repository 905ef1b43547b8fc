"""How long a station waits before it dials again: OCPP 2.0.1 part 4, 5.3."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp.back_end import BackOff

back_offs = st.builds(BackOff, st.floats(0, 600), st.floats(0, 600), st.integers(0, 10))


def test_each_wait_is_twice_the_one_before_as_often_as_it_is_repeated() -> None:
    back_off = BackOff(2.0, 0.0, 3)
    assert [back_off.wait_s(failed, 0.0) for failed in range(6)] == [2, 4, 8, 16, 16, 16]


@given(back_offs, st.integers(0, 10_000), st.floats(0, 1))
def test_a_wait_is_bounded_and_random_in_its_range(
    back_off: BackOff, failed: int, random: float
) -> None:
    least = back_off.wait_s(failed, 0.0)
    assert least <= back_off.wait_s(failed, random) <= least + back_off.random_s
    assert back_off.minimum_s <= least <= back_off.minimum_s * 2**back_off.repeats
    assert back_off.wait_s(failed + 1, 0.0) >= least
