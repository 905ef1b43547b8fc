"""The ledger's file: opened as SQLite, remembered outside it, and kept where it is."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from evcs.adapters import heartbeat, ledger_mark, ledger_schema
from evcs.adapters.files import file_number
from evcs.core.errors import EvcsError

#: Steps of SQLite's machine, and pages copied, between two signs of life: some 50 ms.
BEAT_EVERY_STEPS, BEAT_EVERY_PAGES = 1_000_000, 1_000
#: Nobody but Central writes here: who waits for another program's lock keeps everybody waiting.
LOCKED_FOR_S = 1.0

_log = logging.getLogger("evcs")


class LedgerFile:
    """The one that this home has had, or a new one where it has had none. Raises EvcsError."""

    db: sqlite3.Connection

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        ledger_mark.check(path)
        self._open()

    def _open(self) -> None:
        with ledger_schema.naming_errors(self._path):
            self.db = sqlite3.connect(self._path, LOCKED_FOR_S, isolation_level=None)
            self.db.set_progress_handler(heartbeat.beat, BEAT_EVERY_STEPS)
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("PRAGMA journal_size_limit = 4194304")
            # What is dropped or replaced is overwritten in the file, not only unlinked.
            self.db.execute("PRAGMA secure_delete = ON")
            ledger_schema.make_current(self.db, self._path)
            ledger_mark.made(self.db)
            self._number = file_number(self._path)
            self._mark = ledger_mark.read(self._path)
            self._remember()
            self._log_number = file_number(self._log)

    def look(self) -> None:
        """Remember how far it has come; write it back where it or its log is gone.

        Raises EvcsError.
        """
        with ledger_schema.naming_errors(self._path):
            found = file_number(self._path)
            if found is None:
                self._put_back()
            elif found != self._number or self._path.stat().st_size == 0:
                ledger_mark.check(self._path)
                raise EvcsError(f"{self._path} was replaced while in use", "evcs doctor")
            elif file_number(self._log) != self._log_number:
                self._put_back()
            else:
                self._remember()

    def close(self) -> None:
        """Close it, with its mark as it is."""
        with suppress(EvcsError):
            self.look()
        self.db.close()

    def _remember(self) -> None:
        """A full disk or a lock puts it off: the mark knows less than the ledger, never more."""
        with suppress(OSError, *ledger_schema.ERRORS):
            mark = ledger_mark.of(self.db)
            if mark != self._mark:
                ledger_mark.write(self._path, mark)
                self._mark = mark

    def _put_back(self) -> None:
        """What this process still has open is all there is: it becomes the file again.

        On a full disk that is tried again: the process that holds it must not end.
        """
        temp = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            self._copy(temp)
        except (OSError, *ledger_schema.ERRORS) as error:
            _log.error("%s or its -wal was removed; not written back yet: %s", self._path, error)
            temp.unlink(missing_ok=True)
            return
        _log.error("%s or its -wal was removed while in use; written back", self._path)
        self.db.close()
        self._open()

    def _copy(self, temp: Path) -> None:
        temp.unlink(missing_ok=True)
        with closing(sqlite3.connect(temp)) as copy:
            self.db.backup(copy, pages=BEAT_EVERY_PAGES, progress=lambda *_: heartbeat.beat())
        for path in (temp, temp.parent):
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        temp.rename(self._path)
