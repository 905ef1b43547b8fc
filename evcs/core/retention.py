"""How long the ledger keeps what it has: from which time on nothing may be dropped."""

from __future__ import annotations

from datetime import datetime, timedelta

#: A clock that is a day ahead must not cost what is not old yet.
GRACE = timedelta(days=1)


def horizon(days: int, now: str, newest: str | None) -> str | None:
    """The RFC 3339 time before which things may go; None: nothing may.

    `days`: how long to keep; 0 for ever. Counted from the earlier of now and the newest
    entry, so that a clock which jumps ahead while nothing is written drops nothing.
    """
    if not days or newest is None:
        return None
    at = datetime.fromisoformat(min(now, newest)) - timedelta(days=days) - GRACE
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
