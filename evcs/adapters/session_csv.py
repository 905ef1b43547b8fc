"""Sessions as CSV, for spreadsheets: no cell is a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from evcs.core.ids import plain

COLUMNS = (
    "session_id", "cp", "driver", "state", "started_at", "ended_at", "energy_wh",
    "cost_eur", "price_eur_kwh", "reason",
)  # fmt: skip
#: What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(out: TextIO, sessions: Iterable[Mapping[str, Any]], head: bool = True) -> None:
    """A row for each session, as to_json gives it; a head before them, if wanted."""
    writer = csv.writer(out, lineterminator="\n")
    if head:
        writer.writerow(COLUMNS)
    for one in sessions:
        writer.writerow([_cell(one.get(column)) for column in COLUMNS])


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    return ("'" if value.startswith(FORMULA) else "") + plain(value)
