"""What web remembers of a circuit: its last hour."""

from __future__ import annotations

from collections import deque
from itertools import dropwhile
from typing import NamedTuple

from evcs.core.messages import CircuitState

#: How long, and how far apart samples are at least.
HOUR_S, EVERY_S = 3_600, 5


class CircuitSample(NamedTuple):
    """What a circuit carried, from `at` (seconds) on; W."""

    at: int
    power_w: int
    limit_w: int
    other_load_w: int
    max_power_w: int


class CircuitTrace:
    """What a circuit carried in the last hour. It is told again only where it is another."""

    def __init__(self) -> None:
        self._samples: deque[CircuitSample] = deque(maxlen=HOUR_S // EVERY_S + 1)

    def add(self, at: int, state: CircuitState) -> None:
        """One sample; of some that come together the last counts."""
        at -= at % EVERY_S
        while self._samples and self._samples[-1].at >= at:
            self._samples.pop()
        self._samples.append(
            CircuitSample(at, state.power_w, state.limit_w, state.other_load_w, state.max_power_w)
        )

    def until(self, now: int) -> dict[str, list[int]]:
        """Its columns, the last as of now."""
        samples = list(dropwhile(lambda one: one.at < now - HOUR_S, self._samples))
        before = len(self._samples) - len(samples)
        if before:
            samples.insert(0, self._samples[before - 1]._replace(at=now - HOUR_S))
        if samples and samples[-1].at < now:
            samples.append(samples[-1]._replace(at=now))
        return {name: [one[i] for one in samples] for i, name in enumerate(CircuitSample._fields)}
