"""The ledger: sessions (a settled one is its ticket) and the audit, in SQLite.

WAL with synchronous=FULL: what is committed survives a power cut. One row a session, so
a second ticket for a session can't be written down; triggers keep settled sessions and
audit entries as they are (adapters.ledger_schema).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from evcs.adapters import heartbeat, ledger_readings, ledger_retention, ledger_schema
from evcs.adapters.ledger_file import LedgerFile
from evcs.adapters.ledger_reader import SELECT, session_of
from evcs.adapters.ledger_schema import COLUMNS
from evcs.core.audit import AuditEntry
from evcs.core.messages import NOTHING
from evcs.core.ports import NeverWritten
from evcs.core.readings import Reading
from evcs.core.session import AnsweredStart, CardStatus, Phase, Session, check

_COLUMNS = ", ".join(COLUMNS)
_PUT = (
    f"INSERT INTO session ({_COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (session_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
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
        with ledger_schema.naming_errors(self._path):
            return [check(one) for one in found]

    def session(self, session_id: str) -> Session | None:
        """One session."""
        found = self._select("WHERE session_id = ?", session_id)
        return found[0] if found else None

    def answered(self, request_id: str) -> AnsweredStart | None:
        """What a charger's request was answered; its id is known for ever."""
        query = "SELECT session_id, status FROM station_request WHERE id = ?"
        with ledger_schema.naming_errors(self._path):
            found = self._db.execute(query, (request_id,)).fetchone()
        return found and AnsweredStart(found[0], CardStatus(found[1]))

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
        answered: Mapping[str, AnsweredStart] = NOTHING, readings: Iterable[Reading] = (),
    ) -> None:  # fmt: skip
        """One transaction; `refused` are requests that their CP turned down. Raises EvcsError.

        `forgotten`: driver -> the pseudonym that takes its place in all that is written.
        `answered`: what chargers' requests were answered, by their ids.
        """
        with self._transaction():
            for session in sessions:
                self._put(session)
            self._db.executemany(
                "DELETE FROM session WHERE session_id = ?", [(one,) for one in refused]
            )
            self._db.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)", audit)
            for driver, pseudonym in forgotten.items():
                ledger_retention.forget(self._db, driver, pseudonym)
            ledger_retention.note(self._db, noted)
            self._db.executemany(
                "INSERT INTO station_request VALUES (?, ?, ?)",
                [(request_id, *answer) for request_id, answer in answered.items()],
            )
            ledger_readings.put(self._db, readings)
        if forgotten:
            ledger_retention.checkpoint(self._db)

    def _put(self, session: Session) -> None:
        """A ticket stays as it is where its correction comes."""
        *columns, correction = session
        if correction is None or not self._is_settled(session.session_id):
            self._db.execute(_PUT, columns)
        if correction is not None:
            self._db.execute(
                "INSERT INTO correction VALUES (?, ?, ?, ?, ?)", (session.session_id, *correction)
            )

    def _is_settled(self, session_id: str) -> bool:
        found = self._db.execute("SELECT phase FROM session WHERE session_id = ?", (session_id,))
        return found.fetchone() == (Phase.SETTLED,)

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

    def drop_readings(self, before: int, limit: int) -> bool:
        """Drop readings of days that ended before that time (seconds of the epoch).

        At most `limit`, in one transaction; whether there may be more. Raises EvcsError.
        """
        with self._transaction():
            return ledger_readings.drop(self._db, before, limit)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        heartbeat.beat()  # it may wait for another program's lock
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
            return [session_of(row) for row in self._db.execute(f"{SELECT} {clause}", values)]
