"""The journals of all CPs of a process, in one SQLite file.

A record that is to last is on the disk before `append` returns. Readings of one turn of the
loop are written together, before anything of that turn is told, and are on the disk within
SYNC_EVERY_S. A record that was refused is never written.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from evcs.adapters import journal_db
from evcs.adapters.journal_db import Damaged, JournalDb
from evcs.core.ports import Log

SYNC_EVERY_S = 10.0


class PoolJournals:
    """Journals by CP. `call_first`: calls in this turn of the loop, before anything is told."""

    def __init__(
        self, path: Path, call_first: Callable[[Callable[[], None]], object], log: Log
    ) -> None:
        self._path, self._call_first, self._log = path, call_first, log
        self._db: JournalDb | None = None
        #: The last record of each CP that was asked for, written or not.
        self._records: dict[str, str] = {}
        #: CPs whose record is not written yet.
        self._waiting: set[str] = set()
        self._refused = False
        self._sync_at = 0.0

    def of(self, cp: str) -> PoolJournal:
        """A CP's journal. Raises OSError where what it holds can't be read."""
        record = self._read(cp)
        if cp in self._waiting:
            return PoolJournal(self, cp)  # what is written is older
        self._records.pop(cp, None)
        if record is not None:
            self._records[cp] = record
        return PoolJournal(self, cp)

    def record(self, cp: str) -> str | None:
        """What the CP's Engine holds, as JSON."""
        return self._records.get(cp)

    def append(self, cp: str, record: dict[str, Any], sync: bool) -> None:
        """Take a record. Raises OSError: it is not written then, nor later."""
        text = json.dumps(record, separators=(",", ":"))
        if sync or self._refused:
            self._write({cp: text}, sync)
            return
        self._records[cp] = text
        self._wait({cp})

    def release(self, cp: str) -> None:
        """Let go of a CP: nothing of it is written any more.

        Raises OSError where its last readings could not be, which then never are: another place
        may have gone on from what is written.
        """
        try:
            if cp in self._waiting:
                self._write({}, sync=True)
        finally:
            self._waiting.discard(cp)
            self._records.pop(cp, None)

    def give_back(self, cp: str, log: Log) -> None:
        """The same, of a CP that is gone from here: that it failed is told."""
        try:
            self.release(cp)
        except OSError as error:
            log.error("its last readings can't be written (%s); make room", error.strerror)

    def close(self) -> None:
        """Write what waits, if there is room, and give the file back."""
        with suppress(OSError):
            self._write({}, sync=True)
        if self._db is not None:
            self._db.close()

    def _flush(self) -> None:
        # What waits is kept where it can't be written; the next record is refused.
        if self._waiting and not self._refused:
            with suppress(OSError):
                self._write({}, sync=False)

    def _write(self, records: Mapping[str, str], sync: bool) -> None:
        """What waits and these, all or nothing."""
        self._refused = True
        try:
            self._put(records, sync)
        except Damaged as damage:
            self._begin_anew(damage)
            self._put(records, sync)
        self._records.update(records)
        self._waiting.clear()
        self._refused = False

    def _put(self, records: Mapping[str, str], sync: bool) -> None:
        db, now = self._ready(), time.monotonic()
        sync = sync or now >= self._sync_at
        db.put({**{cp: self._records[cp] for cp in self._waiting}, **records}, sync)
        if sync:
            self._sync_at = now + SYNC_EVERY_S

    def _read(self, cp: str) -> str | None:
        try:
            return self._ready().row(cp)
        except Damaged as damage:
            self._begin_anew(damage)
            return None
        except OSError:  # a full disk: what is there can be read all the same
            return journal_db.read(self._path).get(cp)

    def _ready(self) -> JournalDb:
        if self._db is None or not self._db.in_place:
            if self._db is not None:
                self._log.error("%s was removed while in use; written anew", self._path)
                self._forget_file()
            self._db = journal_db.opened(self._path, self._log)
        return self._db

    def _begin_anew(self, damage: Damaged) -> None:
        self._forget_file()
        journal_db.set_aside(self._path, damage, self._log)

    def _forget_file(self) -> None:
        """Whatever file comes next has nothing of what this one had."""
        if self._db is not None:
            self._db.close()
        self._db = None
        self._wait(self._records.keys())

    def _wait(self, cps: Set[str]) -> None:
        first = not self._waiting
        self._waiting |= cps
        if first and cps:
            self._call_first(self._flush)


class PoolJournal:
    """One CP's journal (core.ports.JournalStore)."""

    def __init__(self, journals: PoolJournals, cp: str) -> None:
        self._journals, self._cp, self._closed = journals, cp, False

    def last(self, is_record: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """The last record, if it is one, or None."""
        found = journal_db.parsed(self._journals.record(self._cp))
        return found if found is not None and is_record(found) else None

    def append(self, record: dict[str, Any], sync: bool) -> None:
        """Take a record; with `sync`, it lasts through a power cut. Raises OSError (disk full)."""
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self._cp)
        self._journals.append(self._cp, record, sync)

    def close(self) -> None:
        """Append no more."""
        self._closed = True
