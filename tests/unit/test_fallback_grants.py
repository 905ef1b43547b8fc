"""Fallbacks that move between CPs, while some of these hear nothing for as long as they like."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from evcs.core import messages as m
from evcs.core.grants import Fallback, fallback_grants
from evcs.core.load_management import Site

LEAST = 4_140
CIRCUITS = [m.Circuit("SITE", 20_000, None, 3_000), m.Circuit("GARAGE", 9_000, "SITE")]
SITE = Site(CIRCUITS)
ROOMS = SITE.rooms((one.name, one.other_load_w) for one in CIRCUITS)
WHERE = {f"CP-{n}": "GARAGE" if n < 4 else "SITE" for n in range(8)}


class Move(NamedTuple):
    """The Registry gives fallbacks to these, as far as they fit; those of `hear` confirm theirs."""

    order: tuple[str, ...]
    hear: frozenset[str]


moves = st.lists(
    st.builds(
        Move,
        st.permutations(sorted(WHERE)).map(lambda order: tuple(order[:6])),
        st.frozensets(st.sampled_from(sorted(WHERE))),
    ),
    max_size=12,
)


def wanted(order: tuple[str, ...]) -> dict[str, int]:
    """As the Registry chooses them."""
    room, found = dict(ROOMS), dict.fromkeys(WHERE, 0)
    for cp in order:
        path = SITE.path(WHERE[cp])
        if all(room[name] >= LEAST for name in path):
            found[cp] = LEAST
            for name in path:
                room[name] -= LEAST
    return found


@given(moves)
def test_at_no_time_do_those_that_may_be_had_come_to_more_than_a_circuit_carries(
    steps: list[Move],
) -> None:
    taken, granted = dict.fromkeys(WHERE, 0), dict.fromkeys(WHERE, 0)
    for step in steps:
        want = wanted(step.order)
        granted = {cp: min(granted[cp], want[cp]) for cp in WHERE}
        for _ in range(2):
            members = [
                Fallback(cp, WHERE[cp], want[cp], granted[cp], max(taken[cp], granted[cp]))
                for cp in WHERE
            ]
            rises = fallback_grants(SITE, ROOMS, members)
            assert all(watts == want[cp] > granted[cp] for cp, watts in rises.items())
            granted |= rises
            taken = {cp: max(taken[cp], granted[cp]) for cp in WHERE}
            loads = [(WHERE[cp], watts) for cp, watts in taken.items()]
            others = [(one.name, one.other_load_w) for one in CIRCUITS]
            assert min(SITE.rooms(others + loads).values()) >= 0
            taken |= {cp: granted[cp] for cp in step.hear}


@given(moves)
def test_once_all_have_heard_all_have_what_is_wanted(steps: list[Move]) -> None:
    granted = dict.fromkeys(WHERE, 0)
    for step in steps:
        want = wanted(step.order)
        granted = {cp: min(granted[cp], want[cp]) for cp in WHERE}
        members = [Fallback(cp, WHERE[cp], want[cp], granted[cp], granted[cp]) for cp in WHERE]
        granted |= fallback_grants(SITE, ROOMS, members)
        assert granted == want
