"""A limit of power: what Central tells an Engine, and what holds where it is not told again.

Without renewal a limit above the fallback of its CP falls to it after `for_s`; one below rises only
after twice that. So while Central is away, all that are too high have come down before the first
that waits comes up, and the fallbacks of a circuit are within it (core.circuits).
"""

from __future__ import annotations

from typing import NamedTuple

#: A limit holds for so long, and is told again so often.
FOR_S = 60
RENEW_S = 20.0
MOST_FOR_S = 3_600
#: The least that a car takes is 6 A (IEC 61851-1, Annex A) at 230 V, on each of its phases.
MIN_PHASE_W = 1_380
#: More than 32 A at 230 V has three phases.
ONE_PHASE_UP_TO_W = 7_400


class Limit(NamedTuple):
    """At most so much, in W; `at`: monotonic seconds, None until the clock is looked at."""

    max_power_w: int
    fallback_w: int
    at: float | None = None
    for_s: int = FOR_S

    @property
    def runs_out(self) -> float | None:
        """When it gives way to the fallback; None where it stays."""
        if self.at is None or self.max_power_w == self.fallback_w:
            return None
        above = self.max_power_w > self.fallback_w
        return self.at + (self.for_s if above else 2 * self.for_s)

    def now(self, clock: float) -> Limit:
        """The limit that holds by then: itself, or the fallback for good."""
        runs_out = self.runs_out
        if runs_out is None or clock < runs_out:
            return self
        return self._replace(max_power_w=self.fallback_w)


def phases(max_power_w: int) -> int:
    """How many phases a CP of that power has."""
    return 1 if max_power_w <= ONE_PHASE_UP_TO_W else 3


def minimum_power_w(max_power_w: int) -> int:
    """Less than this a CP of that power can't give: 1,380 or 4,140 W, or all that it has."""
    return min(MIN_PHASE_W * phases(max_power_w), max_power_w)
