"""The audit's entries that one driver or CP causes: so many, and what is more is counted.

Who repeats what is refused would else fill the ledger, whose audit is kept for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from evcs.services.central.fair_share import Shares
from evcs.services.central.outbox import Outbox

AT_ONCE = 100.0
A_SECOND = 0.2


class Entries:
    """Writes through the outbox what each sender has a share for."""

    def __init__(self, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._shares = Shares(clock, AT_ONCE, A_SECOND)
        self._left_out = Counter[str]()

    def add(self, who: str, what: str, cp: str | None, outcome: str, detail: str = "") -> None:
        """Have an entry of `who` written, or counted."""
        if not self._shares.take(who):
            self._left_out[who] += 1
            return
        self._tell(who)
        self._outbox.audit(who, what, cp, outcome, detail)

    def look(self) -> None:
        """Tell how many were left out, of each sender that has a share again."""
        for who in list(self._left_out):
            if self._shares.take(who):
                self._tell(who)

    def forget(self, who: str) -> None:
        """Count no more of one whose name is not to be written again."""
        self._left_out.pop(who, None)

    def _tell(self, who: str) -> None:
        count = self._left_out.pop(who, 0)
        if count:
            self._outbox.audit(who, "flood", None, "left out", f"{count} more entries")
