"""An emulated charging station of OCPP 1.6 with one connector: what it says to its back end.

Pure: events come in with their time, and the caller sees to what is wanted of it: `held` is on the
disk before `out` is sent, and the contactor is as `wants_power` says. Section numbers are those of
OCPP 1.6 edition 2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from evcs.core.ocpp import station_cards as cards
from evcs.core.ocpp import station_meter as meter
from evcs.core.ocpp.ports import Schemas
from evcs.core.ocpp.rules import Version
from evcs.core.ocpp.station_16_orders import SERVED
from evcs.core.ocpp.station_16_words import Identity, status_of
from evcs.core.ocpp.station_calls import Ask, At, Conversation
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_keys import Keys
from evcs.core.ocpp.station_meter import Sample
from evcs.core.ocpp.station_state import METER, START, Held, Item
from evcs.core.ocpp.times import written

#: Between tries of BootNotification, and heartbeats, where the back end names no interval (4.2).
DEFAULT_INTERVAL_S = 60
MOST_INTERVAL_S = 86_400
#: Of what waits to be said once.
MOST_SOON = 20
Answer = dict[str, Any]
Answered = Callable[[Answer | None, At], None]


class Presented(NamedTuple):
    """What became of a card that was held to it: whether it did anything, and a word for it."""

    tag: str
    ok: bool
    word: str


class Station16:
    """One station. `boot`: the id of this start. `answers`: of cards that were held to it.

    `restarts`: the reason for which it is to begin anew, once `out` is sent and nothing is asked.
    """

    def __init__(self, held: Held, identity: Identity, schemas: Schemas, boot: str) -> None:
        self.held, self._identity, self._boot = held, identity, boot
        self.talk = Conversation(Version.V16, schemas, self)
        self.answers: list[Presented] = []
        self.fault: str | None = None
        self.full = False
        self.plugged = held.transaction is not None
        self.restarts = ""
        self.registration = ""
        self._boot_at = self._beat_at = self._retry_at = 0.0
        self._soon: deque[tuple[str, Answer, Answered]] = deque()
        self._cards: list[str] = []
        self._told: dict[int, str] = {}
        self._calls = 0
        self._schedule = meter.Schedule()
        self._sample = Sample(held.register_wh)

    # What the caller looks at.

    @property
    def out(self) -> list[str]:
        """Texts to be sent, in their order."""
        return self.talk.out

    @property
    def keys(self) -> Keys:
        """Its configuration."""
        return Keys(self.held.configuration)

    @property
    def is_online(self) -> bool:
        """Whether the back end has taken it up, and is there."""
        return self.talk.is_open and self.registration == ACCEPTED

    @property
    def wants_power(self) -> bool:
        """Whether the contactor is to be closed."""
        one = self.held.transaction
        return one is not None and not one.suspended and not self.full and self.fault is None

    def status(self, connector: int = 1) -> str:
        """Of its connector, or of itself (0): StatusNotification's word (4.9)."""
        one = self.held.transaction
        if self.fault is not None:
            return "Faulted"
        if connector == 1 and one is not None:
            if one.suspended:
                return "SuspendedEVSE"
            return "SuspendedEV" if self.full else "Charging"
        if self.held.inoperative:
            return "Unavailable"
        return "Preparing" if connector == 1 and self.plugged else "Available"

    def hangs(self, at: At) -> bool:
        """Whether the back end owes an answer for too long: it is to be dialled anew."""
        return self.talk.due is not None and at.clock >= self.talk.due

    @property
    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock; None: not before it is told."""
        times = [self._schedule.due, self.talk.due]
        if self.talk.is_open and self.talk.due is None:
            if self.registration == ACCEPTED:
                times += [self._beat_at, self._retry_at if self.held.queue else None]
            else:
                times.append(self._boot_at)
        return min((one for one in times if one is not None), default=None)

    # What happens.

    def opened(self, at: At) -> None:
        """Connected. One that has booted before goes on as it was (4.2)."""
        self._told.clear()
        self.talk.opened(at)

    def lost(self, at: At) -> None:
        """The connection is gone; about cards that wait for an answer it decides itself."""
        self.talk.lost()
        self._soon.clear()
        waiting, self._cards = self._cards, []
        for tag in waiting:
            self._decided(tag, cards.decided_here(self.held, self.keys, tag, _text(at), False), at)

    def said(self, text: str, at: At) -> None:
        """A message of the back end's."""
        self.talk.said(text, at)

    def present(self, tag: str, at: At) -> None:
        """A card is held to it: a transaction begins, or ends where the card may end it (4.1)."""
        one = self.held.transaction
        if one is not None:
            ends = cards.is_same(self.held, tag, one.tag, _text(at))
            if ends:
                self.end("Local", at, tag)
            self.answers.append(Presented(tag, ends, "stopped" if ends else "busy"))
        elif word := self.cannot_begin():
            self.answers.append(Presented(tag, False, word))
        else:
            found = cards.decided_here(self.held, self.keys, tag, _text(at), self.is_online)
            if found is None:
                self.authorise(tag)
            else:
                self._decided(tag, found, at)
        self.talk.pump(at)

    def begin(self, tag: str, at: At) -> None:
        """A transaction begins; the car is there."""
        self.plugged, self.full = True, False
        self.held = self.held.begun(tag, _text(at))

    def end(self, reason: str, at: At, tag: str = "") -> None:
        """The transaction, if there is one, is over for that reason; the car leaves."""
        if self.held.transaction is None:
            return
        measurands = self.keys.listed("StopTxnSampledData")
        value = meter.meter_value(self._sample, measurands, at.wall, meter.END)
        self.held = self.held.ended(reason, _text(at), tag, None if value is None else [value])
        self.full = self.plugged = False
        self.talk.pump(at)

    def metered(self, sample: Sample) -> None:
        """A reading of the meter: its register never falls."""
        wh = max(self.held.register_wh, sample.register_wh)
        self._sample = sample._replace(register_wh=wh)
        self.held = self.held._replace(register_wh=wh)

    def faulted(self, fault: str | None, at: At) -> None:
        """It breaks down, or is well again; a fault ends the transaction."""
        self.fault = fault
        if fault is not None:
            self.end("Other", at)
        self.talk.pump(at)

    def tick(self, at: At) -> None:
        """See what is due: readings, heartbeat, what waits for its next try."""
        charging = self.held.transaction is not None
        for key, context in self._schedule.look(self.keys, charging, at):
            self._read(key, context, at)
        self.talk.pump(at)

    # Cards.

    def cannot_begin(self) -> str:
        """Why no transaction may begin, "" where one may."""
        if self.fault is not None:
            return "faulted"
        if self.held.transaction is not None:
            return "busy"
        return "unavailable" if self.held.inoperative else ""

    def authorise(self, tag: str) -> None:
        """Ask the back end for a card, and begin where it is accepted."""

        def answered(answer: Answer | None, at: At) -> None:
            self._cards.remove(tag)
            info = {"status": "no answer"} if answer is None else answer["idTagInfo"]
            if answer is not None:
                self.held = cards.kept(self.held, self.keys, tag, info)
            self._decided(tag, info["status"], at)

        self._cards.append(tag)
        self._soon.append(("Authorize", {"idTag": tag}, answered))

    def _decided(self, tag: str, word: str | None, at: At) -> None:
        word = word or cards.OFFLINE
        hindered = self.cannot_begin() if word == ACCEPTED else ""
        if word == ACCEPTED and not hindered:
            self.begin(tag, at)
        ok = word == ACCEPTED and not hindered
        self.answers.append(Presented(tag, ok, hindered or word.lower()))

    # What the back end asks for.

    def serves(self, action: str) -> bool:
        """Whether it does that; else the answer is NotSupported (4.1 of OCPP-J)."""
        return action in SERVED

    def called(self, action: str, payload: Answer, at: At) -> Answer:
        """The answer to a CALL that is valid by its schema."""
        return SERVED[action](self, payload, at)

    def trigger(self, message: str, at: At) -> bool:
        """Have it say something once; False where too much waits."""
        if len(self._soon) >= MOST_SOON:
            return False
        if message == "BootNotification":
            self._soon.append((message, self._identity.boot(), self._booted))
        elif message == "Heartbeat":
            self._soon.append((message, {}, lambda _, then: self._beaten(then)))
        elif message == "StatusNotification":
            for connector in (0, 1):
                self._soon.append((message, *self._status(connector, at)))
        else:
            self._read("MeterValuesSampledData", meter.TRIGGERED, at)
        return True

    # What it has to say.

    def next_ask(self, at: At) -> Ask | None:
        """BootNotification until it is accepted (4.2); then what is of now; then what waits."""
        if self.restarts:
            return None
        if self._soon and self.registration in (ACCEPTED, "Pending"):
            return self._ask(*self._soon.popleft())
        if self.registration != ACCEPTED:
            due = at.clock >= self._boot_at
            return (
                self._ask("BootNotification", self._identity.boot(), self._booted) if due else None
            )
        for connector in (0, 1):
            if self._told.get(connector) != self.status(connector):
                return self._ask("StatusNotification", *self._status(connector, at))
        if self.held.head is not None and at.clock >= self._retry_at:
            return self._queued(self.held.head)
        if at.clock >= self._beat_at:
            return self._ask("Heartbeat", {}, lambda _, then: self._beaten(then))
        return None

    def _ask(self, action: str, payload: Answer, answered: Answered) -> Ask:
        self._calls += 1
        name = f"{self._boot}.{self._calls}"
        return Ask(name, action, payload, lambda answer, _, at: answered(answer, at))

    def _queued(self, item: Item) -> Ask:
        """The same id over connections; another one where the back end has answered this one."""
        return Ask(
            f"{self.held.key}-{item.number}-{item.failed}", item.action, self.held.sendable(item),
            lambda answer, _, at: self._taken(item, answer, at),
        )  # fmt: skip

    def _taken(self, item: Item, answer: Answer | None, at: At) -> None:
        if answer is None:
            self._not_taken(item, at)
            return
        self.held = self.held.taken(item, answer.get("transactionId"))
        info = answer.get("idTagInfo")
        if info is not None:
            self.held = cards.kept(self.held, self.keys, item.payload.get("idTag"), info)
            if item.action == START:
                self._judged(item.transaction, info["status"], at)

    def _not_taken(self, item: Item, at: At) -> None:
        """It waits longer each time (9.1.29, 9.1.30), and what is behind it waits with it."""
        self.held = self.held.refused(item, self.keys.number("TransactionMessageAttempts"))
        head = self.held.head
        if head is not None and head.number == item.number:
            wait_s = self.keys.number("TransactionMessageRetryInterval") * head.failed
            self._retry_at = at.clock + wait_s

    def _judged(self, number: int, status: str, at: At) -> None:
        """The back end's word to a begin: what is not accepted stops, or takes nothing (4.8)."""
        one = self.held.transaction
        if one is None or one.number != number or status == ACCEPTED:
            return
        if self.keys.is_set("StopTransactionOnInvalidId"):
            self.end("DeAuthorized", at)
        else:
            self.held = self.held._replace(transaction=one._replace(suspended=True))

    def _booted(self, answer: Answer | None, at: At) -> None:
        self._boot_at = at.clock + DEFAULT_INTERVAL_S
        if answer is None:
            return
        self.registration = answer["status"]
        interval_s = min(max(answer["interval"], 0), MOST_INTERVAL_S) or DEFAULT_INTERVAL_S
        self._boot_at = at.clock + interval_s
        if self.registration == ACCEPTED:
            self.held = self.held.configured("HeartbeatInterval", str(interval_s))
            self._beaten(at)

    def _beaten(self, at: At) -> None:
        interval_s = self.keys.number("HeartbeatInterval") or DEFAULT_INTERVAL_S
        self._beat_at = at.clock + interval_s

    def _status(self, connector: int, at: At) -> tuple[Answer, Answered]:
        status = self.status(connector)

        def answered(_answer: Answer | None, _at: At) -> None:
            self._told[connector] = status  # an error is no reason to say it for ever

        return status_of(connector, status, self.fault, _text(at)), answered

    def _read(self, key: str, context: str, at: At) -> None:
        value = meter.meter_value(self._sample, self.keys.listed(key), at.wall, context)
        if value is not None:
            one = self.held.transaction
            payload = {"connectorId": 1, "meterValue": [value]}
            self.held = self.held.put(METER, payload, 0 if one is None else one.number)


def _text(at: At) -> str:
    return written(at.wall)
