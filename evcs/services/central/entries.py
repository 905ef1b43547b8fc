"""The audit's entries that one driver, a CP or a stranger causes: so many, the rest is counted.

Who repeats what is refused would else fill the ledger, whose audit is kept for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from evcs.adapters.clock import timestamp
from evcs.core.audit import AuditEntry
from evcs.services.central.fair_share import Shares
from evcs.services.central.outbox import Outbox

AT_ONCE = 100.0
A_SECOND = 0.2


class Entries:
    """Writes through the outbox what each sender has a share for."""

    def __init__(self, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._shares = Shares(clock, AT_ONCE, A_SECOND)
        #: Sender -> how many were left out, and the last of them.
        self._left_out: dict[str, tuple[int, AuditEntry]] = {}

    def add(self, who: str, what: str, cp: str | None, outcome: str, detail: str = "") -> None:
        """Have an entry of `who`, of now, written or counted."""
        self.of(who, AuditEntry(timestamp(), who, what, cp, outcome, detail))

    def of(self, sender: str, entry: AuditEntry) -> None:
        """Have an entry written that `sender` causes, or counted."""
        if self._shares.take(sender):
            self._tell(sender)
            self._outbox.audit_entry(entry)
        else:
            count, _ = self._left_out.get(sender, (0, entry))
            self._left_out[sender] = (count + 1, entry)

    def look(self) -> None:
        """Tell how many were left out, of each sender that has a share again."""
        for sender in list(self._left_out):
            if self._shares.take(sender):
                self._tell(sender)

    def forget(self, sender: str) -> None:
        """Count no more of one whose name is not to be written again."""
        self._left_out.pop(sender, None)

    def _tell(self, sender: str) -> None:
        count, last = self._left_out.pop(sender, (0, None))
        if last is not None:
            self._outbox.audit_entry(last._replace(detail=f"and {count} more"))
