"""How long the ledger keeps what it has: from which time on nothing may be dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

FORM = "%Y-%m-%dT%H:%M:%S.000Z"
#: A clock that is a day ahead must not cost what is not old yet.
GRACE = timedelta(days=1)
#: What was switched off for some time believes the present day so much sooner.
FASTEST = 10.0


def horizon(days: int, now: str, newest: str | None) -> str | None:
    """The RFC 3339 time before which things may go; None: nothing may.

    `days`: how long to keep; 0 for ever. Counted from the earlier of now and the newest
    entry, so that a clock which jumps ahead while nothing is written drops nothing.
    """
    if not days or newest is None:
        return None
    return _moved(min(now, newest), -timedelta(days=days) - GRACE)


def believed(before: str, now: str, ran_s: float) -> str:
    """The time of day, but no more than ten times as far on from `before` as we ran.

    A clock that is far ahead (as after a boot with an empty battery) makes nothing old at once,
    and is put right long before that. One that fell back is not believed.
    """
    most = _moved(before, timedelta(seconds=FASTEST * ran_s))
    return max(before, min(now, most)) if most is not None else now


def _moved(at: str, by: timedelta) -> str | None:
    """None for what is no time, in a ledger of another's making."""
    try:
        return (datetime.fromisoformat(at) + by).strftime(FORM)
    except (ValueError, OverflowError):
        return None
