"""Refused logins in the audit: anybody can be refused as often as he likes.

So each door (broker, web, registry) has so many entries, and of the rest there is the number. That
is noted in the ledger together with how far the door's own words are read: no kill loses it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from evcs.core.audit import AuditEntry, more_refused, refused_logins
from evcs.core.bounded_entries import A_SECOND, AT_ONCE
from evcs.core.ports import Clock
from evcs.core.shares import Shares


class Strangers:
    """Hands on to `write` what each door has a share for; `noted` is the word of an earlier one."""

    def __init__(self, write: Callable[[AuditEntry], None], noted: str, clock: Clock) -> None:
        self._write = write
        self._shares = Shares(clock.monotonic, AT_ONCE, A_SECOND)
        #: Door -> how many were left out, and the time of the last.
        self._left_out = _parse(noted)

    @property
    def noted(self) -> str:
        """The word for how many are left out."""
        return json.dumps(self._left_out)

    def refused(self, door: str, entry: AuditEntry) -> None:
        """Have an entry written, or counted."""
        count, _ = self._left_out.get(door, (0, ""))
        self._left_out[door] = (count + refused_logins(entry), entry.at)
        if self._shares.take(door):
            if count:
                self._tell(door)
            else:
                del self._left_out[door]
                self._write(entry)

    def look(self) -> None:
        """Tell how many were left out, at each door that has a share again."""
        for door in list(self._left_out):
            if self._shares.take(door):
                self._tell(door)

    def _tell(self, door: str) -> None:
        count, at = self._left_out.pop(door)
        self._write(more_refused(at, door, count))


def _parse(noted: str) -> dict[str, tuple[int, str]]:
    """None where something else was noted, by a ledger of another's making."""
    try:
        return {str(door): (int(count), str(at)) for door, (count, at) in json.loads(noted).items()}
    except (ArithmeticError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
