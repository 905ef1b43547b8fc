"""Times as chargers tell them: RFC 3339 with any offset, or with none, which counts as UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from evcs.core.units import written as written

#: For the way, and for who tells in whole seconds.
TOLERANCE_S = 10.0
#: What is told in its turn is as old as what was told before it; what was kept is not.
SAME_S = 3.0
#: A clock that was never set begins in 1970 or 2000.
NEVER_SET = datetime(2020, 1, 1, tzinfo=UTC)


def parse(text: object) -> datetime | None:
    """The moment, in UTC; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class Offset:
    """How far a charger's clock is off, by the times in what it says. Positive: it is ahead.

    What it has kept for us is older than now, so what is latest counts, but for a clock that was
    never set; and it sets its clock by what it is told, so that begins anew there.
    """

    def __init__(self) -> None:
        self._latest_s: float | None = None

    def set(self) -> None:
        """It has been told the time."""
        self._latest_s = None

    def is_same(self, told: datetime, now: datetime) -> bool:
        """Whether it is as far off as it is known to be, so that this is of now."""
        known_s = self._latest_s
        off_s = (told - now).total_seconds()
        return known_s is not None and known_s < -TOLERANCE_S and abs(off_s - known_s) <= SAME_S

    def heard(self, told: datetime, now: datetime) -> int:
        """In whole seconds, 0 within TOLERANCE_S."""
        off_s = (told - now).total_seconds()
        if self._latest_s is None or off_s > self._latest_s or not is_set(told):
            self._latest_s = off_s
        return round(self._latest_s) if abs(self._latest_s) > TOLERANCE_S else 0


def is_set(moment: datetime) -> bool:
    """Whether the clock that says so was ever set."""
    return moment >= NEVER_SET
