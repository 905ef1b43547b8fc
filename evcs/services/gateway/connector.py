"""One connector of a charger as a CP: its Engine and its Monitor, played for the charger.

What a charger is answered is in the journal before. Central says whose a card is and to whom a
charge belongs; while it is away the charger waits, and what it has to tell is told again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from evcs.core import messages as m
from evcs.core.end_reasons import EndReason
from evcs.core.health import EngineAnswer
from evcs.core.ocpp import times
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.masking import masked_tag
from evcs.core.ocpp.readings import ChargerReading
from evcs.core.ports import Connected, Disconnected, Received
from evcs.core.session import CardStatus
from evcs.runtime.crash_points import crash_point, fail_point
from evcs.services.gateway.holdings import Holdings
from evcs.services.gateway.limits import LimitParts, Limits
from evcs.services.gateway.metering import Around, Metering
from evcs.services.gateway.orders import ConnectedCharger, OrderParts, Orders
from evcs.services.gateway.outside import ConnectorOutside, Place
from evcs.services.gateway.questions import CentralAway, Questions, start_of
from evcs.services.gateway.register import Register
from evcs.services.gateway.vacancy import Vacancy
from evcs.services.gateway.voice import ConnectorSeen, FromMonitor

TICK_S = 5.0
#: A reading that is older says nothing of now.
RECENT_S = 60.0
#: Charges that a charger may have begun and not ended: those before were given up by it.
MOST_OPEN = 50
#: And those that Central has not settled; a charger keeps what it can't tell.
MOST_HELD = 500


class Connector:
    """All its state is here and in its journal."""

    def __init__(self, place: Place, outside: ConnectorOutside) -> None:
        self.place, self._seen, self._ready = place, ConnectorSeen(), False
        self._voice, self._log, self._number = outside.voice, outside.log, outside.number
        self._now, self._steady, self._journal = outside.now, outside.steady, outside.journal
        self._holdings = Holdings(outside.journal, outside.log)
        self._register = Register(lambda: self.place.max_power_w, outside.steady, outside.log)
        self._questions = Questions(outside.voice.ask, outside.answer_within_s)
        parts = OrderParts(
            outside.number, outside.steady,
            lambda one, reason: self.end(one, None, reason, None), self._tell_status, outside.log,
        )  # fmt: skip
        self._orders = Orders(place.number, self._holdings, outside.voice, parts)
        self._metering = Metering(self._holdings, self._register, outside.log, Around(
            self._number, outside.steady, lambda: self.place.max_power_w,
            lambda: self._orders.charger is not None,
        ))  # fmt: skip
        self._vacancy = Vacancy(self._holdings, outside.steady, outside.log)
        told = LimitParts(outside.now, self._limited, self._refused, outside.log)
        self._limits = Limits(place.number, lambda: self.place.max_power_w, outside.voice, told)

    @property
    def _held(self) -> t.Held:
        return self._holdings.held

    # What its charger tells.
    def connected(self, charger: ConnectedCharger, service: str | None = None) -> None:
        """The charger is there; `service`: what it has confirmed before."""
        self._metering.keep()
        self._orders.connected(charger)
        self._limits.connected(charger, self._under_way, self.place.is_limited)
        self._seen = self._seen._replace(
            online=True, service=service, limit_w=None, fallback_w=None
        )
        self._tell_all()

    def confirmed(self, service: str) -> None:
        """It is in or out of service, by the charger's word."""
        if service != self._seen.service:
            self._seen = self._seen._replace(service=service)
            self._voice.monitor(self._seen)

    def left(self, charger: ConnectedCharger) -> None:
        """That connection of it is gone; it goes on charging, as far as is known."""
        if self._orders.charger is charger:
            self._metering.keep()
            self._orders.charger = None
            self._limits.left()
            self._vacancy.told(None)
            self._seen = self._seen._replace(online=False)
            self._tell_all()

    def told(self, status: str, fault: str | None) -> None:
        """Its own word for the state of the connector."""
        self._vacancy.told(status)
        seen = self._seen._replace(status=status, fault=fault)
        if seen != self._seen:
            self._seen = seen
            self._tell_all()

    async def authorise(self, tag: str) -> str:
        """What becomes of a card. Raises CentralAway where it was never seen before, either."""
        at = times.written(self._now())
        request = t.request_id(self.place.station, self.place.number, t.Begun(tag, at, -1))
        asked = m.StationRequest(self.place.cp, request, "authorise", tag, at)
        return await self._questions.status_of(asked)

    async def begin(self, begun: t.Begun) -> tuple[int, str]:
        """A charge began: its number, and what becomes of the card.

        Raises CentralAway, and OSError where it can't be kept; the charger tells it again.
        """
        crash_point("gateway.begin_received")
        begun = self._held.uncarded_as(begun)
        request = t.request_id(self.place.station, self.place.number, begun)
        known = self._held.told(begun, request)
        if known is None:
            self._make_room()
            self._metering.count()
            self._vacancy.used()
            known = t.begin(self._held, request, self._number, begun, self._steady().timestamp())
            known = known._replace(max_power_w=self.place.max_power_w)
            self._holdings.keep(self._held.begun(known))
            crash_point("gateway.begin_kept")
            self._log.info("transaction=%d begun tag=%a", known.id, masked_tag(begun.tag))
        if isinstance(known, t.Over):
            return known.id, known.status or CardStatus.ACCEPTED
        asked = start_of(self.place.cp, known, self._now())
        return known.id, known.status or await self._questions.status_of(asked)

    def plugged(self, begun: t.Begun) -> None:
        """A charge began for which nobody has shown a card yet. Raises OSError: not kept."""
        held = self._held.plugged(begun)
        if held != self._held:
            self._holdings.keep(held)

    def meter(self, one: t.Transaction, reading: ChargerReading, at: datetime | None) -> None:
        """A reading of a transaction."""
        now, one = self._now(), self._holdings.current(one)
        if one.phase == t.Phase.ENDED:
            return
        was_live, told = one.live, at if at is not None and times.is_set(at) else now
        one = one._replace(live=was_live or (now - told).total_seconds() < RECENT_S)
        self._vacancy.used()
        if reading.register_wh is not None:
            one = self._metering.read(one, reading.register_wh, at)
        self._register.refuse(one, reading.refused)
        self._holdings.put(one, sync=False)
        crash_point("gateway.reading_kept")
        if not was_live and one.live:
            self._tell_status()
        self._voice.reading(one, *self._register.flow(one, reading, at, self._seen.limit_w))
        if one.target_wh is not None and one.energy_wh >= one.target_wh:
            self._orders.stop(one, EndReason.COMPLETED)

    def end(
        self, one: t.Transaction, meter_wh: int | None, reason: str, at: datetime | None
    ) -> None:
        """A transaction ended, by its charger's word. Raises OSError where it can't be kept."""
        one = self._holdings.current(one)
        if one.phase == t.Phase.ENDED:
            return
        if reason == EndReason.STOPPED and one.reason is not None:
            reason = one.reason  # it was told to stop for that
        crash_point("gateway.end_received")
        ended = self._metering.end(one, meter_wh, reason, at)
        crash_point("gateway.end_kept")
        self._log.info("transaction=%d ended energy_wh=%d %s", one.id, ended.energy_wh, reason)
        self._tell_again(ended)
        self._tell_status()

    def revoke(self) -> None:
        """Its CP is shut out: what is under way is to end, which is told once that is over."""
        if self._held.live is not None:
            self._orders.stop(self._held.live, EndReason.REVOKED)

    def find(self, number: int | None = None, key: str = "") -> t.Transaction | t.Over | None:
        """A transaction by its number, or by the charger's name for it; else the one under way."""
        if key:
            return self._held.keyed(key)
        return self._held.live if number is None else self._held.numbered(number)

    def awaits(self, key: str) -> bool:
        """Whether that has begun and nobody has shown a card yet."""
        return key in (begun.key for begun in self._held.uncarded)

    @property
    def open(self) -> list[t.Transaction]:
        """Those whose end has not been told."""
        return [one for one in self._held.transactions if one.is_open]

    def health(self) -> EngineAnswer:
        """What the CP Manager wants to know."""
        shown = self._held.shown
        session = shown and (shown.session_id or shown.request_id)
        return EngineAnswer(self._seen.fault, self._ready, session, self._held.live is not None)

    # What the bus tells.
    def handle(self, events: list[Any]) -> float | None:
        """One batch of events of both connections."""
        for event in events:
            if isinstance(event, FromMonitor):
                if isinstance(event.event, Connected):
                    self._voice.monitor(self._seen)
            elif isinstance(event, Received):
                self._on_message(event.message)
            elif isinstance(event, Connected):
                self._ready = True
                self._tell_all()
            elif isinstance(event, Disconnected):
                self._seen = self._seen._replace(central=None)
                self._log.warning("bus: %s", event.reason)
        return None

    def tick(self, _now: float) -> float:
        """Tell again what Central has not answered; end what never began."""
        fail_point("gateway.tick", self.place.cp)
        self._questions.again()
        for one in self._held.transactions:
            self._tell_again(one)
        self._orders.look(self.place.leaves)
        self._metering.look()
        if self._vacancy.look():
            self._tell_status()
        self._holdings.again()
        self._limits.look()
        return TICK_S

    def close(self) -> None:
        """Nothing more is done."""
        self._orders.close()
        self._limits.close()
        self._journal.close()

    def _on_message(self, message: m.Message | m.Cleared) -> None:
        if isinstance(message, m.Command) and message.verb == "limit":
            self._limits.take(message)
        elif isinstance(message, m.Command):
            self._orders.take(message, self._seen)
        elif isinstance(message, m.StationAnswer):
            self._on_answer(message)
        elif isinstance(message, m.ServiceStatus) and message.online != self._seen.central:
            self._seen = self._seen._replace(central=message.online)
            self._tell_status()

    def _on_answer(self, answer: m.StationAnswer) -> None:
        known = self._held.requested(answer.id)
        if isinstance(known, t.Transaction) and answer.session_id is not None:
            one = t.answered(known, answer.session_id, answer.status)
            if one != known:
                self._holdings.put(one)
                crash_point("gateway.begin_answered")
                self._tell_again(one)
                self._voice.begun(one)
                self._tell_status()
        self._questions.answered(answer)

    def _under_way(self) -> t.Transaction | None:
        """The charge that its charger has begun."""
        live = self._held.live
        return live if live is not None and live.phase != t.Phase.REMOTE else None

    def _limited(self, limit_w: int | None, fallback_w: int | None) -> None:
        if (limit_w, fallback_w) != (self._seen.limit_w, self._seen.fallback_w):
            self._seen = self._seen._replace(limit_w=limit_w, fallback_w=fallback_w)
            self._register.limited(limit_w)
            self._tell_status()

    def _refused(self, error: str | None) -> None:
        if error != self._seen.limit_error:
            self._seen = self._seen._replace(limit_error=error)
            self._tell_status()

    def _make_room(self) -> None:
        """For one more charge. Raises CentralAway, OSError."""
        if len(self._held.transactions) >= MOST_HELD:
            raise CentralAway("too many charges wait for Central", "try again later")
        if len(self.open) >= MOST_OPEN:
            self.end(self.open[0], None, EndReason.SUPERSEDED, None)

    def _tell_all(self) -> None:
        self._voice.monitor(self._seen)
        for one in self._held.transactions:
            self._tell_again(one)
        if self._held.live is not None and self._seen.online:
            self._voice.begun(self._held.live)
        self._tell_status()

    def _tell_again(self, one: t.Transaction) -> None:
        """Its end; to whom it belongs, Central has to say first."""
        if one.session_id is not None:
            if one.phase == t.Phase.ENDED:
                self._voice.ended(one)
        elif one.request_id not in self._questions and self._metering.may_ask(one):
            self._voice.ask(start_of(self.place.cp, one, self._now()))

    def _tell_status(self) -> None:
        self._voice.engine(self._seen, self._held.shown)
