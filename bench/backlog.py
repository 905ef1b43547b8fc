"""Whether Central keeps up: each reading on the bus against what its driver is told of it."""

from __future__ import annotations

import json
import time
from typing import Any, Self

from bench.results import percentile
from evcs.cli.bus_probe import BusProbe
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import topics

LAST_WORD_S = 2.0


class Backlog:
    """Listens for the length of a `with` block; `share` of the readings that were told on."""

    def __init__(self, settings: Settings) -> None:
        self._metered: dict[tuple[str, int], float] = {}
        self._took: list[float] = []
        self._closing = False
        wanted = [topics.filter_for(m.Meter), topics.filter_for(m.DriverEvent)]
        self._bus = BusProbe(settings, wanted, decode=self._note)

    def __enter__(self) -> Self:
        self._bus.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        deadline = time.monotonic() + LAST_WORD_S
        while self._metered and time.monotonic() < deadline:
            time.sleep(0.02)
        self._bus.__exit__()
        missing = len(self._metered)
        self.share = len(self._took) / (len(self._took) + missing)
        self.p95_ms = percentile(self._took, 0.95) * 1000 if self._took else 0.0

    def _note(self, topic: str, payload: bytes) -> Any:
        now, found = time.monotonic(), json.loads(payload)
        key = found.get("session_id"), found.get("energy_wh")
        if topic.endswith("/meter"):
            if not self._closing:
                self._metered[key] = now
        elif found.get("event") == "progress" and key in self._metered:
            self._took.append(now - self._metered.pop(key))
        return None
