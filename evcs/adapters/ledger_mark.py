"""What a home remembers of its ledger, outside it: one that is gone, emptied or older is noticed.

`data/ledger.mark` holds the ledger's id and the time of the latest that it tells of. It is
written after the ledger, so it never knows more than that did; a backup leaves it out, and a
ledger without a mark gets one.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from evcs.adapters import ledger_retention, ledger_schema
from evcs.adapters.files import write_atomic
from evcs.core.errors import RESTORE, EvcsError

#: The key of the ledger's id among what is noted in it.
ID = "ledger/id"


class Mark(NamedTuple):
    """`ledger`: its id, None of one that has none; `newest`: RFC 3339, "" where it is empty."""

    ledger: str | None
    newest: str


def of(db: sqlite3.Connection) -> Mark:
    """The mark that a ledger calls for."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'noted'").fetchone():
        return Mark(None, "")
    found = db.execute("SELECT value FROM noted WHERE key = ?", (ID,)).fetchone()
    return Mark(found[0] if found else None, ledger_retention.newest(db) or "")


def made(db: sqlite3.Connection) -> None:
    """Give a ledger an id, if it has none."""
    db.execute("INSERT OR IGNORE INTO noted VALUES (?, ?)", (ID, os.urandom(16).hex()))


def read(ledger: Path) -> Mark | None:
    """The mark beside a ledger's place; None where there never was one."""
    try:
        found = json.loads(_place(ledger).read_bytes())
        return Mark(str(found["ledger"]), str(found["newest"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Mark(None, "")


def write(ledger: Path, mark: Mark) -> None:
    """Put the mark in place. Raises OSError."""
    write_atomic(_place(ledger), json.dumps(mark._asdict()).encode() + b"\n", 0o600)


def check(ledger: Path) -> None:
    """Whether the ledger is the one that this home has had, and all of it. Raises EvcsError."""
    mark = read(ledger)
    if mark is None:
        return
    if not ledger.exists() or ledger.stat().st_size == 0:
        raise _lost(ledger, mark, "is empty" if ledger.exists() else "is gone")
    # Without a log beside it nobody has it open, and all is in the file: so nothing is written.
    log = ledger.with_name(f"{ledger.name}-wal")
    how = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    with (
        ledger_schema.naming_errors(ledger),
        closing(sqlite3.connect(f"{ledger.as_uri()}?{how}", uri=True)) as db,
    ):
        ledger_schema.version(db, ledger)
        found = of(db)
    if found.ledger is None or (mark.ledger is not None and found.ledger != mark.ledger):
        raise _lost(ledger, mark, "is another one")
    if found.newest < mark.newest:
        raise _lost(ledger, mark, f"is older: it ends at {found.newest or 'nothing'}")


def _lost(ledger: Path, mark: Mark, how: str) -> EvcsError:
    until = mark.newest or "an unknown time"
    return EvcsError(
        f"{ledger} {how}; this home has had one with entries up to {until}",
        f"put it back, or {RESTORE}; to go on without what is lost, remove {_place(ledger)}",
    )


def _place(ledger: Path) -> Path:
    return ledger.with_name("ledger.mark")
