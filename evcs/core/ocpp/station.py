"""An emulated charging station with one connector, of any version: what it does, and says of it.

Pure: events come in with their time, and the caller sees to what is wanted of it: `held` is on the
disk before `out` is sent, and the contactor is as `wants_power` says. How a version says it is its
dialect's. Section numbers are those of OCPP 1.6 edition 2, use cases those of 2.0.1 part 2.
"""

from __future__ import annotations

from evcs.core.limits import minimum_power_w
from evcs.core.ocpp import station_meter as meter
from evcs.core.ocpp import station_profiles as profiles
from evcs.core.ocpp.ports import CallError, Schemas
from evcs.core.ocpp.rules import Code, Version
from evcs.core.ocpp.station_agenda import Agenda
from evcs.core.ocpp.station_begins import Begins
from evcs.core.ocpp.station_calls import Ask, At, Conversation
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Coming, Dialect
from evcs.core.ocpp.station_jobs import Jobs
from evcs.core.ocpp.station_meter import Sample
from evcs.core.ocpp.station_profiles import Car, Profile
from evcs.core.ocpp.station_reader import Reader
from evcs.core.ocpp.station_settings import Configuration
from evcs.core.ocpp.station_state import StationState
from evcs.core.ocpp.station_tokens import Card, Token
from evcs.core.ocpp.times import parse

SECURITY = "SecurityEventNotification"
#: Of those that wait.
MOST_EVENTS = 50
#: What a new CP can give, in W, until its Engine has said.
MOST_W = 22_000


