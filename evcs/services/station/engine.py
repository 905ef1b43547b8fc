"""A CP's Engine as a charging station of a back end: the back end alone says who charges.

What it holds is in its journal before anyone is told, back end and Central alike. No absence of
anybody ends a charge.
"""

from __future__ import annotations

from typing import Any

from evcs.core import messages as m
from evcs.core import supply as s
from evcs.core.asked_messages import SIMULATED
from evcs.core.charger import Reading
from evcs.core.end_reasons import EndReason
from evcs.core.health import EngineAnswer
from evcs.core.ocpp import back_end as b
from evcs.core.ocpp import station_record
from evcs.core.ocpp.station import EmulatedStation
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_meter import Sample
from evcs.core.ocpp.station_record import StationRecord
from evcs.core.ports import Connected, Disconnected, Received
from evcs.runtime.crash_points import crash_point, fail_point
from evcs.services.station import views
from evcs.services.station.books import Books
from evcs.services.station.contactor import Contactor
from evcs.services.station.link import BackEndLink
from evcs.services.station.outside import StationOutside
from evcs.services.station.presented import PresentedCards

TICK_S = 1.0
IDLE_S = 60.0
SOONEST_S = 0.05
TELL_AGAIN_EVERY = 5


class StationEngine:
    """One CP's; all its state is here, its journal and its charger."""

    def __init__(self, cp: str, outside: StationOutside) -> None:
        fail_point("engine.made", cp)
        self._cp, self._outside, self._log = cp, outside, outside.log
        self._births = 0
        found = outside.journal.last(station_record.is_record)
        kept = station_record.from_record(found, outside.key)
        self._kept = kept._replace(station=kept.station.born(outside.now().wall))
        self._station = self._begun(self._kept)
        self._books = Books(cp, self._kept.charges, outside.bus)
        self._link = BackEndLink(outside.back_end, outside.log)
        self._cards = PresentedCards(self._reply)
        self._contactor = Contactor(outside.charger, outside.max_power_w)
        self._ready = self._unsaved = False
        self._central: bool | None = None
        self._why: str | None = None
        self._told: m.EngineStatus | None = None
        self._tick_at, self._ticks = 0.0, 0
        outside.charger.set_fault(self._kept.fault)
        self._contactor.switch(self._station, outside.now(), kept=True)
        self._link.dial_as(outside.dialect.password(self._kept.station))
        if self._kept.station.transaction is not None:
            self._log.info("transaction=%d goes on", self._kept.station.transaction.number)
        self._answer = self._health()

    def handle(self, events: list[Any]) -> float | None:
        """One batch of events; how soon to tick, where that is sooner than it was asked for."""
        for event in events:
            self._on_event(event)
            self._follow()
        self._commit()
        pause_s = self._pause_s()
        due = self._outside.now().clock + pause_s
        if due >= self._tick_at:
            return None
        self._tick_at = due
        return pause_s

    def tick(self, now: float) -> float:
        """Once a second while it charges: meter. Else when something is due."""
        fail_point("engine.tick", self._cp)
        reading = self._contactor.step(now)
        self._ticks += 1
        at = self._outside.now()
        if reading is not None:
            self._meter(reading, at)
        self._station.tick(at)
        if self._station.hangs(at):
            self._log.warning("the back end owes an answer for too long; it is dialled anew")
            self._link.drop("no answer in time")
        self._follow()
        if self._ticks % TELL_AGAIN_EVERY == 0:
            self._books.untold = True
        self._commit()
        pause_s = self._pause_s()
        self._tick_at = self._outside.now().clock + pause_s
        return pause_s

    def health(self) -> EngineAnswer:
        """What its Monitor and the CP Manager want to know."""
        fail_point("engine.health", self._cp)
        return self._answer

    @property
    def is_ready(self) -> bool:
        """Whether it has told its state on the bus."""
        return self._ready

    def _pause_s(self) -> float:
        if self._contactor.closed or self._unsaved or self._books.held.transactions:
            return TICK_S
        due, now = self._station.due, self._outside.now().clock
        return IDLE_S if due is None else min(max(due - now, SOONEST_S), IDLE_S)

    def _begun(self, kept: StationRecord, why: str = "PowerUp") -> EmulatedStation:
        outside = self._outside
        self._births += 1
        boot = f"{outside.boot}.{self._births}"  # no id of a message comes again
        made = EmulatedStation(kept.station, outside.dialect, outside.schemas, boot, why)
        made.fault, made.most_w = kept.fault, outside.max_power_w()
        return made

    # What happens.

    def _on_event(self, event: Any) -> None:
        at = self._outside.now()
        if isinstance(event, Received):
            self._on_message(event.message, at)
        elif isinstance(event, Connected):
            self._ready, self._told = True, None
            self._books.untold = True
        elif isinstance(event, Disconnected):
            self._central = None
            self._log.warning("bus: %s", event.reason)
            if event.refused:
                self._end("Other", EndReason.REVOKED, at)
        elif isinstance(event, b.Opened):
            self._link.opened()
            self._station.opened(at)
        elif isinstance(event, b.Said):
            crash_point("station.heard")
            self._link.heard(event.text)
            self._station.said(event.text, at)
        elif isinstance(event, b.Lost):
            if self._link.lost(event) and event.reason.startswith(b.UNTRUSTED):
                self._station.secure("InvalidCentralSystemCertificate", at)
            self._station.lost(at)

    def _on_message(self, message: m.Message | m.Cleared, at: At) -> None:
        if isinstance(message, m.Command):
            self._on_command(message, at)
        elif isinstance(message, m.StationAnswer):
            self._books.answered(message)
        elif isinstance(message, m.ServiceStatus) and message.online != self._central:
            self._central = message.online
            self._books.untold |= message.online

    def _on_command(self, cmd: m.Command, at: At) -> None:
        fail_point("engine.command", self._cp)
        if cmd.verb == "present" and cmd.tag:
            self._cards.add(cmd.tag, cmd.id)
            self._station.present(cmd.tag, at)
            return
        if cmd.verb == "backend":
            self._reply(cmd.id, None, views.exchanged(self._station, self._link))
            return
        if cmd.verb in SIMULATED:
            self._simulate(cmd, at)
            error = None
        else:
            error = self._of_session(cmd, at)
        self._station.talk.pump(at)
        self._reply(cmd.id, error)

    def _of_session(self, cmd: m.Command, at: At) -> str | None:
        """Central looks on: it may end a charge, and says when it has the ticket."""
        if cmd.verb in ("stop", "resume"):
            if not self._books.is_live(cmd.session_id):
                return s.Refusal.NO_SESSION
            if cmd.verb == "stop":
                self._end("Other", cmd.reason or EndReason.STOPPED, at)
        elif cmd.verb == "settled":
            self._books.settled(cmd.session_id)
        elif cmd.verb != "limit" or cmd.max_power_w is not None:
            return s.Refusal.BAD_COMMAND
        return None

    def _simulate(self, cmd: m.Command, at: At) -> None:
        """What is done to the charger by hand."""
        if cmd.verb == "plug":
            self._station.plug(at)
            self._outside.charger.plug()
            if self._outside.token and self._station.held.transaction is None:
                self._station.present(self._outside.token, at)
        elif cmd.verb == "unplug":
            self._why = EndReason.UNPLUGGED
            self._station.unplug(at)
            self._outside.charger.unplug()
        elif cmd.verb == "fault":
            self._why = EndReason.FAULT
            self._station.faulted(cmd.reason or "fault", at)
        else:
            self._station.faulted(None, at)
        self._outside.charger.set_fault(self._station.fault)

    def _end(self, reason: str, why: str, at: At) -> None:
        self._why = why
        self._station.end(reason, at)

    def _meter(self, reading: Reading, at: At) -> None:
        one = self._station.held.transaction
        if one is None:
            return
        self._station.most_w = self._outside.max_power_w()
        self._station.metered(
            Sample(
                one.meter_wh + reading.energy_wh, reading.power_w, reading.voltage_v,
                reading.current_a, self._station.limit_w(at),
            )
        )  # fmt: skip
        self._books.meter(self._station.held.register_wh, reading)
        if reading.full and not self._station.full:
            self._why = EndReason.COMPLETED
            self._station.filled(at)

    def _follow(self) -> None:
        self._books.follow(self._station.held, self._why)
        self._why = None

    # What comes of it: kept, switched, told, in this order.

    def _commit(self) -> None:
        kept = self._keep()
        self._contactor.switch(self._station, self._outside.now(), kept)
        if kept:
            crash_point("station.kept")
            self._link.send(self._station.out)
            crash_point("station.sent")
            self._cards.answer(self._station.reader.answers)
            self._books.tell(self._outside.now().wall)
            self._restart()
        else:
            self._cards.answer(self._station.reader.answers, s.Refusal.DISK_FULL)
            self._books.reading = None  # it may come again, another one
        for text in self._station.talk.odd:
            self._log.warning("back end: %s", text)
        self._station.talk.odd.clear()
        self._link.dial_as(self._outside.dialect.password(self._kept.station))
        keys = self._station.keys
        self._link.set(keys.number("WebSocketPingInterval"), self._outside.dialect.back_off(keys))
        self._tell_status()
        self._answer = self._health()

    def _keep(self) -> bool:
        """Have all of it on the disk; what begins and can't be kept has not begun."""
        kept = StationRecord(self._station.held, self._books.held, self._station.fault)
        if kept == self._kept and not self._unsaved:
            return True
        try:
            self._outside.journal.append(
                station_record.to_record(kept),
                sync=station_record.matters(kept) != station_record.matters(self._kept),
            )
        except OSError as error:
            if not self._unsaved:
                self._log.error("the journal can't be written (%s); make room", error.strerror)
            self._unsaved = True
            if kept.station.transaction not in (None, self._kept.station.transaction):
                self._undo()
            return False
        self._kept, self._unsaved = kept, False
        return True

    def _undo(self) -> None:
        self._station = self._begun(self._kept)
        self._books.held = self._kept.charges
        self._link.drop("no room in the journal")
        self._cards.refuse(s.Refusal.DISK_FULL)

    def _restart(self) -> None:
        """After a reset: as after a start, with what is kept."""
        if self._station.restarts and self._station.talk.due is None:
            self._log.info("begins anew: %s", self._station.restarts)
            self._link.drop(self._station.restarts)
            self._station = self._begun(self._kept, self._station.restarts)

    def _reply(self, id_: str, error: str | None, body: dict[str, Any] | None = None) -> None:
        self._outside.bus.publish(m.Reply(self._cp, id_, error is None, error, body or {}))

    def _tell_status(self) -> None:
        status = views.status(
            self._cp, self._outside.boot, self._central, self._station, self._books, self._link
        )
        if self._ready and status != self._told:
            self._told = status
            self._outside.bus.publish(status)

    def _health(self) -> EngineAnswer:
        charge = views.charge(self._books)
        return EngineAnswer(self._station.fault, self._ready, charge, self._contactor.closed)
