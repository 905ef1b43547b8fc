"""Sessions as CSV, for spreadsheets: no cell is a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from evcs.core.end_reasons import in_words
from evcs.core.ids import plain

COLUMNS = (
    "session_id", "cp", "driver", "state", "started_at", "ended_at", "energy_wh",
    "cost_eur", "price_eur_kwh", "reason", "corrects",
)  # fmt: skip
#: Ours, and signed in a correction: none is text from outside.
NUMBERS = frozenset({"energy_wh", "cost_eur", "price_eur_kwh"})
#: What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def render(sessions: Iterable[Mapping[str, Any]], head: bool = True, line_end: str = "\n") -> str:
    """A row for each session, as to_json gives it; a head before them, if wanted."""
    out = StringIO()
    writer = csv.writer(out, lineterminator=line_end)
    if head:
        writer.writerow(COLUMNS)
    for one in sessions:
        writer.writerow([_cell(column, one.get(column)) for column in COLUMNS])
    return out.getvalue()


def _cell(column: str, value: Any) -> Any:
    if column == "reason":
        value = in_words(value)
    if not isinstance(value, str) or column in NUMBERS:
        return "" if value is None else value
    return ("'" if value.startswith(FORMULA) else "") + plain(value)
