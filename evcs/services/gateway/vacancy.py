"""A charge at a connector that its charger calls free: its end was lost, by the charger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from evcs.core.ocpp.transactions import Phase
from evcs.core.ports import Log
from evcs.services.gateway.holdings import Holdings

FREE = "Available"
#: Longer than a charger takes to tell what it has kept, and than between two readings.
LOST_AFTER_S = 1_200.0


class Vacancy:
    """Of one connector. `steady()`: UTC that goes on evenly."""

    def __init__(self, holdings: Holdings, steady: Callable[[], datetime], log: Log) -> None:
        self._holdings, self._steady, self._log = holdings, steady, log
        self._free_since: datetime | None = None

    def told(self, status: str | None) -> None:
        """Its charger's word for it; None: its charger is away."""
        if status != FREE:
            self._free_since = None
        elif self._free_since is None:
            self._free_since = self._steady()

    def used(self) -> None:
        """A charge began, or was read, whatever its charger calls it."""
        if self._free_since is not None:
            self._free_since = self._steady()

    def look(self) -> bool:
        """Whether a charge was found over just now; should its end come, that is told."""
        live, since = self._holdings.held.live, self._free_since
        if live is None or live.phase != Phase.SUPPLYING or since is None:
            return False
        free_s = (self._steady() - since).total_seconds()
        if free_s < LOST_AFTER_S:
            return False
        self._log.warning("transaction=%d is over, its end was lost: free for %ds", live.id, free_s)
        self._holdings.put(live._replace(live=False))
        return True
