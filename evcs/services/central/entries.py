"""The audit's entries that one driver, a CP or a stranger causes: so many, the rest is counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from evcs.core.audit import AuditEntry
from evcs.core.bounded_entries import BoundedEntries
from evcs.core.counts import is_reported
from evcs.core.effects import Audit, Refuse, Unexpected
from evcs.core.ports import Clock

_log = logging.getLogger("evcs")


class Entries:
    """Hands on to `write` what each sender has a share for, and all that has no sender."""

    def __init__(self, write: Callable[[AuditEntry], None], clock: Clock) -> None:
        self._write, self._clock = write, clock
        self._bounded = BoundedEntries(write, _more, clock.monotonic)
        self._refused: Counter[tuple[str, str]] = Counter()
        self._unexpected: Counter[tuple[str, str]] = Counter()

    def add(self, one: Audit) -> None:
        """Have an entry of now written; or counted, where its sender has no share left."""
        now = self._clock.timestamp()
        entry = AuditEntry(now, one.who, one.what, one.cp, one.outcome, one.detail)
        if one.share is None:
            self._write(entry)
        else:
            self._bounded.add(one.share, entry)

    def look(self) -> None:
        """Tell how many were left out, of each sender that has a share again."""
        self._bounded.look()

    def forget(self, sender: str) -> None:
        """Count no more of one whose name is not to be written again."""
        self._bounded.forget(sender)

    def refuse(self, one: Refuse) -> None:
        """Count what can't be of a CP; the first, second, fourth, eighth... is written."""
        count = _count(self._refused, (one.cp, one.what))
        if count is not None:
            detail = one.detail[:200]
            _log.warning(
                "cp=%s %s %s, the %d. time: %s", one.cp, one.what, one.outcome, count, detail
            )
            who = f"cp/{one.cp}/engine"
            self.add(Audit(who, one.what, one.cp, one.outcome, f"{detail} ({count})"))

    def unexpected(self, one: Unexpected) -> None:
        """Count what a table doesn't know; the first, second, fourth, eighth... is in the log."""
        count = _count(self._unexpected, (one.where, one.event))
        if count is not None:
            _log.warning(
                "cp=%s unexpected=%d: %s in %s; passed over", one.cp, count, one.event, one.where
            )


def _more(last: AuditEntry, text: str) -> AuditEntry:
    return last._replace(detail=text)


def _count(counter: Counter[tuple[str, str]], key: tuple[str, str]) -> int | None:
    """How many there are now, where that is told."""
    counter[key] += 1
    count = counter[key]
    return count if is_reported(count) else None
