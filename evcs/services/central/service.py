"""Central's loop: what the bus says goes to records and decisions; what follows, out at the end.

Received -> RetainedView (is it news?) -> Fleet (decide) -> Outbox (commit, then publish).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from evcs.core import audit
from evcs.core import messages as m
from evcs.core.cp_record import CpRecord
from evcs.core.decisions import events as d
from evcs.core.effects import Audit
from evcs.core.patience import PATIENCE, Patience
from evcs.core.ports import Bus, Clock, Connected, Disconnected, Ledger, Received, Stray
from evcs.core.retained_view import OF_REGISTRY, RetainedView
from evcs.core.session_commands import command_of
from evcs.services.central.auditor import NO_SOURCES, Auditor, Sources
from evcs.services.central.charger_requests import ChargerRequests
from evcs.services.central.driver_requests import DriverRequests
from evcs.services.central.entries import Entries
from evcs.services.central.fleet import Fleet
from evcs.services.central.hosts import HostStates
from evcs.services.central.ledger_writer import LedgerWriter
from evcs.services.central.listening import Strays
from evcs.services.central.load_manager import LoadManager
from evcs.services.central.operator_requests import OperatorRequests
from evcs.services.central.outbox import Outbox
from evcs.services.central.power_notes import PowerNotes
from evcs.services.central.readings import Readings
from evcs.services.central.relay import MANAGER, Relay
from evcs.services.central.relay import VERBS as RELAYED
from evcs.services.central.standing import StandingStates
from evcs.services.central.state_publisher import StatePublisher

TICK_S = 0.5
#: While the broker's log has more than one look reads.
BEHIND_S = 0.1
REPEAT_EVERY_S = 5.0

_log = logging.getLogger("evcs")


class Central:
    """The stages of one batch; none of them knows this.

    `on_ask`: an Engine is told to begin a charge, or a CP Manager is asked for something.
    """

    def __init__(
        self, bus: Bus, ledger: Ledger, clock: Clock, birth: m.ServiceStatus,
        sources: Sources = NO_SOURCES,
        on_ask: Callable[[m.Command | m.ManagerCommand], object] = lambda _: None,
        patience: Patience = PATIENCE, keeps_readings: bool = True,
    ) -> None:  # fmt: skip
        self._bus, self._clock, self._birth = bus, clock, birth
        self._connected_at = clock.monotonic()
        self._view = RetainedView(birth.boot)
        begun = ledger.open_sessions()
        readings = Readings(clock, begun).due if keeps_readings else lambda _: ()
        self._writer = writer = LedgerWriter(ledger, readings)
        self._entries = entries = Entries(writer.add_entry, clock)
        self._outbox = outbox = Outbox(writer, entries, bus, on_ask)
        self.fleet = Fleet(begun, writer, outbox, self._connected_at, patience)
        noted = ledger.noted()
        standing = StandingStates(writer, noted)
        self._auditor = Auditor(writer, entries, noted, sources, clock, standing.faults())
        self._drivers = DriverRequests(self.fleet, ledger, outbox, clock)
        self._operators = OperatorRequests(self.fleet, writer, outbox, self._auditor)
        self._relay = Relay(self.fleet, outbox)
        self._charger_requests = ChargerRequests(self.fleet, writer, clock)
        self._hosts = HostStates(outbox)
        notes = PowerNotes(writer, noted)
        self.fleet.restore(notes, self._connected_at)
        self._load = LoadManager(self.fleet, outbox, notes, self._connected_at)
        self._states = StatePublisher(self.fleet, outbox, self._auditor, standing)
        self._strays = Strays()
        self._repeated_at = 0.0
        self._at = self._now()
        self._on = self._handlers()
        #: Of what is retained under one name: what there is to do once it is gone.
        self._forgets: dict[type, Callable[[str], None]] = {
            m.DesiredCp: self._on_deleted,
            m.DesiredDriver: self._charger_requests.forget,
            m.Circuit: self._load.forget,
            m.DesiredHost: self._hosts.forget,
        }

    def _handlers(self) -> dict[type, Callable[[Any], None]]:
        return {
            m.DesiredCp: self._on_desired,
            m.EngineStatus: self._on_cp,
            m.MonitorStatus: self._on_cp,
            m.Meter: self._on_cp,
            m.SessionEvent: self._on_cp,
            m.Reply: self._on_reply,
            m.Circuit: self._load.on_circuit,
            m.CircuitState: self._load.found,
            m.MeterPower: lambda measured: self._load.on_meter(measured, self._at),
            m.DesiredDriver: self._charger_requests.on_driver,
            m.StationRequest: self._on_station,
            m.CpState: self._states.found,
            m.DesiredHost: self._hosts.on_desired,
            m.HostState: self._hosts.found,
            m.Cleared: self._on_cleared,
            m.ServiceStatus: self._on_service,
            m.Flood: self._on_flood,
            m.DriverRequest: lambda asked: self._drivers.on_request(asked, self._at),
            m.OperatorRequest: self._on_operator,
            m.ManagerReply: self._on_manager,
            m.GatewayReply: self._relay.on_reply,
        }

    def handle(self, events: list[Any]) -> float | None:
        """One batch: decided together, committed together, then published. See loop.run."""
        self._at = self._now()
        for event in events:
            if isinstance(event, Received):
                if self._view.take(event.message, event.retained):
                    handler = self._on.get(type(event.message))
                    if handler is not None:
                        handler(event.message)
            elif isinstance(event, Stray):
                self._strays.add(event.topic)
            elif isinstance(event, Connected):
                self._on_connected()
            elif isinstance(event, Disconnected):
                self._view.disconnected()
                _log.warning("bus: %s", event.reason)
        self._finish()
        return 0.0 if self._drivers.waiting else None

    def tick(self, now: float) -> float:
        """What is due by time: absences, commands told again, figures, the summary."""
        self._at = self._now()
        if self._view.whole:
            self._hosts.look(self._at, self._view.listed)
            self._look_for_absences(now)
            if now - self._repeated_at >= REPEAT_EVERY_S:
                self._repeated_at = now
                self._repeat()
        self._writer.save_figures(now)
        self._operators.expire(now)
        self._relay.expire(now)
        self._load.watch(self._at)
        self._strays.clear(self._bus)
        self._entries.look()
        self._auditor.look()
        self._finish()
        if self._view.whole:
            self._states.publish_summary(self._bus, now)
        if self._drivers.waiting:
            return 0.0
        return TICK_S if not self._auditor.behind else BEHIND_S

    def _now(self) -> d.At:
        return d.At(self._clock.monotonic(), self._clock.timestamp(), self._connected_at)

    def _finish(self) -> None:
        self._auditor.take_up_expected()
        self._states.publish_progress(self._at)
        self._drivers.answer_pages()
        if self._view.whole and self._bus.connected:
            self._load.look(self._at)
        if self._view.whole:
            self._states.publish_states(self._at)
        self.fleet.take_back(self._outbox.commit(), self._at)

    def _on_connected(self) -> None:
        self._connected_at = self._clock.monotonic()
        self._at = self._now()
        self._view.connected()
        self._states.connected()
        self._relay.connected()
        self._hosts.connected()
        self._load.connected()
        self._charger_requests.connected()
        self._outbox.publish(self._birth)

    def _on_service(self, status: m.ServiceStatus) -> None:
        """Our own birth comes behind all that the broker kept: now judge, and tell."""
        self._relay.on_status(status)
        service, _, host = status.service.partition("/")
        if service == MANAGER:
            self.fleet.host_told(host, status.online)
            self._hosts.on_status(host, status)
        if self._view.listed:
            self._forget_stale()
        if status.boot == self._birth.boot and status.online:
            self._states.judge_all()
            self._load.clear_states()
            self._repeat()

    def _forget_stale(self) -> None:
        """Take away what went while Central could not hear it."""
        for kind in OF_REGISTRY:
            forget = self._forget_cp if kind is m.DesiredCp else self._forgets[kind]
            for name in self._view.stale(kind):
                self._view.forget(kind, name)
                forget(name)

    def _forget_cp(self, cp: str) -> None:
        self.fleet.forget_desired(cp)
        self._load.forget_cp(cp)
        self._states.clear(cp)

    def _on_deleted(self, cp: str) -> None:
        self._auditor.expect()
        if cp in self.fleet.records:
            self.fleet.apply(cp, d.Delete(), self._at)
            self.fleet.forget(cp)
            self._forget_cp(cp)

    def _on_desired(self, desired: m.DesiredCp) -> None:
        self._load.on_desired(desired)
        self._on_cp(desired)
        self._auditor.expect()

    def _on_cp(
        self, said: m.DesiredCp | m.EngineStatus | m.MonitorStatus | m.Meter | m.SessionEvent
    ) -> None:
        self.fleet.apply(said.cp, said, self._at)
        if not isinstance(said, m.Meter):
            self._load.heard(said.cp)

    def _on_station(self, asked: m.StationRequest) -> None:
        """Whose cards there are is known once the Registry has told; it is asked again."""
        if self._view.listed:
            self._charger_requests.on_request(asked, self._at)

    def _on_operator(self, asked: m.OperatorRequest) -> None:
        if asked.verb in RELAYED:
            self._relay.ask(asked, self._at.clock)
        else:
            self._operators.on_request(asked, self._at)

    def _on_manager(self, reply: m.ManagerReply) -> None:
        self._relay.on_reply(reply)
        self._hosts.on_reply(reply, self._at)

    def _on_reply(self, reply: m.Reply) -> None:
        record = self.fleet.records.get(reply.cp)
        session = record.session if record else None
        if session is not None and command_of(reply)[0] == session.session_id:
            self.fleet.apply(reply.cp, reply, self._at)
        else:
            self._operators.on_reply(reply)

    def _on_flood(self, flood: m.Flood) -> None:
        """FairShare says who says or asks for more than is carried: the Registry shuts him out."""
        _log.error("%s floods; shut out", flood.identity)
        self._bus.publish(flood)
        entry = Audit(flood.identity, audit.FLOOD, None, "shut out", share=flood.identity)
        self._entries.add(entry)

    def _on_cleared(self, cleared: m.Cleared) -> None:
        if forget := self._forgets.get(cleared.kind):
            forget(*cleared.key.values())
            return
        cp = cleared.key.get("cp", "")
        record = self.fleet.records.get(cp)
        if record is None:
            return
        if record.desired is None and record.session is None and record.late is None:
            self.fleet.forget(cp)
        elif cleared.kind is m.EngineStatus:
            self.fleet.apply(cp, d.EngineStale(), self._at)
        elif cleared.kind is m.MonitorStatus:
            self.fleet.apply(cp, d.MonitorStale(), self._at)

    def _repeat(self) -> None:
        for session in list(self.fleet.open.values()):
            self.fleet.apply(session.cp, d.Repeat(), self._at)

    def _look_for_absences(self, now: float) -> None:
        self._look_for_stale(m.EngineStatus, d.EngineStale(), now)
        self._look_for_stale(m.MonitorStatus, d.MonitorStale(), now)
        for cp in {session.cp for session in self.fleet.open.values()}:
            record = self.fleet.records[cp]
            if record.session is None:
                continue
            gone = self._view.listed and not record.desired and record.engine_away
            if gone and self._silence_counts(record, now):
                self.fleet.apply(cp, d.Delete(), self._at)
            elif record.monitor_lost_at is not None and record.seen:
                self.fleet.apply(cp, d.MonitorAbsent(), self._at)

    def _look_for_stale(self, kind: type, stale: d.Event, now: float) -> None:
        """Who was heard over an earlier connection only."""
        for cp in self._view.stale(kind):
            record = self.fleet.records.get(cp)
            if record is None or not self._silence_counts(record, now):
                continue
            if (record.engine if kind is m.EngineStatus else record.monitor) is not None:
                self.fleet.apply(cp, stale, self._at)

    def _silence_counts(self, record: CpRecord, now: float) -> bool:
        """After a new connection, in some seconds: the broker may have lost a will."""
        return now - self._connected_at > record.deadlines.reconnect_grace_s
