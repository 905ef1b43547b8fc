"""Times as chargers tell them: RFC 3339 with any offset, or with none, which counts as UTC."""

from __future__ import annotations

from datetime import UTC, datetime

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


def written(moment: datetime) -> str:
    """As the contract writes it, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_set(moment: datetime) -> bool:
    """Whether the clock that says so was ever set."""
    return moment >= NEVER_SET
