"""A time of day that goes on evenly: for how long something takes, over restarts too."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SteadyClock:
    """UTC as it was when this began, and from there on evenly, however the clock is set."""

    def __init__(self) -> None:
        self._began, self._at = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        """The present moment by it."""
        return self._began + timedelta(seconds=time.monotonic() - self._at)
