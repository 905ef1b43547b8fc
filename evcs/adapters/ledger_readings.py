"""The ledger's readings: by day first, so that what is old goes from one end of the table.

Within a day those of a CP lie together, in the order of time. Tickets rest on none of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from evcs.core.readings import Reading, Sample

DAY_S = 86_400
#: Longer than any setting keeps them.
MOST_DAYS = 36_501

TABLE = """
CREATE TABLE IF NOT EXISTS reading (
  day INTEGER NOT NULL, cp TEXT NOT NULL, at INTEGER NOT NULL, power_w INTEGER NOT NULL,
  energy_wh INTEGER NOT NULL, PRIMARY KEY (day, cp, at)
) STRICT, WITHOUT ROWID;
"""
_PUT = "INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?, ?)"
_OF_DAY = """
SELECT at, power_w, energy_wh FROM reading
WHERE day = ? AND cp = ? AND at >= ? AND at < ? ORDER BY at
"""
# The last one before that time, in its own day or the one before: it holds until the next.
_BEFORE = """
SELECT at, power_w, energy_wh FROM reading
WHERE day = ? AND cp = ? AND at < ? ORDER BY at DESC LIMIT 1
"""
_DROP = """
DELETE FROM reading WHERE (day, cp, at) IN (
  SELECT day, cp, at FROM reading WHERE day < ? LIMIT ?)
"""


def put(db: sqlite3.Connection, readings: Iterable[Reading]) -> None:
    """Write them; one of the same CP and second is replaced."""
    db.executemany(_PUT, [(one.at // DAY_S, *one) for one in readings])


def drop(db: sqlite3.Connection, before: int, limit: int) -> bool:
    """Drop those of days that ended before that time, at most so many; whether there may be more.

    For a transaction of the ledger's.
    """
    return db.execute(_DROP, (before // DAY_S, limit)).rowcount == limit


def between(db: sqlite3.Connection, cp: str, since: int, until: int) -> Iterator[Sample]:
    """Those of a CP in that time (`until` not included), and the one that held as it began."""
    first, last = since // DAY_S, until // DAY_S
    for day in (first, first - 1):
        if found := db.execute(_BEFORE, (day, cp, since)).fetchone():
            yield Sample(*found)
            break
    for day in range(first, min(last, first + MOST_DAYS) + 1):
        for row in db.execute(_OF_DAY, (day, cp, since, until)):
            yield Sample(*row)
