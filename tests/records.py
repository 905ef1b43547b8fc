"""CPs as the Registry keeps them, for tests that begin with some."""

from __future__ import annotations

from typing import Any

from evcs.core import desired, placement, prices
from evcs.core.messages import DesiredCp

SINCE = "2026-11-22T09:00:00.000Z"


def kept(name: str, **fields: Any) -> DesiredCp:
    """A CP that was made, by the token "token"; then these fields."""
    made = placement.placed(None, desired.new_cp({"id": name}), lambda: "token")
    return prices.priced(None, made, SINCE)._replace(**fields)
