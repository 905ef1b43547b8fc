"""A spool: what a process has for the audit, until Central has it in the ledger.

A folder with one file for each time that its one writer had something to tell, JSON lines, each
whole or absent. What stands beside a commit is prepared before it, under the commit's number,
and is told by a rename after it; at the writer's next start the number says whether it was made.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from evcs.adapters.clock import timestamp
from evcs.adapters.files import make_folder, sync_folder, write_atomic
from evcs.core.audit import AuditEntry, from_json, more_refused

#: Who has one: services, and the commands that make secrets by themselves.
SPOOLS = ("registry", "web", "gateway", "cli")
WRITTEN, PREPARED = ".jsonl", ".prepared"
#: So many files may wait; then refusals are counted only, for anybody can make them.
MOST_WAITING = 1_000

_log = logging.getLogger("evcs")


class Spool:
    """The writer's hand on it."""

    def __init__(self, folder: Path, most_waiting: int = MOST_WAITING) -> None:
        self._folder, self._most_waiting = folder, most_waiting
        self._left_out = 0
        self._last = 0

    @classmethod
    def open(cls, folder: Path) -> Spool:
        """The spool of a writer that begins."""
        make_folder(folder, 0o700)
        for path in folder.glob(".*.tmp"):  # of one that was killed
            path.unlink()
        return cls(folder)

    def tell(self, who: str, what: str, outcome: str, detail: str) -> None:
        """Have something audited that stands for itself; a full disk only has it logged."""
        refused = outcome == "refused"
        if refused and self._waiting() >= self._most_waiting:
            self._left_out += 1
            return
        entry = AuditEntry(timestamp(), who, what, None, outcome, f"{self._folder.name}: {detail}")
        try:
            self._write([entry, *self._more(entry.at)], self._path(0, WRITTEN))
        except OSError as error:
            _log.error("who=%s %s %s: %s is not audited: %s", who, what, outcome, detail, error)
            self._left_out += refused
        else:
            self._left_out = 0

    def _waiting(self) -> int:
        return sum(1 for _ in self._folder.glob(f"*{WRITTEN}"))

    def _more(self, at: str) -> list[AuditEntry]:
        if not self._left_out:
            return []
        return [more_refused(at, self._folder.name, self._left_out)]

    def prepare(self, entries: Iterable[AuditEntry], number: int) -> str:
        """Have it on disk before the commit of that number; its name. Raises OSError."""
        path = self._path(number, PREPARED)
        self._write(entries, path)
        return path.name

    def made(self, prepared: str) -> None:
        """The commit was made: tell. That this lasts is seen to by the next `prepare`."""
        path = self._folder / prepared
        path.rename(path.with_suffix(WRITTEN))

    def drop(self, prepared: str) -> None:
        """It was not."""
        (self._folder / prepared).unlink()

    def recover(self, number: int) -> None:
        """At the start: tell what the last commit, of that number, has made; drop the rest."""
        for path in self._folder.glob(f"*{PREPARED}"):
            if path.stem.endswith(f"-{number}"):
                self.made(path.name)
            else:
                self.drop(path.name)
        sync_folder(self._folder)

    def _path(self, number: int, kind: str) -> Path:
        """A name that sorts behind all before it and was never there."""
        self._last = max(self._last + 1, time.time_ns())
        return self._folder / f"{self._last:020d}-{number}{kind}"

    def _write(self, entries: Iterable[AuditEntry], path: Path) -> None:
        make_folder(self._folder, 0o700)
        lines = (json.dumps(entry._asdict()) + "\n" for entry in entries)
        write_atomic(path, "".join(lines).encode(), 0o600)


class SpoolReader:
    """Central's hand on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def waiting(self) -> list[str]:
        """Names of the files that are told and not cut, in order. Raises OSError."""
        try:
            with os.scandir(self._folder) as found:
                files = (one.name for one in found if one.is_file(follow_symlinks=False))
                return sorted(name for name in files if name.endswith(WRITTEN))
        except FileNotFoundError:
            return []  # nothing was told yet

    def read(self, name: str) -> list[AuditEntry]:
        """What a file tells. Raises OSError, and ValueError for one that no writer of ours made."""
        text = (self._folder / name).read_text(encoding="utf-8")
        return [from_json(line) for line in text.splitlines()]

    def quarantine(self, name: str) -> Path:
        """Keep a file that can't be read out of the way."""
        path = self._folder / name
        return path.rename(path.with_suffix(".broken"))

    def cut(self, names: Sequence[str]) -> None:
        """Remove files for good: none comes back after a power cut. Raises OSError.

        A name that is none of the folder's files, as a ledger may hold that was changed by hand
        or came with a backup, is passed over.
        """
        there = {path.name: path for path in self._folder.glob(f"*{WRITTEN}")}
        ours = [there[name] for name in names if name in there]
        for path in ours:
            path.unlink(missing_ok=True)
        if ours:
            sync_folder(self._folder)
