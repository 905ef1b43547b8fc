"""Entries for the audit, of each sender so many: the rest is counted, and told as a number.

Who repeats what is refused would else fill the ledger, whose audit is kept for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from evcs.core.shares import Shares

AT_ONCE = 100.0
A_SECOND = 0.2

E = TypeVar("E")


class BoundedEntries(Generic[E]):
    """Hands on to `write` what each sender has a share for.

    `more(last, text)`: the entry that stands for those that were left out, by the last of them and
    with a detail of that text. `clock`: monotonic, in seconds.
    """

    def __init__(
        self, write: Callable[[E], object], more: Callable[[E, str], E], clock: Callable[[], float]
    ) -> None:
        self._write, self._more = write, more
        self._shares = Shares(clock, AT_ONCE, A_SECOND)
        #: Sender -> how many were left out, and the last of them.
        self._left_out: dict[str, tuple[int, E]] = {}

    def add(self, sender: str, entry: E) -> None:
        """Have an entry written; or counted, where its sender has no share left."""
        if not self._shares.take(sender):
            count, _ = self._left_out.get(sender, (0, entry))
            self._left_out[sender] = count + 1, entry
            return
        self._tell(sender)
        self._write(entry)

    def look(self) -> None:
        """Tell how many were left out, of each sender that has a share again; now and then."""
        for sender in list(self._left_out):
            if self._shares.take(sender):
                self._tell(sender)

    def forget(self, sender: str) -> None:
        """Count no more of one whose name is not to be written again."""
        self._left_out.pop(sender, None)

    def _tell(self, sender: str) -> None:
        if sender in self._left_out:
            count, last = self._left_out.pop(sender)
            self._write(self._more(last, f"and {count} more"))
