"""What leaves the ledger: drivers' names that are forgotten, rows that are old enough.

Each function is for a transaction of the ledger's; its triggers hold what may go.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from evcs.adapters.ledger_schema import AUDIT_FROM, SESSIONS_FROM
from evcs.core.audit import OF_DRIVERS

WAIT_MS = 200

_DROP_SESSIONS = """
DELETE FROM session WHERE session_id IN (
  SELECT session_id FROM session
  WHERE started_at < ? AND phase = 'settled' AND ended_at < ? LIMIT ?)
"""
_DROP_CORRECTIONS = """
DELETE FROM correction WHERE corrects IN (
  SELECT corrects FROM correction LEFT JOIN session ON session_id = corrects
  WHERE session_id IS NULL)
"""
_DROP_AUDIT = "DELETE FROM audit WHERE rowid IN (SELECT rowid FROM audit WHERE at < ? LIMIT ?)"
#: An entry that names a driver in its detail; see core.audit.
_DONE_TO = f"what IN {OF_DRIVERS}"
_KNOWS = f"""
SELECT EXISTS (SELECT 1 FROM session WHERE driver = ?)
  OR EXISTS (SELECT 1 FROM audit WHERE who = ? OR ({_DONE_TO} AND detail = ?))
"""  # noqa: S608
_NEWEST = """
SELECT max(at) FROM (SELECT max(at) AS at FROM audit UNION ALL
  SELECT max(started_at) FROM session WHERE phase <> 'requested')
"""


class Dropped(NamedTuple):
    """How many of each were dropped for their age."""

    sessions: int
    audit: int


def knows(db: sqlite3.Connection, driver: str) -> bool:
    """Whether a session or an entry of the audit names the driver."""
    return bool(db.execute(_KNOWS, (driver, f"driver/{driver}", driver)).fetchone()[0])


def newest(db: sqlite3.Connection) -> str | None:
    """The latest time that anything which stays tells of: a request may be turned down."""
    found: str | None = db.execute(_NEWEST).fetchone()[0]
    return found


def note(db: sqlite3.Connection, noted: Mapping[str, str | None]) -> None:
    """Note by key; None forgets it."""
    db.executemany("DELETE FROM noted WHERE key = ?", [(key,) for key in noted])
    rows = [(key, value) for key, value in noted.items() if value is not None]
    db.executemany("INSERT INTO noted VALUES (?, ?)", rows)


def forget(db: sqlite3.Connection, driver: str, pseudonym: str) -> None:
    """Put a pseudonym in a driver's place, in tickets and in the audit."""
    db.execute("UPDATE session SET driver = ?, tag = NULL WHERE driver = ?", (pseudonym, driver))
    names = (f"driver/{pseudonym}", f"driver/{driver}")
    db.execute("UPDATE audit SET who = ? WHERE who = ?", names)
    done_to = f"UPDATE audit SET detail = ? WHERE {_DONE_TO} AND detail = ?"  # noqa: S608
    db.execute(done_to, (pseudonym, driver))


def drop(
    db: sqlite3.Connection, sessions_from: str | None, audit_from: str | None, limit: int
) -> Dropped:
    """Drop up to `limit` tickets that ended, and entries, before those times (None: none).

    The times are noted first: the triggers let go only what is older, and they never fall.
    """
    before = dict(db.execute("SELECT key, value FROM noted"))
    given = {SESSIONS_FROM: sessions_from, AUDIT_FROM: audit_from}
    note(db, {key: at for key, at in given.items() if at and at > before.get(key, "")})
    sessions = db.execute(_DROP_SESSIONS, (sessions_from, sessions_from, limit)).rowcount
    if sessions:
        db.execute(_DROP_CORRECTIONS)
    return Dropped(sessions, db.execute(_DROP_AUDIT, (audit_from, limit)).rowcount)


def checkpoint(db: sqlite3.Connection) -> None:
    """Empty the log beside the file, which holds pages as they were before.

    Whoever reads just then is not waited for long: SQLite does it at a later time by itself.
    """
    (usual,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
    with suppress(sqlite3.Error):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute(f"PRAGMA busy_timeout = {usual}")
