"""What is kept of power: of each charge a reading a minute, and what all CPs take together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

#: Of a charge that goes on, and of all CPs together.
EVERY_S = 60
#: Stands in a CP's place for all of them together.
ALL = ""
#: What is asked for is told in so many parts at most.
POINTS = 1_440


class Reading(NamedTuple):
    """Seconds of the epoch, W at that time, and Wh of the charge so far; 0 W where it has ended.

    `cp`: ALL of all together, which have no Wh.
    """

    cp: str
    at: int
    power_w: int
    energy_wh: int


class Sample(NamedTuple):
    """What flowed from `at` on until the next one; as in Reading."""

    at: int
    power_w: int
    energy_wh: int


def second_of(at: str) -> int:
    """An RFC 3339 time in seconds of the epoch."""
    return int(datetime.fromisoformat(at).timestamp())


def step(since: int, until: int) -> int:
    """Seconds between two of POINTS points of that time: a whole number of minutes.

    A minute more makes none longer: a day up to now is one, whenever it is asked for.
    """
    return max(1, -(-(until - since - EVERY_S) // (POINTS * EVERY_S))) * EVERY_S


def thinned(samples: Sequence[Sample], step_s: int) -> list[Sample]:
    """So many seconds apart: the mean power of each part, and the energy that it came to.

    A sample holds until the next, the last one is told as it is. Parts in which nothing changed
    are left out.
    """
    if step_s <= EVERY_S:
        return list(samples)
    found: list[Sample] = []
    # The part that is being filled: where it begins and ends, and what came to it until `at`.
    begin, edge, ws, at, power, energy = 0, 0, 0, 0, 0, 0
    for one in samples:
        if one.at >= edge:
            if edge:
                mean = (ws + power * (edge - at)) // (edge - begin)
                found.append(Sample(begin, mean, energy))
                if one.at >= edge + step_s:
                    found.append(Sample(edge, power, energy))
            start = one.at - one.at % step_s
            begin = start if edge else one.at
            edge = start + step_s
            ws = power * (one.at - begin)
        else:
            ws += power * (one.at - at)
        at, power, energy = one
    return [*found, *samples[-1:]]


def columns(samples: Iterable[Sample]) -> dict[str, list[int]]:
    """Samples as a plot has them."""
    rows = list(samples)
    return {name: [one[i] for one in rows] for i, name in enumerate(Sample._fields)}
