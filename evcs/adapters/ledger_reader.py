"""The ledger as others read it beside its writer: sessions and corrections, sums, the audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from evcs.adapters import ledger_mark, ledger_readings, ledger_schema
from evcs.adapters.ledger_schema import COLUMNS
from evcs.core.audit import AuditEntry
from evcs.core.errors import BadValue
from evcs.core.readings import Sample
from evcs.core.session import NO_PRICE, Correction, Phase, Session, check, rows
from evcs.core.units import cost_eur, is_time, price
from evcs.core.web_ports import SessionFilter, Sum, Sums

_CORRECTION = ", ".join(
    f"(SELECT {name} FROM correction WHERE corrects = session_id)"  # noqa: S608
    for name in Correction._fields
)
#: A session with its correction, NULLs where there is none.
SELECT = f"SELECT {', '.join(COLUMNS)}, {_CORRECTION} FROM session"  # noqa: S608


def session_of(row: tuple[Any, ...]) -> Session:
    """The session that a row of SELECT is."""
    columns, correction = row[: len(COLUMNS)], row[len(COLUMNS) :]
    found = Session(*columns)
    return found._replace(
        end_known=bool(found.end_known),
        correction=None if correction[0] is None else Correction(*correction),
    )


# A ticket's cost has two decimals, always; an open session's is not written down yet. By `+cp`,
# not by its index: that would look up each row by itself.
_DAY, _CP = "substr(started_at, 1, 10)", "+cp"
_SUMS = """
SELECT {by}, COUNT(*), SUM(energy_wh),
  SUM(CAST(REPLACE(cost_eur, '.', '') AS INTEGER)), MIN(price_eur_kwh)
FROM session {where}
GROUP BY {by}, CASE WHEN cost_eur IS NULL THEN session_id END ORDER BY 1
"""
# Of corrections there are few: each has its session looked up.
_CORRECTED = """
SELECT {by}, 0, SUM(correction.energy_wh),
  SUM(CAST(REPLACE(correction.cost_eur, '.', '') AS INTEGER)), ''
