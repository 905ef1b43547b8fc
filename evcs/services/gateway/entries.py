"""What a station says for the audit: so many entries of each, the rest is a number.

As Central bounds what it writes itself (services.central.entries): the audit is kept for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from evcs.core.shares import Shares

AT_ONCE, A_SECOND = 100.0, 0.2

Tell = Callable[[str, str, str, str], object]


class Entries:
    """Hands on to `tell(who, what, outcome, detail)`."""

    def __init__(self, tell: Tell, clock: Callable[[], float]) -> None:
        self._tell = tell
        self._shares = Shares(clock, AT_ONCE, A_SECOND)
        #: Station -> how many were left out, and of what the last was.
        self._left_out: dict[str, tuple[int, str, str]] = {}

    def tell(self, who: str, what: str, outcome: str, detail: str) -> None:
        """An entry of one; or counted, where it has no share left."""
        if self._shares.take(who):
            self._tell(who, what, outcome, detail)
        else:
            count, *_ = self._left_out.get(who, (0,))
            self._left_out[who] = count + 1, what, outcome

    def look(self) -> None:
        """Tell how many were left out, of each that has a share again; now and then."""
        for who in [one for one in self._left_out if self._shares.take(one)]:
            count, what, outcome = self._left_out.pop(who)
            self._tell(who, what, outcome, f"and {count} more")
