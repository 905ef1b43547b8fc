"""What the Engines of a home have metered, by their own journals and logs: to compare with tickets.

A pool's journal has but the last record of each CP, and a CP that moves takes no more along: what
a session came to in the end is in the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from evcs.adapters import journal_db, journal_places
from evcs.home import Home

_ENDED = re.compile(rb" engine session=(\S+) energy_wh=(\d+) ended")


def metered(home: Home) -> dict[str, int]:
    """Session -> Wh; of those whose CP was deleted, or whose log was moved on twice, not all."""
    found: dict[str, int] = {}
    for session_id, energy_wh in (*_journalled(home), *_logged(home)):
        found[session_id] = max(found.get(session_id, 0), energy_wh)
    return found


def _journalled(home: Home) -> Iterator[tuple[str, int]]:
    for record in _records(home):
        session_id, energy_wh = record.get("session_id"), record.get("energy_wh")
        if isinstance(session_id, str) and isinstance(energy_wh, int):
            yield session_id, energy_wh


def _records(home: Home) -> Iterator[dict[str, Any]]:
    for path in (home.data / "journals").glob("*.jsonl"):
        lines = path.read_text("utf-8", "replace").splitlines()
        yield from (found for line in lines if (found := journal_db.parsed(line)))
    for path in journal_places.in_pools(home).values():
        rows = journal_db.read(path).values()
        yield from (found for row in rows if (found := journal_db.parsed(row)))


def _logged(home: Home) -> Iterator[tuple[str, int]]:
    for path in home.log.glob("*.engine*.log*"):
        for session_id, energy_wh in _ENDED.findall(path.read_bytes()):
            yield session_id.decode("utf-8", "replace"), int(energy_wh)
