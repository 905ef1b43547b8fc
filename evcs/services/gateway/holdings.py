"""What a connector holds of its charges, kept in its journal before anybody is told."""

from __future__ import annotations

from evcs.core.ocpp import transactions as t
from evcs.core.ports import JournalStore, Log


class Holdings:
    """Its transactions. `held` is what the last record says, but for readings on a full disk."""

    def __init__(self, journal: JournalStore, log: Log) -> None:
        self._journal, self._log = journal, log
        self._unsaved = False
        self.held = t.from_record(journal.last(t.is_record))

    def keep(self, held: t.Held, sync: bool = True) -> None:
        """Hold it. Raises OSError where it can't be kept, but for a reading."""
        try:
            self._journal.append(t.to_record(held), sync)
        except OSError as error:
            if not self._unsaved:
                self._log.error("the journal can't be written (%s); make room", error.strerror)
            if sync:
                raise
            self._unsaved = True
        else:
            self._unsaved = False
        self.held = held

    def put(self, one: t.Transaction, sync: bool = True) -> None:
        """Hold one that is new, or another than before. Raises OSError."""
        self.keep(self.held.put(one), sync)

    def current(self, one: t.Transaction) -> t.Transaction:
        """A transaction as it is now."""
        found = self.held.numbered(one.id)
        return found if isinstance(found, t.Transaction) else one

    def again(self) -> None:
        """Write what could not be written. Raises OSError where there still is no room."""
        if self._unsaved:
            self.keep(self.held)
