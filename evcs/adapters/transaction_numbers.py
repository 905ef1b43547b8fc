"""Numbers of OCPP 1.6's transactions: positive, of 32 bits, and never used twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from evcs.adapters.files import write_atomic
from evcs.core.ocpp.transactions import MAX_ID

#: So many are written down at once, so that most cost no disk.
BLOCK = 1_000
#: 2025: the seconds since then are above all that were given, at less than one a second.
BEGIN_S = 1_735_689_600


class TransactionNumbers:
    """From one file, which says what was given at most.

    It may be lost, or be that of an old backup, so that it is the time where that says more. What
    neither can have come to, half of all numbers, is not believed.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        try:
            kept = int(path.read_text())
        except (OSError, ValueError):
            kept = 0
        since = int(now()) - BEGIN_S
        self._last = max(n for n in (0, kept, since) if 0 <= n < MAX_ID // 2)
        self._reserved = self._last

    def next(self) -> int:
        """The next one. Raises OSError where it can't be written down."""
        if self._last >= self._reserved:
            write_atomic(self._path, str(self._last + BLOCK).encode(), 0o600)
            self._reserved = self._last + BLOCK
        self._last += 1
        return self._last
