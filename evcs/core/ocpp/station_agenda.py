"""What a station has to say by itself, and when: each CALL of its in its turn."""

from __future__ import annotations

from collections import deque

from evcs.core.ocpp.rules import Code
from evcs.core.ocpp.station_calls import Ask, At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Answered, Station
from evcs.core.ocpp.station_state import Item

#: Between tries of BootNotification, and heartbeats, where the back end names no interval (4.2).
DEFAULT_INTERVAL_S = 60
MOST_INTERVAL_S = 86_400
#: Of what waits to be said once.
MOST_SOON = 20
#: Who says so of a message that is of no transaction is not told again.
_UNKNOWN = frozenset({Code.NOT_IMPLEMENTED, Code.NOT_SUPPORTED})


class Agenda:
    """One station's. `boot`: the id of this start; `began`: the reason for it, 2.0.1's word."""

    def __init__(self, station: Station, boot: str, began: str) -> None:
        self._of, self._boot, self._began = station, boot, began
        self.registration = ""
        self._boot_at = self._beat_at = self._retry_at = self._lost_at = 0.0
        self._soon: deque[tuple[str, Answer, Answered]] = deque()
        self._told: dict[int, str] = {}
        self._calls = 0

    @property
    def due(self) -> float | None:
        """When it has something to say, by the monotonic clock, if it is connected."""
        if self.registration != ACCEPTED:
            return self._boot_at
        return min(self._beat_at, self._retry_at) if self._of.held.queue else self._beat_at

    def opened(self, at: At) -> None:
        """Connected. After long enough an absence all states are told again."""
        if at.clock - self._lost_at >= self._of.dialect.offline_threshold_s(self._of.keys):
            self._told.clear()

    def lost(self, at: At) -> None:
        """What was to be said once is not said any more."""
        self._lost_at = at.clock
        self._soon.clear()

    def say(
        self, action: str, payload: Answer, answered: Answered = lambda _answer, _at: None
    ) -> None:
        """Have it say something once, as long as it is connected."""
        self._soon.append((action, payload, answered))

    @property
    def is_full(self) -> bool:
        """Whether too much waits to be said once."""
        return len(self._soon) >= MOST_SOON

    def trigger(self, message: str, at: At) -> None:
        """Have it say BootNotification, Heartbeat or StatusNotification once more."""
        if message == "BootNotification":
            self.say(message, self._of.dialect.boot("Triggered"), self._booted)
        elif message == "Heartbeat":
            self.say(message, {}, lambda _, then: self._beaten(then))
        else:
            for connector, status in self._of.dialect.statuses(self._of).items():
                self.say(message, *self._status(connector, status, at))

    def next_ask(self, at: At) -> Ask | None:
        """BootNotification until it is accepted (4.2); then what is of now; then what waits."""
        if self._soon and self.registration in (ACCEPTED, "Pending"):
            return self._ask(*self._soon.popleft())
        if self.registration != ACCEPTED:
            if at.clock < self._boot_at:
                return None
            return self._ask("BootNotification", self._of.dialect.boot(self._began), self._booted)
        for connector, status in self._of.dialect.statuses(self._of).items():
            if self._told.get(connector) != status:
                return self._ask("StatusNotification", *self._status(connector, status, at))
        if self._of.held.head is not None and at.clock >= self._retry_at:
            return self._queued(self._of.held.head)
        if self._of.jobs.untold:
            action, payload = self._of.jobs.untold[0]
            return self._ask(action, payload, lambda _answer, _at: self._of.jobs.told())
        if at.clock >= self._beat_at:
            return self._ask("Heartbeat", {}, lambda _, then: self._beaten(then))
        return None

    def _ask(self, action: str, payload: Answer, answered: Answered) -> Ask:
        self._calls += 1
        name = f"{self._boot}.{self._calls}"
        return Ask(name, action, payload, lambda answer, _, at: answered(answer, at))

    def _queued(self, item: Item) -> Ask:
        """The same id over connections; another one where the back end has answered this one."""
        payload = self._of.dialect.sendable(self._of.held, item)
        return Ask(
            f"{self._of.held.key}-{item.number}-{item.failed}", item.action, payload,
            lambda answer, code, at: self._taken(item, payload, answer, code, at),
        )  # fmt: skip

    def _taken(
        self, item: Item, payload: Answer, answer: Answer | None, code: str, at: At
    ) -> None:  # fmt: skip
        if answer is None and code in _UNKNOWN and not item.transaction:
            self._of.held = self._of.dialect.taken(self._of.held, item, None)
            return
        if answer is None:
            self._not_taken(item, at)
            return
        self._of.held = self._of.dialect.taken(self._of.held, item, answer)
        card = self._of.dialect.card(payload, answer)
        if card is not None:
            self._of.reader.learned(card, at)
            self._of.judged(item.transaction, card, at)

    def _not_taken(self, item: Item, at: At) -> None:
        """It waits longer each time (9.1.31, 9.1.32; E13), and what is behind it waits with it."""
        if item.failed + 1 >= self._of.keys.number("TransactionMessageAttempts"):
            self._of.held = self._of.dialect.taken(self._of.held, item, None)
            return
        self._of.held = self._of.held.again(item)
        wait_s = self._of.keys.number("TransactionMessageRetryInterval") * (item.failed + 1)
        self._retry_at = at.clock + wait_s

    def _booted(self, answer: Answer | None, at: At) -> None:
        self._boot_at = at.clock + DEFAULT_INTERVAL_S
        if answer is None:
            return
        if answer["status"] == ACCEPTED != self.registration:
            self._of.secure("StartupOfTheDevice", at)
        self.registration = answer["status"]
        interval_s = min(max(answer["interval"], 0), MOST_INTERVAL_S) or DEFAULT_INTERVAL_S
        self._boot_at = at.clock + interval_s
        if self.registration == ACCEPTED:
            self._of.held = self._of.held.configured(
                self._of.keys.name("HeartbeatInterval"), str(interval_s)
            )
            self._beaten(at)

    def _beaten(self, at: At) -> None:
        interval_s = self._of.keys.number("HeartbeatInterval") or DEFAULT_INTERVAL_S
        self._beat_at = at.clock + interval_s

    def _status(self, connector: int, status: str, at: At) -> tuple[Answer, Answered]:
        def answered(_answer: Answer | None, _at: At) -> None:
            self._told[connector] = status  # an error is no reason to say it for ever

        return self._of.dialect.status(self._of, connector, status, at), answered
