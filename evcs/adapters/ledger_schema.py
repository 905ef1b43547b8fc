"""The ledger's tables and triggers, and how a ledger of an earlier version becomes one of these.

The triggers let nobody change or drop what is settled or audited, but for two things:
a driver's name may give way to a pseudonym, and what is older than a horizon that was
noted may go. An entry of the audit names a driver as who did it, or alone in its detail.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path

from evcs.adapters.ledger_readings import TABLE as _READINGS
from evcs.core.audit import OF_DRIVERS
from evcs.core.errors import RESTORE, BadValue, EvcsError
from evcs.core.ids import FORGOTTEN
from evcs.core.session import Session

#: What of a session is a column; its correction is a row of its own.
COLUMNS = Session._fields[:-1]

VERSION = 6

#: What reading or writing it may raise; of a damaged file even the error's text can be unreadable.
ERRORS = (sqlite3.Error, UnicodeError)

#: Keys of `noted`: what ended or was written before that time may be dropped.
SESSIONS_FROM = "keep/sessions_from"
AUDIT_FROM = "keep/audit_from"

_TABLES = f"""{_READINGS}
CREATE TABLE IF NOT EXISTS session (
  session_id TEXT PRIMARY KEY, cp TEXT NOT NULL, driver TEXT,
  price_eur_kwh TEXT NOT NULL, requested_wh INTEGER, max_power_w INTEGER NOT NULL,
  started_at TEXT NOT NULL, phase TEXT NOT NULL, energy_wh INTEGER NOT NULL,
  seq INTEGER NOT NULL, power_w INTEGER NOT NULL, reason TEXT, ended_at TEXT, cost_eur TEXT,
  request_id TEXT, origin TEXT NOT NULL DEFAULT 'driver', connector INTEGER NOT NULL DEFAULT 1,
  meter_start_wh INTEGER, tag TEXT, end_known INTEGER NOT NULL DEFAULT 1,
  limit_w INTEGER, waiting_since TEXT, turn_since TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_open ON session (cp) WHERE phase <> 'settled';
CREATE INDEX IF NOT EXISTS session_started ON session (started_at);
CREATE INDEX IF NOT EXISTS session_cp ON session (cp, started_at);
CREATE INDEX IF NOT EXISTS session_driver ON session (driver, started_at);
CREATE TABLE IF NOT EXISTS correction (
  corrects TEXT PRIMARY KEY, at TEXT NOT NULL, energy_wh INTEGER NOT NULL,
  cost_eur TEXT NOT NULL, reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS station_request (
  id TEXT PRIMARY KEY, session_id TEXT NOT NULL, status TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (
  at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, cp TEXT, outcome TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audit_at ON audit (at);
CREATE TABLE IF NOT EXISTS noted (
  key TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


def _same(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"NEW.{name} IS OLD.{name}" for name in columns)


_TRIGGERS = f"""
DROP TRIGGER IF EXISTS session_settled;
CREATE TRIGGER session_settled BEFORE UPDATE ON session
  WHEN OLD.phase = 'settled' AND NOT (
    {_same(tuple(name for name in COLUMNS if name not in ("driver", "tag")))}
    AND COALESCE(OLD.driver NOT GLOB '{FORGOTTEN}*' AND NEW.driver GLOB '{FORGOTTEN}*', FALSE)
    AND (NEW.tag IS NULL OR NEW.tag IS OLD.tag))
  BEGIN SELECT RAISE(ABORT, 'a settled session is never changed'); END;
DROP TRIGGER IF EXISTS session_replaced;
CREATE TRIGGER session_replaced BEFORE INSERT ON session
  WHEN EXISTS (SELECT 1 FROM session WHERE session_id = NEW.session_id AND phase = 'settled')
  BEGIN SELECT RAISE(ABORT, 'a settled session is never changed'); END;
DROP TRIGGER IF EXISTS session_kept;
CREATE TRIGGER session_kept BEFORE DELETE ON session
  WHEN OLD.phase <> 'requested' AND NOT (OLD.phase = 'settled' AND COALESCE(
    OLD.ended_at < (SELECT value FROM noted WHERE key = '{SESSIONS_FROM}'), FALSE))
  BEGIN SELECT RAISE(ABORT, 'a session is never deleted'); END;
DROP TRIGGER IF EXISTS correction_settled;
CREATE TRIGGER correction_settled BEFORE INSERT ON correction
  WHEN NOT EXISTS (
      SELECT 1 FROM session WHERE session_id = NEW.corrects AND phase = 'settled')
    OR EXISTS (SELECT 1 FROM correction WHERE corrects = NEW.corrects)
  BEGIN SELECT RAISE(ABORT, 'a settled session is corrected once'); END;
DROP TRIGGER IF EXISTS correction_kept;
CREATE TRIGGER correction_kept BEFORE UPDATE ON correction
  BEGIN SELECT RAISE(ABORT, 'a correction is never changed'); END;
DROP TRIGGER IF EXISTS correction_stays;
CREATE TRIGGER correction_stays BEFORE DELETE ON correction
  WHEN EXISTS (SELECT 1 FROM session WHERE session_id = OLD.corrects)
  BEGIN SELECT RAISE(ABORT, 'a correction goes with its session'); END;
DROP TRIGGER IF EXISTS station_request_kept;
CREATE TRIGGER station_request_kept BEFORE UPDATE ON station_request
  BEGIN SELECT RAISE(ABORT, 'an answered request is never changed'); END;
DROP TRIGGER IF EXISTS station_request_stays;
CREATE TRIGGER station_request_stays BEFORE DELETE ON station_request
  BEGIN SELECT RAISE(ABORT, 'the id of a request is unique for ever'); END;
DROP TRIGGER IF EXISTS audit_kept;
CREATE TRIGGER audit_kept BEFORE UPDATE ON audit
  WHEN NOT (({_same(("at", "what", "cp", "outcome", "detail"))}
    AND OLD.who GLOB 'driver/*' AND OLD.who NOT GLOB 'driver/{FORGOTTEN}*'
    AND NEW.who GLOB 'driver/{FORGOTTEN}*')
  OR ({_same(("at", "who", "what", "cp", "outcome"))}
    AND OLD.what IN {OF_DRIVERS}
    AND OLD.detail NOT GLOB '{FORGOTTEN}*' AND NEW.detail GLOB '{FORGOTTEN}*'))
  BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
DROP TRIGGER IF EXISTS audit_replaced;
CREATE TRIGGER audit_replaced BEFORE INSERT ON audit
  WHEN EXISTS (SELECT 1 FROM audit WHERE rowid = NEW.rowid)
  BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
DROP TRIGGER IF EXISTS audit_stays;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
  WHEN NOT COALESCE(
    OLD.at < (SELECT value FROM noted WHERE key = '{AUDIT_FROM}'), FALSE)
  BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
"""  # noqa: S608

#: An earlier version, to be read as this one. Of versions 1 to 3: "" was nobody's name, and an end
#: that came after a session was settled was nothing.
_AS_OF_VERSION_5 = """
CREATE TEMP TABLE reading (day INTEGER, cp TEXT, at INTEGER, power_w INTEGER, energy_wh INTEGER);
"""
_AS_OF_VERSION_4 = """
CREATE TEMP VIEW session AS
  SELECT *, NULL AS limit_w, NULL AS waiting_since, NULL AS turn_since FROM main.session;
"""
_AS_OF_VERSION_3 = """
CREATE TEMP VIEW session AS
  SELECT session_id, cp, NULLIF(driver, '') AS driver, price_eur_kwh, requested_wh, max_power_w,
    started_at, phase, energy_wh, seq, power_w, reason, ended_at, cost_eur, request_id,
    'driver' AS origin, 1 AS connector, NULL AS meter_start_wh, NULL AS tag,
    phase = 'settled' AS end_known, NULL AS limit_w, NULL AS waiting_since, NULL AS turn_since
  FROM main.session;
CREATE TEMP TABLE correction (
  corrects TEXT, at TEXT, energy_wh INTEGER, cost_eur TEXT, reason TEXT);
"""
#: No row is written anew: columns are added, and two may be NULL now, by the way that SQLite's
#: documentation has for it (lang_altertable, "Making Other Kinds Of Table Schema Changes").
_TO_VERSION_4 = """
DROP TRIGGER IF EXISTS session_settled;
ALTER TABLE session ADD COLUMN origin TEXT NOT NULL DEFAULT 'driver';
ALTER TABLE session ADD COLUMN connector INTEGER NOT NULL DEFAULT 1;
ALTER TABLE session ADD COLUMN meter_start_wh INTEGER;
ALTER TABLE session ADD COLUMN tag TEXT;
ALTER TABLE session ADD COLUMN end_known INTEGER NOT NULL DEFAULT 1;
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = REPLACE(REPLACE(sql,
  'driver TEXT NOT NULL', 'driver TEXT'), 'requested_wh INTEGER NOT NULL', 'requested_wh INTEGER')
  WHERE type = 'table' AND name = 'session';
PRAGMA writable_schema = RESET;
UPDATE session SET end_known = 0 WHERE phase <> 'settled';
UPDATE session SET driver = NULL WHERE driver = '';
"""
_TO_VERSION_5 = """
ALTER TABLE session ADD COLUMN limit_w INTEGER;
ALTER TABLE session ADD COLUMN waiting_since TEXT;
ALTER TABLE session ADD COLUMN turn_since TEXT;
"""

#: What a Central before version 3 noted: CPs' records, and how far it had read logs of ours.
_LEFT_BEHIND = "key GLOB 'cp/*' OR key IN ('web_log', 'registry_log')"


def version(db: sqlite3.Connection, path: Path) -> int:
    """The version of a ledger, 0 of an empty file. Raises EvcsError for a newer one."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise EvcsError(
            f"{path} is of a newer version ({found}; this evcs knows {VERSION})", "upgrade evcs"
        )
    return found


def read_as_current(db: sqlite3.Connection, path: Path) -> bool:
    """Have a ledger of an earlier version read as one of this; whether it is. Raises EvcsError."""
    found = version(db, path)
    if not 0 < found < VERSION:
        return False
    views = {5: "", 4: _AS_OF_VERSION_4}.get(found, _AS_OF_VERSION_3)
    db.executescript(_AS_OF_VERSION_5 + views)
    return True


def _shape(db: sqlite3.Connection) -> dict[str, object]:
    """What a ledger is made of, by name: a table's columns and kind, else the SQL."""
    kinds = {name: kind for name, *kind in db.execute(
        "SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    )}  # fmt: skip
    found: dict[str, object] = {}
    for name, sql in db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        columns = db.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
        found[name] = (kinds[name], columns) if name in kinds else sql
    return {name: shape for name, shape in found.items() if not name.startswith("sqlite_")}


@lru_cache(maxsize=1)
def _ours() -> dict[str, object]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_TABLES + _TRIGGERS)
        return _shape(db)


def make_current(db: sqlite3.Connection, path: Path) -> None:
    """Make tables and triggers what they are now, in one transaction. Raises EvcsError.

    Earlier versions differ in columns, triggers and what was noted for the audit. Triggers and
    indexes that are gone are made again. What no ledger has is refused: it would run on us, or
    refuse what we write.
    """
    found, ours, there = version(db, path), _ours(), _shape(db)
    if foreign := sorted(there.keys() - ours.keys()):
        raise EvcsError(f"{path} has {', '.join(foreign)[:80]!a}, which no ledger has", RESTORE)
    if found == VERSION and there == ours:
        return
    migration = _TO_VERSION_4 if 0 < found < 4 else ""
    migration += _TO_VERSION_5 if 0 < found < 5 else ""
    try:
        db.executescript(
            f"BEGIN IMMEDIATE; {migration} {_TABLES} {_TRIGGERS} "  # noqa: S608
            f"DELETE FROM noted WHERE {_LEFT_BEHIND}; PRAGMA user_version = {VERSION};"
        )
        there = _shape(db)
        if odd := sorted(name for name in ours if there[name] != ours[name]):
            text = f"{path} has another {', '.join(odd)[:80]} than a ledger has"
            raise EvcsError(text, RESTORE)
        db.execute("COMMIT")
    except ERRORS as error:
        raise refusal(path, error, f"brought to version {VERSION}") from None
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def naming_errors(path: Path) -> Iterator[None]:
    """SQLite's errors within, and what no ledger of ours holds, are raised as EvcsError."""
    try:
        yield
    except BadValue as error:
        raise EvcsError(f"{path} is not valid: {error.message}", RESTORE) from None
    except ERRORS as error:
        raise refusal(path, error) from None


def refusal(path: Path, error: Exception, done: str = "read") -> EvcsError:
    """SQLite's error as ours: what could not be done to the file, and what helps."""
    if isinstance(error, UnicodeError) or "decode to UTF-8" in str(error):
        return EvcsError(f"{path} can't be {done}: it holds what is no text", RESTORE)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    hint = "evcs doctor"
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        hint = "make room"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        hint = f"another program holds it, end that: fuser {path}"
    elif code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        hint = RESTORE
    elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        hint = "is the home yours, and is there room?"
    return EvcsError(f"{path} can't be {done}: {error}", hint)
