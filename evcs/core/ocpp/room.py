"""What a connector can have delivered by our own clock: all charges that it tells of share that.

How long ago a charge was that is told late, only the charger's clock says. Ours says for how long
the charger was away, and for how long charges were under way; while it is there and says nothing,
nothing flows.
"""

from __future__ import annotations

from typing import NamedTuple

#: How far above its connector's power a charger may meter, and what it may be wrong by.
TOLERANCE, SLACK_WH = 2.0, 1_000
#: What it may have to tell from before its CP was made.
FIRST_WH = 100_000
#: No charge takes longer, whatever the charger's clock says.
LONGEST_S = 7 * 86_400.0


def most_wh(max_power_w: int, elapsed_s: float) -> int:
    """What a connector may have delivered in so many seconds."""
    return SLACK_WH + int(_flows(max_power_w, elapsed_s))


class Room(NamedTuple):
    """`wh`: what may still be told; `at`: when that was counted (Unix time; 0: never)."""

    wh: float = FIRST_WH
    at: float = 0.0

    def after(self, now_s: float, max_power_w: int, is_idle: bool) -> Room:
        """At `now_s`; `is_idle`: its charger was there since `at`, and no charge was under way."""
        wh = self.wh + _flows(max_power_w, now_s - self.at if self.at else 0.0)
        if is_idle:
            wh = max(self.wh, min(wh, SLACK_WH))
        return Room(wh, now_s)

    def less(self, wh: int) -> Room:
        """Without what has been told."""
        return self._replace(wh=self.wh - wh)


def _flows(max_power_w: int, elapsed_s: float) -> float:
    return TOLERANCE * max_power_w * max(elapsed_s, 0.0) / 3_600
