"""The ledger: sessions (a settled one is its ticket) and the audit, in SQLite.

WAL with synchronous=FULL: what is committed survives a power cut. One row a session, so
a second ticket for a session can't be written down; triggers keep settled sessions and
audit entries as they are (adapters.ledger_schema).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from evcs.adapters import ledger_mark, ledger_retention, ledger_schema
from evcs.adapters.ledger_file import LedgerFile
from evcs.core.audit import AuditEntry
from evcs.core.errors import RESTORE, BadValue, EvcsError
from evcs.core.messages import NOTHING
from evcs.core.ports import NeverWritten
from evcs.core.service_ports import Sum, Sums
from evcs.core.session import Phase, Session, check, to_json
from evcs.core.units import cost_eur

_COLUMNS = ", ".join(Session._fields)
_PUT = (
    f"INSERT INTO session ({_COLUMNS}) VALUES ({', '.join('?' * len(Session._fields))}) "  # noqa: S608
    "ON CONFLICT (session_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in Session._fields[1:])
)


class Ledger:
    """Central's hand on the ledger: the only writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = LedgerFile(path)

    @property
    def _db(self) -> sqlite3.Connection:
        return self._file.db

    def look(self) -> None:
        """See to it that the file is still there. Raises EvcsError where it can't be put right."""
        self._file.look()

    def open_sessions(self) -> list[Session]:
        """All sessions that are not settled. Raises EvcsError where one can't be."""
        found = self._select("WHERE phase <> ? ORDER BY started_at", Phase.SETTLED)
        try:
            return [check(one) for one in found]
        except BadValue as error:
            raise EvcsError(f"{self._path} is not valid: {error.message}", RESTORE) from None

    def session(self, session_id: str) -> Session | None:
        """One session."""
        found = self._select("WHERE session_id = ?", session_id)
        return found[0] if found else None

    def of_driver(self, driver: str, limit: int, after: str | None = None) -> list[Session]:
        """A driver's sessions, the latest first; those before the session `after`, if given."""
        older = (
            "AND (started_at, session_id) < "
            "(SELECT started_at, session_id FROM session WHERE session_id = ?)"
        )
        return self._select(
            f"WHERE driver = ? {older if after is not None else ''} "
            "ORDER BY started_at DESC, session_id DESC LIMIT ?",
            *(value for value in (driver, after, limit) if value is not None),
        )

    def noted(self) -> dict[str, str]:
        """How far the audit has come: what it knew last, by key."""
        with ledger_schema.naming_errors(self._path):
            return dict(self._db.execute("SELECT key, value FROM noted"))

    def commit(
        self, sessions: Iterable[Session], refused: Iterable[str], audit: Iterable[AuditEntry],
        noted: Mapping[str, str | None] = NOTHING, forgotten: Mapping[str, str] = NOTHING,
    ) -> None:  # fmt: skip
        """One transaction; `refused` are requests that their CP turned down. Raises EvcsError.

        `forgotten`: driver -> the pseudonym that takes its place in all that is written.
        """
        with self._transaction():
            self._db.executemany(_PUT, sessions)
            self._db.executemany(
                "DELETE FROM session WHERE session_id = ?", [(one,) for one in refused]
            )
            self._db.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", audit)
            for driver, pseudonym in forgotten.items():
                ledger_retention.forget(self._db, driver, pseudonym)
            ledger_retention.note(self._db, noted)
        if forgotten:
            ledger_retention.checkpoint(self._db)

    def knows(self, driver: str) -> bool:
        """Whether a session or an entry of the audit names the driver."""
        with ledger_schema.naming_errors(self._path):
            return ledger_retention.knows(self._db, driver)

    def newest(self) -> str | None:
        """The latest time that anything in here tells of."""
        with ledger_schema.naming_errors(self._path):
            return ledger_retention.newest(self._db)

    def drop(self, sessions_from: str | None, audit_from: str | None, at: str, limit: int) -> bool:
        """Drop tickets that ended, and entries of the audit, before those times (None: none).

        At most `limit` of each, in one transaction, with an entry of the time `at` that says
        so; whether there may be more. Raises EvcsError.
        """
        with self._transaction():
            dropped = ledger_retention.drop(self._db, sessions_from, audit_from, limit)
            if any(dropped):
                detail = f"{dropped.sessions} sessions, {dropped.audit} entries of the audit"
                entry = AuditEntry(at, "central", "drop", None, "ok", detail)
                self._db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", entry)
        more = limit in dropped
        if any(dropped) and not more:
            ledger_retention.checkpoint(self._db)
        return more

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except ledger_schema.ERRORS as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            found = ledger_schema.refusal(self._path, error, "written")
            if isinstance(error, sqlite3.IntegrityError):
                found = NeverWritten(found.message, found.hint)
            raise found from None

    def _select(self, clause: str, *values: object) -> list[Session]:
        with ledger_schema.naming_errors(self._path):
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM session {clause}", values)  # noqa: S608
            return [Session(*row) for row in rows]


