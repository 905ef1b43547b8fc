"""Refused logins of chargers for the audit: anybody can make them, so they are few and a number.

Who it was is an address, by the kernel's word, and why is a word of ours: nothing of what a client
calls itself is in an entry.
"""

from __future__ import annotations

from collections.abc import Callable

from evcs.core.audit import VARIOUS
from evcs.core.ocpp.ports import AccessRefusal

#: Each is on disk before the next; the rest is counted.
MOST_A_LOOK = 3


class AccessRefusals:
    """`tell(who, what, outcome, detail)`: to the audit. A kill loses what came since the look."""

    def __init__(self, tell: Callable[[str, str, str, str], object]) -> None:
        self._tell = tell
        self._waiting: list[tuple[str, AccessRefusal]] = []
        self._more = 0

    def refused(self, who: str, why: AccessRefusal) -> None:
        """Somebody was refused, and why."""
        if len(self._waiting) < MOST_A_LOOK:
            self._waiting.append((who, why))
        else:
            self._more += 1

    def look(self) -> None:
        """Tell what has come; now and then."""
        waiting, more = self._waiting, self._more
        self._waiting, self._more = [], 0
        for who, why in waiting:
            self._tell(who, "login", "refused", why)
        if more:
            self._tell(VARIOUS, "login", "refused", f"and {more} more")
