"""What Central knows of the power of a CP in a circuit: what it was told, what it may take now.

A limit that was lowered counts as it was until a reading shows that it holds, or until it has run
out by itself (core.limits); who is told and does not obey, or says nothing of its power, counts
with its most. So the sum over a circuit is never less than what flows.
"""

from __future__ import annotations

from enum import StrEnum
from math import ceil
from typing import NamedTuple

from evcs.core.placement import OCPP

#: A meter's error, and what a car takes for a moment: a share, and W.
TOLERANCE, TOLERANCE_W = 0.05, 100
#: That a reading came which says nothing new is noted so often, in seconds.
NOTED_S = 2.0


class PowerDeadlines(NamedTuple):
    """Within how many seconds a lowered limit is to show, and how long readings may be away."""

    obeyed_s: float
    heard_s: float


#: Of an Engine, which meters each second; and of a charger, by its own intervals.
EMULATED = PowerDeadlines(5.0, 10.0)
CHARGER = PowerDeadlines(90.0, 300.0)


class PowerFault(StrEnum):
    """Why a CP counts with its most."""

    REFUSED = "refuses its limit"
    NOT_OBEYED = "does not obey its limit"
    SILENT = "says nothing of its power"


#: What is known of a real charger beyond a session, until it obeys.
LASTING = frozenset({PowerFault.REFUSED, PowerFault.NOT_OBEYED})


class Power(NamedTuple):
    """One CP in a session; W and monotonic seconds.

    `told_w`, `told_at`: its limit, and when it was told last. `most_w`: the highest that was told
    and may still hold. `unshown_since`: since when readings have not shown the limit.
    `shown_s`: how long after the last lowering they did. `slack_since`: since when it takes less
    than its limit. `wait_s`: about how long it will wait.
    """

    told_w: int
    told_at: float
    most_w: int
    unshown_since: float | None = None
    heard_at: float = 0.0
    shown_s: int | None = None
    slack_since: float | None = None
    wait_s: int | None = None


def told(before: Power | None, limit_w: int, most_w: int, now: float) -> Power:
    """Once a limit is told; `most_w`: what it may take at this moment (`most_now_w`)."""
    if before is None:
        before = Power(most_w, now, most_w, heard_at=now)
    unshown = before.unshown_since
    if limit_w < most_w and unshown is None:
        unshown = now
    return before._replace(
        told_w=limit_w,
        told_at=now,
        most_w=max(limit_w, most_w),
        unshown_since=unshown,
        heard_at=before.heard_at if before.told_w else now,
        slack_since=before.slack_since if limit_w <= before.told_w else None,
    )


def said(power: Power, limit_w: int | None, now: float) -> Power:
    """After a status with that limit: one that is another than was told does not show."""
    if limit_w == power.told_w or power.unshown_since is not None:
        return power
    return power._replace(unshown_since=now)


def heard(power: Power, limit_w: int | None, power_w: int, now: float) -> Power:
    """After a reading: what it takes, under which limit by its own word."""
    shown = limit_w == power.told_w and power_w <= allowed_w(power.told_w)
    slack_since = power.slack_since
    if limit_w == power.told_w:
        slack = power_w < power.told_w - max(TOLERANCE_W, power.told_w * TOLERANCE)
        slack_since = (slack_since or now) if slack else None
    is_known = shown and power.unshown_since is None and power.most_w == power.told_w
    if is_known and slack_since == power.slack_since and now - power.heard_at < NOTED_S:
        return power
    took_s = power.shown_s
    if shown and power.unshown_since is not None:
        took_s = ceil(now - power.unshown_since)
    return power._replace(
        most_w=power.told_w if shown else power.most_w,
        unshown_since=None if shown else (power.unshown_since or now),
        heard_at=now,
        shown_s=took_s,
        slack_since=slack_since,
    )


def allowed_w(limit_w: int) -> int:
    """What a reading may show under a limit."""
    return int(limit_w * (1 + TOLERANCE)) + TOLERANCE_W


def fault_of(power: Power, hosting: str, now: float) -> PowerFault | None:
    """Why it is to count with its most by now, if it is."""
    within = CHARGER if hosting == OCPP else EMULATED
    if power.unshown_since is not None and now - power.unshown_since > within.obeyed_s:
        return PowerFault.NOT_OBEYED
    if power.told_w and now - power.heard_at > within.heard_s:
        return PowerFault.SILENT
    return None