FROM correction CROSS JOIN session ON session_id = corrects {where}
GROUP BY 1
"""
_OPEN = "INDEXED BY session_open"


def _summed(rows: list[tuple[Any, ...]]) -> list[Sum]:
    """Raises BadValue."""
    found: dict[str, Sum] = {}
    for of, count, energy_wh, cents, price_eur_kwh in rows:
        if cents is None:  # an open session, which stands alone
            if price_eur_kwh != NO_PRICE:
                price("price_eur_kwh", price_eur_kwh)
            cents = _cents(cost_eur(energy_wh, price_eur_kwh))
        before = found.get(of, Sum(of, 0, 0, 0))
        found[of] = Sum(
            of, before.sessions + count, before.energy_wh + energy_wh, before.cents + cents
        )
    return list(found.values())


def _cents(euros: str) -> int:
    return int(euros.replace(".", ""))


# The same as Session.state.
_STATE = """CASE WHEN phase = 'late' OR (phase = 'ending' AND power_w = 0) THEN 'interrupted'
  WHEN phase IN ('interrupted', 'settled') THEN phase ELSE 'active' END"""


_CONDITIONS = {
    "cp": "cp = ?",
    "driver": "driver = ?",
    "cp_part": "instr(lower(cp), lower(?)) > 0",
    "driver_part": "instr(lower(driver), lower(?)) > 0",
    "since": "started_at >= ?",
    "until": "started_at <= ?",
    "state": f"{_STATE} = ?",
}


def _where(asked: SessionFilter) -> tuple[str, tuple[object, ...]]:
    """The filter as SQL behind FROM session, and its values."""
    clause, values = _clause({_CONDITIONS[name]: value for name, value in asked.items()})
    if asked.get("state") in (None, Phase.SETTLED):
        return clause, values
    # Of sessions that are open there are few, and they have an index of their own.
    return f"{_OPEN} {clause} AND phase <> 'settled'", values


def _clause(given: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
    """Conditions whose value is given, as SQL, and those values."""
    parts = [part for part, value in given.items() if value is not None]
    values = tuple(value for value in given.values() if value is not None)
    return ("WHERE " + " AND ".join(parts)) if parts else "", values


class _Opened(NamedTuple):
    """`is_older`: of an earlier version, that reads as one of this."""

    db: sqlite3.Connection
    is_older: bool


class LedgerReader:
    """Reads beside the writer; an absent ledger is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sessions(
        self, *, limit: int = 1000, after: tuple[str, str] | None = None,
        **asked: Unpack[SessionFilter],
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Sessions by filter, the latest first; a correction stands behind its ticket.

        At most `limit` and their corrections. `after` is started_at and session_id of one, to go on
        behind it.
        """
        if after is not None:
            asked["until"] = min(asked.get("until") or after[0], after[0])
        where, values = _where(asked)
        if after is not None:
            where += " AND (started_at < ? OR session_id > ?)"
            values += after
        found = self._sessions(
            f"{where} ORDER BY started_at DESC, session_id LIMIT ?", (*values, limit)
        )
        return [row for one in found for row in rows(one)]

    def session(self, session_id: str) -> Session | None:
        """One session, with its correction."""
        found = self._sessions("WHERE session_id = ?", (session_id,))
        return found[0] if found else None

    def sums(self, **asked: Unpack[SessionFilter]) -> Sums:
        """Sums over all sessions of a filter, by day (UTC) and CP."""
        where, values = _where(asked)
        queries = [_SUMS.format(by=by, where=where) for by in (_DAY, _CP)]
        where = where.replace(_OPEN, "")
        queries += [_CORRECTED.format(by=by, where=where) for by in (_DAY, _CP)]
        days, cps, days_corrected, cps_corrected = self._all(queries, values)
        with ledger_schema.naming_errors(self._path):
            return Sums(_summed(days + days_corrected), _summed(cps + cps_corrected))

    def audit(
        self,
        cp: str | None = None,
        since: str | None = None,
        limit: int = 1000,
        until: str | None = None,
        who_part: str | None = None,
        what_part: str | None = None,
    ) -> list[dict[str, Any]]:
        """The audit's entries by filter, the latest first. Times are RFC 3339.

        `who_part` is a part of who did it, `what_part` one of what was done or its detail, whatever
        their case.
        """
        clause, values = _clause({
            "cp = ?": cp,
            "at >= ?": since,
            "at <= ?": until,
            "instr(lower(who), ?) > 0": who_part and who_part.lower(),
            "instr(lower(what || char(10) || detail), ?) > 0": what_part and what_part.lower(),
        })  # fmt: skip
        rows = self._rows(
            f"SELECT at, who, what, cp, outcome, detail FROM audit {clause} "  # noqa: S608
            "ORDER BY at DESC, rowid DESC LIMIT ?",
            (*values, limit),
        )
        return [AuditEntry(*row)._asdict() for row in rows]

    def readings(self, cp: str, since: int, until: int) -> list[Sample]:
        """A CP's (ALL: of all together) in that time, and the one that held as it began.

        Seconds of the epoch; `until` is not included.
        """
        with self._open() as found:
            return list(ledger_readings.between(found.db, cp, since, until)) if found else []

    def check(self) -> int:
        """Read all that is told of it; how many sessions it has. Raises EvcsError for what is none.

        What a row may not hold, SQLite itself does not know.
        """
        with self._open() as found:
            if found is None:
                return 0
            number = sum(1 for row in found.db.execute(SELECT) if check(session_of(row)))
            for at, *_ in found.db.execute("SELECT at, who, what, cp, outcome, detail FROM audit"):
                if not is_time(at):
                    raise BadValue(f"an entry of its audit: {at[:20]!a} is no time")
            return number

    def _sessions(self, clause: str, values: tuple[object, ...]) -> list[Session]:
        """Each as it can be one. Raises EvcsError."""
        found = self._rows(f"{SELECT} {clause}", values)
        with ledger_schema.naming_errors(self._path):
            return [check(session_of(row)) for row in found]

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return self._all([query], values)[0]

    def _all(self, queries: list[str], values: tuple[object, ...]) -> list[list[tuple[Any, ...]]]:
        """The rows of each query, as of one moment."""
        with self._open() as found:
            if found is None:
                return [[] for _ in queries]
            if found.is_older:
                queries = [query.replace(_OPEN, "") for query in queries]
            found.db.execute("BEGIN")
            return [found.db.execute(query, values).fetchall() for query in queries]

    @contextmanager
    def _open(self) -> Iterator[_Opened | None]:
        """None where there is no ledger yet. Raises EvcsError."""
        if not self._path.exists():
            ledger_mark.check(self._path)
            yield None
            return
        with (
            ledger_schema.naming_errors(self._path),
            closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as db,
        ):
            yield _Opened(db, ledger_schema.read_as_current(db, self._path))
