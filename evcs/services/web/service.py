"""The web process's loop: the bus goes into the fleet, once a second the feed makes a batch.

`ask` is called by requests, each in a greenlet of its own: it says something to Central on
the bus and waits for the answer that the loop hands back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from secrets import token_hex
from typing import Any

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import BY_CODE, EvcsError, Unreachable
from evcs.core.ports import Bus, Connected, Disconnected, Received
from evcs.services.web.feed import Feed
from evcs.services.web.history import History
from evcs.services.web.snapshot import FleetSnapshot

TICK_S = 1.0
ANSWER_WITHIN_S = 10.0

_log = logging.getLogger("evcs")


def subscriptions() -> list[topics.Subscription]:
    """What web always listens to: desired, presence and judged, and what is said to it."""
    kinds = (
        m.EngineStatus, m.MonitorStatus, m.CpState, m.CircuitState, m.HostState, m.Summary,
    )  # fmt: skip
    return [
        topics.subtree("registry"),
        topics.filter_for(m.ReconcileReport),
        topics.filter_for(m.StationStatus),
        topics.status_of("manager"),
        topics.status_of("gateway"),
        *(topics.filter_for(kind) for kind in kinds),
        topics.filter_for(m.OperatorEvent, asker="web"),
        topics.central_status(),
        topics.subtree("web/status"),
    ]


def _of_cp(cp: str, station: str | None) -> list[topics.Subscription]:
    """What there is to hear of a CP beside that, such as its readings: while its page is open."""
    kinds = (m.Meter, m.SessionEvent, m.Reply, m.Command)
    found = [topics.filter_for(kind, cp=cp) for kind in kinds]
    return [*found, topics.filter_for(m.StationFrame, station=station)] if station else found


class Web:
    """Owns the picture of the fleet. `handle` and `tick` are the loop's, the rest is asked."""

    def __init__(self, bus: Bus, birth: m.ServiceStatus, timestamp: Callable[[], str]) -> None:
        self.bus = bus
        self.fleet = FleetSnapshot(birth.boot)
        self.feed = Feed(self.fleet, timestamp, self._listen)
        self.history = History(timestamp())
        self._timestamp, self._at = timestamp, timestamp()
        self.messages = 0
        self.unreadable_to_central = 0
        self._birth = birth
        self._heard: dict[str, list[topics.Subscription]] = {}
        self._asked: dict[str, Future[m.OperatorEvent]] = {}
        self._on: dict[type, Callable[[Any], None]] = {
            Connected: self._on_connected,
            Disconnected: self._on_disconnected,
            Received: self._on_received,
        }

    def handle(self, events: list[Any]) -> None:
        """One batch of events."""
        self._at = self._timestamp()
        for event in events:
            self._on[type(event)](event)

    def tick(self, _now: float) -> float:
        """Once a second: a batch for the pages."""
        for cp in self.feed.tick():
            self.history.forget(cp)
        return TICK_S

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Have Central do something; its answer. Raises EvcsError."""
        if self.bus.connected and not self.fleet.services["central"].up:
            raise Unreachable("Central is not there", "see it with: evcs status")
        request = m.OperatorRequest(asker="web", verb=verb, id=token_hex(8), **fields)
        answer: Future[m.OperatorEvent] = Future()
        self._asked[request.id] = answer
        try:
            if not self.bus.publish(request):
                raise Unreachable("the broker does not answer", "start it: evcs up")
            event = answer.result(ANSWER_WITHIN_S)
        except TimeoutError:
            raise Unreachable("Central does not answer", "see it with: evcs status") from None
        finally:
            del self._asked[request.id]
        if not event.ok:
            raise _refusal(verb, event)
        return dict(event.body)

    def _listen(self, cp: str, on: bool) -> None:
        if on:
            self._heard[cp] = _of_cp(cp, self.fleet.station_of(cp))
            self.bus.subscribe(self._heard[cp])
        else:
            gone = self._heard.pop(cp)
            # Another CP of the same station may be listened to.
            others = {one for heard in self._heard.values() for one in heard}
            self.bus.unsubscribe([one for one in gone if one not in others])

    def _on_connected(self, _event: Connected) -> None:
        _log.info("the broker is there")
        self.fleet.connected(self._timestamp())
        self.bus.publish(self._birth)

    def _on_disconnected(self, event: Disconnected) -> None:
        _log.warning("the broker is gone: %s; see: evcs status", event.reason)
        self.fleet.disconnected(self._timestamp())

    def _on_received(self, event: Received) -> None:
        message, at = event.message, self._at
        self.messages += 1
        self.fleet.message(message, event.retained, at)
        if isinstance(message, m.CpState):
            self.history.judged(message, int(time.time()), at)
        elif isinstance(message, m.CircuitState):
            self.history.circuit(message, int(time.time()))
        elif isinstance(message, m.Cleared) and message.kind is m.CircuitState:
            self.history.forget_circuit(message.key["name"])
        elif isinstance(message, (m.EngineStatus, m.MonitorStatus)) and message.online:
            role = "engine" if isinstance(message, m.EngineStatus) else "monitor"
            self.history.started(message.cp, role, message.boot)
        elif isinstance(message, m.Summary):
            self.unreadable_to_central = message.unreadable
            self.history.power.add(int(time.time()), message.power_w)
        elif isinstance(message, m.OperatorEvent) and message.asker == "web":
            waiting = self._asked.get(message.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        if self.feed.tapped and not isinstance(message, m.Cleared):
            self._tap(message)

    def _tap(self, message: m.Message) -> None:
        """Show a message to whoever listens to its CP, or to one of its station."""
        if isinstance(message, m.StationFrame):
            for tapped in self.feed.tapped:
                if self.fleet.station_of(tapped) == message.station:
                    self.feed.tap(tapped, message)
        elif cp := getattr(message, "cp", None):
            self.feed.tap(cp, message)


def _refusal(verb: str, event: m.OperatorEvent) -> EvcsError:
    """Central's "no" as the error that its code stands for."""
    kind = BY_CODE.get(event.error or "", EvcsError)
    text = f"{verb}: {event.body.get('message') or event.error or 'failed'}"
    return kind(text, str(event.body.get("hint") or ""))
