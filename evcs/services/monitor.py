"""The Monitor process: asks its Engine each second and tells Central of its health."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from evcs.adapters import engine_health
from evcs.core import health as h
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.ports import Bus, Connected, Disconnected

#: While its Engine is being started a Monitor asks soon, then more and more rarely.
FIRST_PERIOD_S = 0.02
LATER_BY = 1.5

_log = logging.getLogger("evcs")


def will(cp: str, boot: str) -> topics.Publication:
    """What the broker says when it is gone."""
    return topics.encode(m.MonitorStatus(cp, False, boot), None)


class Monitor:
    """One CP's Monitor. It announces itself once it has something to say of its Engine."""

    def __init__(
        self, cp: str, boot: str, bus: Bus, engine: Path, clock: Callable[[], float]
    ) -> None:
        self._cp, self._boot, self._bus = cp, boot, bus
        self._engine, self._clock = engine, clock
        self._started = clock()
        self._health = h.Health()
        self._first_period_s = FIRST_PERIOD_S

    def handle(self, events: list[Any]) -> None:
        """One batch of events."""
        for event in events:
            if isinstance(event, Connected):
                self._tell()
            elif isinstance(event, Disconnected):
                _log.warning("bus: %s", event.reason)

    def tick(self, _now: float) -> float:
        """Ask the Engine; tell what changed."""
        asked = self._clock()
        found = engine_health.ask(self._engine, h.ANSWER_WITHIN_S)
        now = self._clock()
        before = self._health
        self._health = h.observe(before, _answer(found, now - asked), now, self._started)
        if (self._health.engine, self._health.fault) != (before.engine, before.fault):
            _log.info("engine=%s fault=%s", self._health.engine, self._health.fault or "none")
            self._tell()
        if h.to_be_ended(self._health, now):
            self._end_engine()
        if self._health.engine is None:
            self._first_period_s = min(self._first_period_s * LATER_BY, h.PERIOD_S)
            return self._first_period_s
        return max(h.PERIOD_S - (now - asked), 0.0)

    def _tell(self) -> None:
        now = self._health
        if now.engine is not None:
            self._bus.publish(
                m.MonitorStatus(self._cp, True, self._boot, now.engine, now.latency_ms, now.fault)
            )

    def _end_engine(self) -> None:
        """supervisord starts it anew; a hung process can't be asked to end itself."""
        pid = engine_health.listener_pid(self._engine)
        if pid is not None:
            _log.error("engine pid=%d silent for too long: ended", pid)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._health = self._health._replace(silent_since=self._clock())


def _answer(found: dict[str, Any] | None, took_s: float) -> h.Answer | None:
    if found is None:
        return None
    fault = found.get("fault")
    return h.Answer(fault if isinstance(fault, str) else None, round(took_s * 1000, 1),
                    found.get("ready") is True)  # fmt: skip