# A ticket's cost has two decimals, always; an open session's is not written down yet. By `+cp`,
# not by its index: that would look up each row by itself.
_DAY, _CP = "substr(started_at, 1, 10)", "+cp"
_SUMS = """
SELECT {by}, COUNT(*), SUM(energy_wh),
  SUM(CAST(REPLACE(cost_eur, '.', '') AS INTEGER)), MIN(price_eur_kwh)
FROM session {where}
GROUP BY {by}, CASE WHEN cost_eur IS NULL THEN session_id END ORDER BY 1
"""


def _summed(rows: list[tuple[Any, ...]]) -> list[Sum]:
    found: dict[str, Sum] = {}
    for of, count, energy_wh, cents, price in rows:
        if cents is None:  # an open session, which stands alone
            cents = _cents(cost_eur(energy_wh, price))
        before = found.get(of, Sum(of, 0, 0, 0))
        found[of] = Sum(
            of, before.sessions + count, before.energy_wh + energy_wh, before.cents + cents
        )
    return list(found.values())


def _cents(euros: str) -> int:
    return int(euros.replace(".", ""))


# The same as Session.state.
_STATE = """CASE WHEN phase = 'ending' AND power_w = 0 THEN 'interrupted'
  WHEN phase IN ('interrupted', 'settled') THEN phase ELSE 'active' END"""


def _where(
    cp: str | None, driver: str | None, since: str | None, state: str | None, until: str | None
) -> tuple[str, tuple[object, ...]]:
    """The filter as SQL behind FROM session, and its values."""
    given = {
        "cp = ?": cp,
        "driver = ?": driver,
        "started_at >= ?": since,
        "started_at <= ?": until,
        f"{_STATE} = ?": state,
    }
    clause, values = _clause(given)
    if state in (None, Phase.SETTLED):
        return clause, values
    # Of sessions that are open there are few, and they have an index of their own.
    return f"INDEXED BY session_open {clause} AND phase <> 'settled'", values


def _clause(given: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
    """Conditions whose value is given, as SQL, and those values."""
    parts = [part for part, value in given.items() if value is not None]
    values = tuple(value for value in given.values() if value is not None)
    return ("WHERE " + " AND ".join(parts)) if parts else "", values


class LedgerReader:
    """Reads beside the writer; an absent ledger is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sessions(
        self,
        cp: str | None = None,
        driver: str | None = None,
        since: str | None = None,
        state: str | None = None,
        limit: int = 1000,
        until: str | None = None,
        after: tuple[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Sessions by filter, the latest first. `since` and `until` are RFC 3339 times.

        `after` is started_at and session_id of one, to go on behind it.
        """
        if after is not None:
            until = min(until or after[0], after[0])
        where, values = _where(cp, driver, since, state, until)
        if after is not None:
            where += " AND (started_at < ? OR session_id > ?)"
            values += after
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM session {where} "  # noqa: S608
            "ORDER BY started_at DESC, session_id LIMIT ?",
            (*values, limit),
        )
        return [to_json(Session(*row)) for row in rows]

    def sums(
        self,
        cp: str | None = None,
        driver: str | None = None,
        since: str | None = None,
        state: str | None = None,
        until: str | None = None,
    ) -> Sums:
        """Sums over all sessions of a filter, by day (UTC) and CP."""
        where, values = _where(cp, driver, since, state, until)
        queries = [_SUMS.format(by=by, where=where) for by in (_DAY, _CP)]
        return Sums(*map(_summed, self._all(queries, values)))

    def audit(
        self, cp: str | None = None, since: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The audit's entries by filter, the latest first. `since` is an RFC 3339 time."""
        clause, values = _clause({"cp = ?": cp, "at >= ?": since})
        rows = self._rows(
            f"SELECT at, who, what, cp, outcome, detail FROM audit {clause} "  # noqa: S608
            "ORDER BY at DESC, rowid DESC LIMIT ?",
            (*values, limit),
        )
        return [AuditEntry(*row)._asdict() for row in rows]

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return self._all([query], values)[0]

    def _all(self, queries: list[str], values: tuple[object, ...]) -> list[list[tuple[Any, ...]]]:
        """The rows of each query, as of one moment."""
        if not self._path.exists():
            ledger_mark.check(self._path)
            return [[] for _ in queries]
        with (
            ledger_schema.naming_errors(self._path),
            closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as db,
        ):
            ledger_schema.version(db, self._path)
            db.execute("BEGIN")
            return [db.execute(query, values).fetchall() for query in queries]
