"""A CP's Monitor tells Central of its Engine's health; a Watch asks many in one question."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from evcs.core import health as h
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.ports import Bus, Connected, Disconnected, HealthProbe, Log

#: While Engines are being started they are asked soon, then more and more rarely.
FIRST_PERIOD_S = 0.01
LATER_BY = 1.5
#: A question costs a pool of hundreds some ms on both sides: it takes a tenth of the time at most.
REST = 10
#: That an Engine is not ready is told once a second, however often it is asked for.
AGAIN_AFTER_S = 0.9 * h.PERIOD_S


def will(cp: str, boot: str) -> topics.Publication:
    """What the broker says when it is gone."""
    return topics.encode(m.MonitorStatus(cp, False, boot), None)


class Monitor:
    """One CP's Monitor. It announces itself once it has something to say of its Engine."""

    def __init__(self, cp: str, boot: str, bus: Bus, log: Log, now: float) -> None:
        self._cp, self._boot, self._bus, self._log = cp, boot, bus, log
        self._started = now
        self._health = h.Health()

    def handle(self, events: list[Any]) -> None:
        """One batch of events."""
        for event in events:
            if isinstance(event, h.ProbeResult):
                self._observe(event)
            elif isinstance(event, Connected):
                self._tell()
            elif isinstance(event, Disconnected):
                self._log.warning("bus: %s", event.reason)

    def _observe(self, result: h.ProbeResult) -> None:
        before = self._health
        self._health = now = h.observe(before, result, self._started)
        if (now.engine, now.fault) != (before.engine, before.fault):
            self._log.info("engine=%s fault=%s", now.engine, now.fault or "none")
            self._tell()

    def _tell(self) -> None:
        now = self._health
        if now.engine is not None:
            self._bus.publish(
                m.MonitorStatus(self._cp, True, self._boot, now.engine, now.latency_ms, now.fault)
            )


class Watch:
    """Asks a process of Engines, each second, how all are; ends it once it has hung for long."""

    def __init__(
        self,
        cps: Callable[[], Collection[str]],
        probe: HealthProbe,
        put: Callable[[str, h.ProbeResult], None],
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self._cps, self._probe, self._put = cps, probe, put
        self._clock, self._log = clock, log
        #: What each Monitor was given last, None where there was no answer, and how many of them
        #: are to be told again: only who has heard of an Engine that is ready has heard it all.
        self._told: dict[str, h.EngineAnswer | None] = {}
        self._unready = 0
        self._answers: Mapping[str, h.EngineAnswer] | None = None
        self._again_at = 0.0
        self._silent_since: float | None = None
        self._rest_until = 0.0
        self._heard, self._heard_by = False, clock() + h.FIRST_WORD_WITHIN_S
        self.expect()

    def expect(self, *cps: str) -> None:
        """These Monitors are new, and their Engines being started: ask soon."""
        for cp in cps:
            self._told.pop(cp, None)
        self._grace_until = self._clock() + h.START_GRACE_S
        self._first_period_s = FIRST_PERIOD_S

    @property
    def has_heard(self) -> bool:
        """Whether an Engine has ever answered, or it has taken too long."""
        return self._heard or self._clock() >= self._heard_by

    def tick(self, _now: float) -> float:
        """Ask, and give each Monitor its answer; seconds to the next time."""
        asked_at = self._clock()
        if asked_at < self._rest_until:
            return self._rest_until - asked_at
        answers = self._probe.ask(h.ANSWER_WITHIN_S)
        now = self._clock()
        took_s = now - asked_at
        left_s = max(h.PERIOD_S - took_s, 0.0)
        self._rest_until = now + min(REST * took_s, left_s)
        latency_ms = round(took_s * 1000, 1)
        cps = self._cps()
        self._heard = self._heard or bool(answers)
        for cp in self._told.keys() - set(cps):
            del self._told[cp]
        again = asked_at >= self._again_at
        if again:
            self._again_at = asked_at + AGAIN_AFTER_S
        is_news = answers != self._answers or len(self._told) < len(cps)
        if is_news or (again and self._unready):
            self._answers = answers
            self._tell(cps, answers or {}, latency_ms, now, again)
        self._end_if_hung(answers is not None, now)
        if (not cps or self._unready) and now < self._grace_until:
            period_s = self._first_period_s
            self._first_period_s = min(period_s * LATER_BY, h.PERIOD_S)
            return period_s
        return left_s

    def _tell(
        self, cps: Collection[str], answers: Mapping[str, h.EngineAnswer], latency_ms: float,
        now: float, again: bool,
    ) -> None:  # fmt: skip
        """Give each Monitor its answer, unless it is the one that it has."""
        self._unready = 0
        for cp in cps:
            answer = answers.get(cp)
            is_ready = answer is not None and answer.ready
            self._unready += not is_ready
            is_old = cp in self._told and answer == self._told[cp]
            if not is_old or (again and not is_ready):
                self._told[cp] = answer
                self._put(cp, h.ProbeResult(answer, latency_ms, now))

    def _end_if_hung(self, answered: bool, now: float) -> None:
        """supervisord starts it anew. One of many that is silent is not the process's fault."""
        self._silent_since = h.silence(self._silent_since, answered, now)
        if h.to_be_ended(self._silent_since, now):
            pid = self._probe.end()
            if pid is not None:
                self._log.error("engine pid=%d silent for too long: ended", pid)
            self._silent_since = now
