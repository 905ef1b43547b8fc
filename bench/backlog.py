"""Whether Central keeps up: each reading on the bus against what its driver is told of it."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Self

from bench.ours import account
from bench.results import percentile
from evcs.adapters.bus_thread import BusThread
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import ports, topics

LAST_WORD_S = 2.0


class Backlog:
    """Listens for the length of a `with` block; `share` of the readings that were told on."""

    def __init__(self, settings: Settings) -> None:
        self._metered: dict[tuple[str, int], float] = {}
        self._took: list[float] = []
        self._ready, self._closing = threading.Event(), False
        wanted = [topics.filter_for(m.Meter), topics.filter_for(m.DriverEvent)]
        self._bus = BusThread(
            account(settings, "inspector"), self._on_event, wanted, decode=self._note
        )

    def __enter__(self) -> Self:
        self._bus.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        deadline = time.monotonic() + LAST_WORD_S
        while self._metered and time.monotonic() < deadline:
            time.sleep(0.02)
        self._bus.stop()
        missing = len(self._metered)
        self.share = len(self._took) / (len(self._took) + missing)
        self.p95_ms = percentile(self._took, 0.95) * 1000 if self._took else 0.0

    def _on_event(self, event: object) -> None:
        if isinstance(event, ports.Connected):
            self._ready.set()

    def _note(self, topic: str, payload: bytes) -> Any:
        now, found = time.monotonic(), json.loads(payload)
        key = found.get("session_id"), found.get("energy_wh")
        if topic.endswith("/meter"):
            if not self._closing:
                self._metered[key] = now
        elif found.get("event") == "progress" and key in self._metered:
            self._took.append(now - self._metered.pop(key))
        return None
