"""Central's loop: observed and desired come in, judged states, commands and tickets go out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from evcs.adapters.clock import timestamp
from evcs.adapters.ledger import Ledger
from evcs.core import messages as m
from evcs.core import session as s
from evcs.core import topics
from evcs.core.ports import Bus, Connected, Disconnected, Received, Stray
from evcs.services.central import fleet
from evcs.services.central.auditor import NO_SOURCES, Auditor, Sources
from evcs.services.central.charging import Charging
from evcs.services.central.entries import Entries
from evcs.services.central.listening import Strays
from evcs.services.central.outbox import Outbox
from evcs.services.central.requests import Requests
from evcs.services.central.sessions import Sessions
from evcs.services.central.state_publisher import StatePublisher

TICK_S = 0.5
REPEAT_EVERY_S = 5.0

_log = logging.getLogger("evcs")


class Central:
    """The fleet as judged, the sessions, and who is told what."""

    def __init__(
        self, bus: Bus, ledger: Ledger, clock: Callable[[], float], birth: m.ServiceStatus,
        sources: Sources = NO_SOURCES,
    ) -> None:  # fmt: skip
        self._bus, self.clock, self._birth = bus, clock, birth
        self.fleet: dict[str, fleet.Known] = {}
        self._outbox = Outbox(ledger, bus)
        self.entries = Entries(self._outbox, clock)
        self.sessions = Sessions(ledger, self._outbox, self.entries, clock)
        self._requests = Requests(self, ledger, self._outbox)
        self._auditor = Auditor(self._outbox, self.entries, ledger.noted(), sources)
        self._charging = Charging(self, self._outbox)
        self.judging = StatePublisher(self, self._outbox, self._auditor)
        self.connected_at = clock()
        self._strays = Strays()
        self._ready = False
        self._registry_told = False
        self._repeated_at = 0.0
        self._on: dict[type, Callable[[Any], None]] = {
            m.DesiredCp: self._on_desired,
            m.EngineStatus: self._on_engine,
            m.MonitorStatus: self._on_monitor,
            m.Meter: self._charging.on_meter,
            m.SessionEvent: self._charging.on_session,
            m.Reply: self._on_reply,
            m.CpState: self._on_own_state,
            m.Cleared: self._on_cleared,
            m.ServiceStatus: self._on_own_birth,
            m.Flood: self._on_flood,
            m.DriverRequest: self._requests.on_driver,
            m.OperatorRequest: self._requests.on_operator,
        }

    def handle(self, events: list[Any]) -> float | None:
        """One batch: judged together, committed together, then told. See loop.run."""
        for event in events:
            if isinstance(event, Received):
                self._on_received(event)
            elif isinstance(event, Stray):
                self._strays.add(event.topic)
            elif isinstance(event, Connected):
                self._on_connected()
            elif isinstance(event, Disconnected):
                self._ready = False
                _log.warning("bus: %s", event.reason)
        self._finish()
        return 0.0 if self._requests.waiting else None

    def _on_received(self, event: Received) -> None:
        message = event.message
        if isinstance(message, m.ServiceStatus) and message.service == "registry":
            self._on_registry(message, event.retained)
            return
        handler = self._on.get(type(message))
        if handler is not None:
            handler(message)

    def tick(self, now: float) -> float:
        """What is due by time: absences, commands told again, figures, the summary."""
        if self._ready:
            for cp in list(self.fleet):
                self._check_absence(cp, now)
            if now - self._repeated_at >= REPEAT_EVERY_S:
                self._repeated_at = now
                for session in list(self.sessions.open.values()):
                    self.tell_due(session)
        self.sessions.save_figures(now)
        self._strays.clear(self._bus)
        self.entries.look()
        self._auditor.look()
        self._finish()
        if self._ready:
            self.judging.tell_summary(self._bus, now)
        return 0.0 if self._requests.waiting else TICK_S

    def known(self, cp: str) -> fleet.Known:
        """What is known of a CP, if only from its own word."""
        now = self.clock()
        return self.fleet.get(cp) or fleet.Known(cp, engine_lost_at=now, monitor_lost_at=now)

    def cps(self, after: str = "") -> Iterator[m.DesiredCp]:
        """The CPs that the Registry wants, by id; those behind one, if it is named."""
        for cp in sorted(name for name in self.fleet if name > after):
            desired = self.fleet[cp].desired
            if desired is not None:
                yield desired

    def tell(self, cmd: m.Command) -> None:
        """Send a command to an Engine, once all is written."""
        self._outbox.publish(cmd)

    def mark_dirty(self, cp: str) -> None:
        """Have the CP judged at the end of this batch."""
        self.judging.mark_dirty(cp)

    def stop_session(self, session: s.Session, reason: str) -> None:
        """End a session for a reason; told to its Engine now, or when that is back."""
        self.tell_due(self.sessions.advance(session, s.Stop(reason)))
        self.mark_dirty(session.cp)

    def take_up_spools(self) -> None:
        """Have in this batch's transaction what other services have for the audit."""
        self._auditor.take_up()

    def _finish(self) -> None:
        now = self.clock()
        self._auditor.take_up_expected()
        self._charging.tell_progress(now)
        self._requests.answer_pages()
        if self._ready:
            self.judging.tell(now)
        for refused in self._outbox.flush():
            self.sessions.unwritten(refused)

    def _on_connected(self) -> None:
        self.connected_at = self.clock()
        self._registry_told = False
        for cp, known in self.fleet.items():
            self.fleet[cp] = known._replace(tell_again=True, heard=frozenset())
        self.judging.begin_anew()
        self._outbox.publish(self._birth)

    def _on_own_birth(self, status: m.ServiceStatus) -> None:
        """Our own birth comes back behind all that the broker kept: now judge, and tell."""
        if status.service == "central" and status.boot == self._birth.boot and status.online:
            self._ready = True
            if self._registry_told:
                self._forget_unheard()
            self.judging.mark_dirty(*self.fleet)
            for session in list(self.sessions.open.values()):
                self.tell_due(session)

    def _on_registry(self, status: m.ServiceStatus, retained: bool) -> None:
        """The Registry's birth comes behind all that it wants: what it didn't name is gone.

        A retained one says that the broker kept its list, which is whole with our own birth.
        """
        self._registry_told = True
        if status.online and not retained and self._ready:
            self._forget_unheard()

    def _forget_unheard(self) -> None:
        """Take away states of CPs whose deletion was told while Central could not hear it."""
        for cp, known in list(self.fleet.items()):
            if known.desired is not None and "registry" not in known.heard:
                self.fleet[cp] = known._replace(desired=None, told=None)
                self._outbox.publish(topics.clear(m.CpState, cp=cp))

    def _on_desired(self, desired: m.DesiredCp) -> None:
        known = self.known(desired.cp)
        self.fleet[desired.cp] = known._replace(desired=desired, heard=known.heard | {"registry"})
        self.mark_dirty(desired.cp)
        self._auditor.expect()
        session = self.sessions.at_cp(desired.cp)
        if session is None:
            return
        if desired.deleted:
            self.stop_session(session, "deleted")
        elif desired.revoked:
            self.stop_session(session, "revoked")
        elif desired.service == "out":
            self.stop_session(session, "out_of_order")

    def _on_engine(self, status: m.EngineStatus) -> None:
        known = self.known(status.cp)
        if fleet.stale(known.engine, status):
            return
        lost_at = known.engine_lost_at
        self.fleet[status.cp] = known._replace(
            engine=status,
            engine_lost_at=None if status.online else (lost_at or self.clock()),
            heard=known.heard | {"engine"},
        )
        self.mark_dirty(status.cp)
        if status.online:
            self._charging.reconcile(status, lost_at)
        else:
            self._engine_lost(status.cp)

    def tell_due(self, session: s.Session) -> None:
        """Tell a session's Engine what it has to do now, if there is anything."""
        known = self.fleet.get(session.cp)
        due = self.sessions.due(session, known.engine if known else None)
        if due is not None:
            self.tell(due)

    def _engine_lost(self, cp: str) -> None:
        session = self.sessions.at_cp(cp)
        if session is not None:
            self.sessions.advance(session, s.Lost())

    def _on_monitor(self, status: m.MonitorStatus) -> None:
        known = self.known(status.cp)
        if fleet.stale(known.monitor, status):
            return
        lost_at = None if status.online else (known.monitor_lost_at or self.clock())
        self.fleet[status.cp] = known._replace(
            monitor=status, monitor_lost_at=lost_at, heard=known.heard | {"monitor"}
        )
        self.mark_dirty(status.cp)
        session = self.sessions.at_cp(status.cp)
        if session is None or not status.online:
            return
        if status.engine == "ko":
            self.stop_session(session, "fault")
        elif status.engine == "silent":
            self._engine_lost(status.cp)

    def _on_reply(self, reply: m.Reply) -> None:
        if not self._charging.on_reply(reply):
            self._requests.on_reply(reply)
        self.mark_dirty(reply.cp)

    def _on_flood(self, flood: m.Flood) -> None:
        """Somebody says more than can be read: the Registry shuts him out for a while."""
        _log.error("%s floods; shut out", flood.identity)
        self._outbox.publish_at_once(flood)
        self.entries.add(flood.identity, "flood", None, "shut out")

    def _on_own_state(self, state: m.CpState) -> None:
        """What an earlier run told: `since` goes on from it; of an unknown CP it is taken away."""
        known = self.fleet.get(state.cp)
        if known is None or known.desired is None:
            self._outbox.publish(topics.clear(m.CpState, cp=state.cp))
        elif known.told is None:
            self.fleet[state.cp] = known._replace(told=state, tell_again=True)

    def _on_cleared(self, cleared: m.Cleared) -> None:
        cp = cleared.key.get("cp", "")
        if cleared.kind is m.DesiredCp:
            self._auditor.expect()
        known = self.fleet.get(cp)
        if known is None:
            return
        if cleared.kind is m.DesiredCp:
            session = self.sessions.at_cp(cp)
            if session is not None:
                self.sessions.advance(session, s.Closed("deleted", timestamp()))
            del self.fleet[cp]
            self._outbox.publish(topics.clear(m.CpState, cp=cp))
        elif known.desired is None:
            del self.fleet[cp]
        elif cleared.kind is m.EngineStatus:
            self._engine_unheard(cp, known)
        elif cleared.kind is m.MonitorStatus:
            self._monitor_unheard(cp, known)

    def _engine_unheard(self, cp: str, known: fleet.Known) -> None:
        self.fleet[cp] = known._replace(engine=None, engine_lost_at=self.clock())
        self._engine_lost(cp)
        self.mark_dirty(cp)

    def _monitor_unheard(self, cp: str, known: fleet.Known) -> None:
        self.fleet[cp] = known._replace(monitor=None, monitor_lost_at=self.clock())
        self.mark_dirty(cp)

    def _check_absence(self, cp: str, now: float) -> None:
        known = self.fleet[cp]
        if now - self.connected_at > s.RECONNECT_GRACE_S:
            # After a new connection silence counts: the broker may have lost a will.
            if known.engine is not None and "engine" not in known.heard:
                self._engine_unheard(cp, known)
            if known.monitor is not None and "monitor" not in known.heard:
                self._monitor_unheard(cp, self.fleet[cp])
        known = self.fleet[cp]
        if known.monitor_lost_at is None:
            return
        session = self.sessions.at_cp(cp)
        if session is None or session.phase == s.ENDING:
            return
        if s.absent_for(known.monitor_lost_at, self.connected_at, now) > s.MONITOR_GONE_S:
            self.stop_session(session, "monitor_gone")
