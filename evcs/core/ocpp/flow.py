"""What flows at a charger that tells its register and no power: the average of two readings.

An average is of the highest limit that held in its time. So a limit that was lowered shows only by
readings both of which were made under it, and what is taken too much never looks obedient.
"""

from __future__ import annotations

from typing import NamedTuple

from evcs.core.ocpp.times import TOLERANCE_S

#: Two readings are so far apart, in s: whole Wh are then wrong by 120 W, whole seconds by 3 %;
#: of any limit that is less than TOLERANCE and TOLERANCE_W of core.power.
APART_S = 30.0


class Point(NamedTuple):
    """A register in Wh, when it was read by the charger's clock (None: not set), and heard by ours.

    Times in seconds.
    """

    register_wh: int
    at_s: float | None
    heard_s: float


class Flow(NamedTuple):
    """`power_w`: what flowed on average, None before that is known; W.

    `limit_w`: the highest limit then, None for none. `since`: where the next average begins, and
    `since_w` the highest limit from there on.
    """

    since: Point
    since_w: int | None
    power_w: int | None = None
    limit_w: int | None = None


def read(flow: Flow | None, point: Point, limit_w: int | None, most_w: int) -> Flow:
    """After a reading under that limit; `most_w`: no more than that can flow."""
    if flow is None:
        return Flow(point, limit_w)
    highest_w = _higher(flow.since_w, limit_w)
    known_w = None if flow.power_w is None else _higher(flow.limit_w, limit_w)
    anew = Flow(point, limit_w, flow.power_w, known_w)
    seconds = _between(flow.since, point)
    if seconds is None or highest_w != limit_w or point.register_wh < flow.since.register_wh:
        return anew
    if seconds < APART_S:
        return flow._replace(since_w=highest_w, limit_w=known_w)
    average_w = round((point.register_wh - flow.since.register_wh) * 3_600 / seconds)
    return anew._replace(power_w=min(average_w, most_w), limit_w=limit_w)


def limited(flow: Flow, limit_w: int | None) -> Flow:
    """Another limit holds, be it only until the next reading."""
    return flow._replace(since_w=_higher(flow.since_w, limit_w))


def _higher(one_w: int | None, other_w: int | None) -> int | None:
    return None if one_w is None or other_w is None else max(one_w, other_w)


def _between(before: Point, after: Point) -> float | None:
    """Seconds; None where the clocks don't agree: one was set, or the reading was kept."""
    ours = after.heard_s - before.heard_s
    if before.at_s is None or after.at_s is None:
        return ours
    told = after.at_s - before.at_s
    return told if abs(told - ours) <= TOLERANCE_S else None
