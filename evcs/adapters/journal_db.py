"""A pool's journals as one SQLite file (WAL): one row a CP, the last record of its Engine.

Each call raises OSError, with a number and a plain text as of any file: ENOSPC where there is
no room, EAGAIN where another program holds it for longer than WAIT_S. It is Damaged where
the file is none of ours.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from evcs.adapters import files
from evcs.adapters.files import file_number, sync_folder
from evcs.core.errors import EvcsError
from evcs.core.ports import Log

FORMAT = 1
#: Of more CPs all records are read.
FEW = 50
#: Another program's transaction takes some ms: the CP Manager's, of a CP that moves.
WAIT_S = 1.0

_TABLE = (
    "CREATE TABLE IF NOT EXISTS journal (cp TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID"
)
_PUT = "INSERT OR REPLACE INTO journal VALUES (?, ?)"
_ALL = "SELECT cp, record FROM journal"
_NUMBERS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_BUSY: errno.EAGAIN,
    sqlite3.SQLITE_LOCKED: errno.EAGAIN,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
}
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class Damaged(OSError):
    """What is there is no journal of a pool, or not all of one."""


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _DAMAGE:
            raise Damaged(errno.EIO, str(error), str(path)) from None
        number = _NUMBERS.get(code)
        text = str(error) if number is None else os.strerror(number)
        raise OSError(number or errno.EIO, text, str(path)) from None


class JournalDb:
    """The file, opened; made where there is none, or nothing, in the place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_folder(path.parent)
        elif not path.is_file():
            raise Damaged(errno.EIO, "no file", str(path))
        with _errors(path):
            self._db = _connect(path)
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                _make_current(self._db, path)
            except BaseException:
                self._db.close()
                raise
        self._numbers = self._found()

    @property
    def in_place(self) -> bool:
        """Whether it and its log still are the files of these names."""
        return self._found() == self._numbers

    def _found(self) -> tuple[tuple[int, int] | None, ...]:
        return file_number(self._path), file_number(_beside(self._path, "wal"))

    def rows(self, cps: Collection[str] | None) -> dict[str, str]:
        """CP -> its record; of few CPs theirs alone."""
        with _errors(self._path):
            return _rows(self._db, cps)

    def row(self, cp: str) -> str | None:
        """A CP's record."""
        with _errors(self._path):
            found = self._db.execute(f"{_ALL} WHERE cp = ?", (cp,)).fetchone()
        return None if found is None else str(found[1])

    def put(self, rows: Mapping[str, str], sync: bool) -> None:
        """Write records in one transaction, all or none; with `sync` all so far are on the disk."""
        self._change(_PUT, list(rows.items()), sync)

    def delete(self, cps: Collection[str]) -> None:
        """Delete CPs' records for good: none comes back after a power cut."""
        self._change("DELETE FROM journal WHERE cp = ?", [(cp,) for cp in cps], sync=True)

    def close(self) -> None:
        """Give it back."""
        self._db.close()

    def _change(self, statement: str, values: Collection[tuple[str, ...]], sync: bool) -> None:
        with _errors(self._path):
            # FULL: the WAL is synced by the commit; NORMAL: by a checkpoint alone.
            self._db.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(statement, values)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise


def opened(path: Path, log: Log) -> JournalDb:
    """The file; what is damaged is set aside, and it begins anew."""
    try:
        return JournalDb(path)
    except Damaged as damage:
        set_aside(path, damage, log)
        return JournalDb(path)


def set_aside(path: Path, damage: OSError, log: Log) -> None:
    """Rename a damaged file, and what SQLite has beside it, out of the way."""
    goal = files.set_aside(path)
    with suppress(FileNotFoundError):
        _beside(path, "wal").rename(_beside(goal, "wal"))
    _beside(path, "shm").unlink(missing_ok=True)
    sync_folder(path.parent)
    log.error("%s is damaged (%s): set aside as %s, begun anew", path, damage.strerror, goal.name)


def read(path: Path, cps: Collection[str] | None = None) -> dict[str, str]:
    """The records of a file that is there, of few CPs theirs alone; also with no room beside it."""
    try:
        with closing(JournalDb(path)) as db:
            return db.rows(cps)
    except Damaged:
        raise
    except OSError:
        # Alone it needs no shared memory, which is a file.
        with _errors(path), closing(_connect(path)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            return _rows(db, cps) if _version(db) else {}


def parsed(record: str | None) -> dict[str, Any] | None:
    """A record as an object; None where it is none."""
    try:
        found = json.loads(record or "null")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def copy(path: Path, goal: Path) -> None:
    """A copy of one moment, while others write; of a damaged file its bytes. Raises OSError."""
    path.stat()
    try:
        with _errors(path), closing(_connect(path)) as db, closing(_connect(goal)) as made:
            db.backup(made)
    except Damaged:
        shutil.copyfile(path, goal)


def remove(path: Path) -> None:
    """Remove a file that nobody has open."""
    for one in (path, _beside(path, "wal"), _beside(path, "shm")):
        one.unlink(missing_ok=True)
    sync_folder(path.parent)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def _make_current(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    if version > FORMAT:
        raise EvcsError(f"{path} is of another format than {FORMAT}", "upgrade evcs")
    if version < FORMAT:
        db.execute(_TABLE)
        db.execute(f"PRAGMA user_version = {FORMAT}")
    if (found := db.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
        raise Damaged(errno.EIO, str(found[0]), str(path))
    db.execute(f"{_ALL} LIMIT 1")


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _rows(db: sqlite3.Connection, cps: Collection[str] | None) -> dict[str, str]:
    if cps is None or len(cps) > FEW:
        found = db.execute(_ALL)
    else:
        found = db.execute(f"{_ALL} WHERE cp IN ({', '.join('?' * len(cps))})", [*cps])
    return {str(cp): str(record) for cp, record in found}


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}-{what}")
