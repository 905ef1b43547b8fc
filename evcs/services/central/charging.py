"""What Engines tell of their supplies, brought together with Central's sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evcs.adapters.clock import timestamp
from evcs.core import messages as m
from evcs.core import session as s
from evcs.core import units
from evcs.services.central import fleet
from evcs.services.central.outbox import Outbox
from evcs.services.central.sessions import command

if TYPE_CHECKING:
    from evcs.services.central.service import Central


#: A CP reads out each second; one that does so more often doesn't fill its driver's inbox.
PROGRESS_EVERY_S = 0.5


class Charging:
    """Readings, session events and replies; a CP can only speak of its own session."""

    def __init__(self, central: Central, outbox: Outbox) -> None:
        self._central, self._outbox = central, outbox
        self._read: set[str] = set()
        self._told_at: dict[str, float] = {}

    def reconcile(self, status: m.EngineStatus, lost_at: float | None) -> None:
        """At each word of an Engine: compare what it holds with the ledger."""
        session = self._central.sessions.at_cp(status.cp)
        if status.session_id and (session is None or session.session_id != status.session_id):
            self._foreign(status)
        if session is None:
            return
        if status.phase == "waiting" and lost_at is not None:
            away = s.absent_for(lost_at, self._central.connected_at, self._central.clock())
            if away > s.RESUME_WITHIN_S:
                session = self._central.sessions.advance(session, s.Stop("power_loss"))
        if session.phase == s.SUPPLYING and status.session_id != session.session_id:
            session = self._central.sessions.advance(session, s.Lost())
        self._central.tell_due(session)

    def _foreign(self, status: m.EngineStatus) -> None:
        """The Engine holds what is not open here: settled already, or never known."""
        assert status.session_id is not None
        found = self._central.sessions.find(status.session_id)
        if found is not None and found.phase == s.SETTLED:
            self._central.tell(command(found, s.Due("settled")))
        elif found is None:
            self._central.sessions.refuse(status.cp, "session", "unknown", status.session_id)
            stop = m.Command(status.cp, "stop", f"{status.session_id}.stop", status.session_id,
                             reason=s.UNKNOWN)  # fmt: skip
            self._central.tell(stop)

    def on_meter(self, meter: m.Meter) -> None:
        """A reading; what can't be is refused."""
        session = self._central.sessions.open.get(meter.session_id)
        if session is None or session.cp != meter.cp:
            self._central.sessions.refuse_reading(meter)
            return
        in_order = meter.seq > session.seq and meter.energy_wh >= session.energy_wh
        can_be = meter.energy_wh <= session.requested_wh and 0 <= meter.power_w <= units.MAX_POWER_W
        if not in_order or not can_be:
            self._central.sessions.refuse_reading(meter)
            return
        known = self._central.fleet.get(meter.cp)
        if known is not None and fleet.engine_away(known) and session.phase == s.INTERRUPTED:
            return
        event = s.Metered(meter.seq, meter.energy_wh, meter.power_w)
        self._central.sessions.advance(session, event)
        self._read.add(session.session_id)
        self._central.mark_dirty(meter.cp)

    def tell_progress(self, now: float) -> None:
        """What was read, for each session that goes on; what comes too soon is told later."""
        sessions = self._central.sessions
        for session_id in tuple(self._read):
            session = sessions.open.get(session_id)
            if session is None:
                self._read.discard(session_id)
            elif now - self._told_at.get(session.cp, 0.0) >= PROGRESS_EVERY_S:
                sessions.tell(session, "progress")
                self._told_at[session.cp] = now
                self._read.discard(session_id)

    def on_session(self, told: m.SessionEvent) -> None:
        """A supply began or ended, perhaps told again."""
        session = self._central.sessions.find(told.session_id)
        if session is None and told.event == "ended":
            known = self._central.fleet.get(told.cp)
            if known is None or known.desired is None:
                return  # not heard of yet: the Engine tells it again
            session = self._central.sessions.settle_unknown(told, known.desired)
        if session is None or session.cp != told.cp or told.energy_wh < 0 or told.seq < 0:
            text = f"{told.session_id} {told.event} {told.energy_wh} Wh"
            self._central.sessions.refuse(told.cp, "session", "refused", text)
            if session is None and told.event == "ended":
                self._central.tell(m.Command(told.cp, "settled", f"{told.session_id}.settled",
                                    told.session_id))  # fmt: skip
            return
        if told.event == "started":
            if session.phase in (s.REQUESTED, s.INTERRUPTED):
                self._central.sessions.advance(session, s.Started(told.seq, told.energy_wh))
        elif told.event == "ended":
            reason = told.reason or "ended"
            event = s.Ended(told.seq, told.energy_wh, reason, timestamp())
            after = self._central.sessions.advance(session, event)
            self._central.tell(command(after, s.Due("settled")))
        self._central.mark_dirty(told.cp)

    def on_reply(self, reply: m.Reply) -> bool:
        """An Engine's answer to a session's command; False where it is about something else."""
        session_id, _, verb = reply.id.partition(".")
        session = self._central.sessions.open.get(session_id)
        if session is None or session.cp != reply.cp:
            return False
        if verb == "start" and session.phase == s.REQUESTED:
            if reply.ok:
                self._central.sessions.accepted(session)
            else:
                self._central.sessions.refused(session, reply.error or "no reason given")
        elif verb == "stop" and reply.error == "no_session":
            self._central.sessions.advance(session, s.Unknown(timestamp()))
        self._central.mark_dirty(reply.cp)
        return True
