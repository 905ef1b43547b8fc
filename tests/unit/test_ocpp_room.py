"""What a connector can have delivered by our clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp.room import FIRST_WH, SLACK_WH, Room, most_wh

POWER_W, DAY_S = 22_000, 86_400.0


def test_a_charger_that_was_away_for_days_may_tell_as_much() -> None:
    back = Room(0.0, 1.0).after(1.0 + 3 * DAY_S, POWER_W, is_idle=False)
    assert back.wh == 3 * 24 * 2 * POWER_W


def test_one_that_is_there_and_charges_nothing_has_nothing_to_tell() -> None:
    assert Room(0.0, 1.0).after(1.0 + 300 * DAY_S, POWER_W, is_idle=True).wh == SLACK_WH
    kept = Room(5_000.0, 1.0).after(1.0 + DAY_S, POWER_W, is_idle=True)
    assert kept.wh == 5_000, "what it has still to tell of its absence"


def test_the_first_look_and_a_clock_that_goes_back_give_nothing() -> None:
    assert Room().after(1e9, POWER_W, is_idle=False) == Room(FIRST_WH, 1e9)
    assert Room(7.0, 1e9).after(1e9 - DAY_S, POWER_W, is_idle=False) == Room(7.0, 1e9 - DAY_S)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.booleans(), st.integers(0, 10**7)), max_size=40))
def test_all_that_is_told_is_within_the_time(steps: list[tuple[float, bool, int]]) -> None:
    room, now_s, told_wh = Room(0.0, 1.0), 1.0, 0
    for passed_s, is_idle, asked_wh in steps:
        now_s += passed_s
        room = room.after(now_s, POWER_W, is_idle)
        taken = min(asked_wh, int(room.wh))
        room, told_wh = room.less(taken), told_wh + taken
    assert told_wh <= most_wh(POWER_W, now_s)