class EmulatedStation:
    """One station. `boot`: the id of this start.

    `restarts`: the reason for which it is to begin anew, once `out` is sent and nothing is asked;
    `restarts_later`: once the transaction is over. `began`: why it did, 2.0.1's word.
    """

    def __init__(
        self,
        held: StationState,
        dialect: Dialect,
        schemas: Schemas,
        boot: str,
        began: str = "PowerUp",
    ) -> None:
        self.held, self.dialect = held, dialect
        self.talk = Conversation(dialect.version, schemas, self)
        self.agenda = Agenda(self, boot, began)
        self.reader = Reader(self)
        self.jobs = Jobs()
        self.fault: str | None = None
        self.full = self.halted = False
        self.most_w = MOST_W
        #: Of the transaction that is asked for from afar.
        self.wished: Profile | None = None
        self.plugged = held.transaction is not None and not held.absent
        self.restarts = self.restarts_later = ""
        self.coming: Coming | None = None
        self._begins = Begins()
        self._schedule = meter.Schedule()
        self.sample = Sample(held.register_wh)

    # What the caller looks at.

    @property
    def out(self) -> list[str]:
        """Texts to be sent, in their order."""
        return self.talk.out

    @property
    def keys(self) -> Configuration:
        """Its configuration."""
        return self.dialect.settings(self.held.configuration)

    @property
    def is_online(self) -> bool:
        """Whether the back end has taken it up, and is there."""
        return self.talk.is_open and self.agenda.registration == ACCEPTED

    @property
    def wants_power(self) -> bool:
        """Whether the contactor is to be closed."""
        one = self.held.transaction
        hindered = self.full or self.fault is not None or not self.plugged
        return one is not None and not one.suspended and not hindered

    @property
    def car(self) -> Car:
        """What its charging profiles are to limit."""
        one = self.held.transaction
        return Car(self.most_w, None if one is None else parse(one.at))

    def limit_w(self, at: At) -> int:
        """What the car may take by the charging profiles, in W."""
        if not self.held.profiles:
            return self.most_w
        return int(profiles.allowed_w(self.held.profiles, self.car, at.wall))

    @property
    def status(self) -> str:
        """Of its connector: StatusNotification's word."""
        return self.dialect.statuses(self)[1]

    def hangs(self, at: At) -> bool:
        """Whether the back end owes an answer for too long: it is to be dialled anew."""
        return self.talk.due is not None and at.clock >= self.talk.due

    @property
    def due(self) -> float | None:
        """When `tick` has something to do, by the monotonic clock; None: not before it is told."""
        times = [self._schedule.due, self.talk.due, self.coming and self.coming.until]
        times.append(self.jobs.due)
        if self.talk.is_open and self.talk.due is None:
            times.append(self.agenda.due)
        return min((one for one in times if one is not None), default=None)

    # What happens.

    def opened(self, at: At) -> None:
        """Connected. One that has booted before goes on as it was (4.2; B04)."""
        self.held = self.dialect.opened(self.held)
        self.agenda.opened(at)
        self.talk.opened(at)

    def lost(self, at: At) -> None:
        """The connection is gone."""
        self.talk.lost()
        self.agenda.lost(at)
        self.reader.lost(at)

    def said(self, text: str, at: At) -> None:
        """A message of the back end's."""
        self.talk.said(text, at)
        self._work(at)
        self._weigh(at)
        self.talk.pump(at)

    def present(self, tag: str, at: At) -> None:
        """A card is held to it."""
        self.reader.present(tag, at)
        self.talk.pump(at)

    def begin(self, token: Token, at: At, remote: int | None = None) -> None:
        """A transaction begins, as soon as a car is there. `remote`: the id of who asked for it."""
        if self.held.absent and not self.plugged:
            within_s = self.keys.number("ConnectionTimeOut")
            self.coming = Coming(token, remote, at.clock + within_s)
            return
        self.plugged, self.full = True, False
        self._begins.add(at.clock)
        self.held = self.held.begun(token, at.text)
        if self.wished is not None and self.held.transaction is not None:
            of = self.wished._replace(transaction=self.held.transaction.number)
            after = profiles.installed(self.held.profiles, of)
            self.held = self.held._replace(profiles=after or self.held.profiles)
        self.wished = None
        self.halted = self._is_halted(at)
        self.held = self.dialect.begun(self, at, remote)

    def plug(self, at: At) -> None:
        """A car is plugged in by hand: who waited for it begins (9.1.6)."""
        self.plugged = True
        self.held = self.held._replace(absent=False)
        coming, self.coming = self.coming, None
        if coming is not None and not self.cannot_begin(at):
            self.begin(coming.token, at, coming.remote)
        self.talk.pump(at)

    def unplug(self, at: At) -> None:
        """The car leaves by hand: until one is plugged in, none comes by itself (9.1.23)."""
        if self.keys.is_set("StopTransactionOnEVSideDisconnect"):
            self.end("EVDisconnected", at)
        self.held = self.held._replace(absent=True)
        self.plugged = False
        self.talk.pump(at)

    def filled(self, at: At) -> None:
        """The car has all that it wants, and leaves, if that ends the transaction."""
        if self.keys.is_set("StopTransactionOnEVSideDisconnect"):
            self.end("EVDisconnected", at)
        else:
            self.full = True
            self.talk.pump(at)

    def end(self, reason: str, at: At, token: Token | None = None) -> None:
        """The transaction, if there is one, is over for that reason; the car leaves."""
        before = self.held
        if before.transaction is None:
            return
        self.held = before.ended(reason)
        self.held = self.dialect.ended(self, before.transaction, reason, token, at)
        self.full = self.plugged = False
        self._takes_nothing()
        self.restarts = self.restarts or self.restarts_later
        self.talk.pump(at)

    def metered(self, sample: Sample) -> None:
        """A reading of the meter: its register never falls."""
        wh = max(self.held.register_wh, sample.register_wh)
        self.sample = sample._replace(register_wh=wh)
        self.held = self.held._replace(register_wh=wh)

    def _takes_nothing(self) -> None:
        self.sample = Sample(self.held.register_wh, voltage_v=self.sample.voltage_v)

    def faulted(self, fault: str | None, at: At) -> None:
        """It breaks down, or is well again; a fault ends the transaction."""
        self.fault = fault
        if fault is not None:
            self.coming = self.wished = None
            self.end("Other", at)
        self.talk.pump(at)

    def tick(self, at: At) -> None:
        """See what is due: readings, heartbeat, what waits for its next try."""
        if self.coming is not None and at.clock >= self.coming.until:
            self.coming = self.wished = None
        charging = self.held.transaction is not None
        for key, context in self._schedule.look(self.keys, charging, at):
            self.held = self.dialect.read(self, key, context, at)
        self._work(at)
        self._weigh(at)
        self.talk.pump(at)

    def _work(self, at: At) -> None:
        for event in self.jobs.tick(at, self.held.transaction is not None):
            self.secure(event, at)

    def secure(self, event: str, at: At) -> None:
        """A security event, which waits as what matters does; where it dials with a password or a
        certificate."""
        waiting = sum(one.action == SECURITY for one in self.held.queue)
        if self.dialect.identity.security_profile and waiting < MOST_EVENTS:
            self.held = self.held.put(SECURITY, {"type": event, "timestamp": at.text})

    def _weigh(self, at: At) -> None:
        before, self.halted = self.halted, self._is_halted(at)
        if self.halted != before and self.held.transaction is not None:
            self.held = self.dialect.turned(self, at)

    def _is_halted(self, at: At) -> bool:
        """Whether its limit is less than a car takes."""
        least_w = minimum_power_w(self.most_w)
        return self.held.transaction is not None and self.limit_w(at) < least_w

    def cannot_begin(self, at: At) -> str:
        """Why no transaction may begin, "" where one may."""
        if self.fault is not None:
            return "faulted"
        if self.held.transaction is not None or self.coming is not None:
            return "busy"
        if self.held.inoperative:
            return "unavailable"
        return self._begins.hinder(len(self.held.queue), at.clock)

    # What the back end asks for.

    def serves(self, action: str) -> bool:
        """Whether it does that; else the answer is NotSupported (4.1 of OCPP-J)."""
        return action in self.dialect.orders

    def called(self, action: str, payload: Answer, at: At) -> Answer:
        """The answer to a CALL that is valid by its schema. Raises CallError."""
        if self.agenda.registration == "Rejected" and self.dialect.version is Version.V201:
            raise CallError(Code.SECURITY, "it has not been accepted")  # B03.FR.08
        return self.dialect.orders[action](self, payload, at)

    def next_ask(self, at: At) -> Ask | None:
        """What it has to say now."""
        return None if self.restarts else self.agenda.next_ask(at)

    def judged(self, number: int, card: Card, at: At) -> None:
        """The back end's word to a begin: what is not accepted stops, or takes nothing (4.8; E05).

        `number`: of the transaction.
        """
        one = self.held.transaction
        if one is None or one.number != number or one.suspended or card.status == ACCEPTED:
            return
        if self.keys.is_set("StopTransactionOnInvalidId"):
            self.end("DeAuthorized", at)
        else:
            self._takes_nothing()
            self.held = self.held._replace(transaction=one._replace(suspended=True))
            self.held = self.dialect.turned(self, at)
