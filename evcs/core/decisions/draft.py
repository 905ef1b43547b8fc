"""A decision in the making: the CP's record as it becomes, and what is to be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evcs.core import session_life as life
from evcs.core.cp_record import CpRecord, SentCommand
from evcs.core.decisions.events import At
from evcs.core.effects import (
    Audit,
    Effect,
    Refuse,
    Save,
    SaveFigures,
    Send,
    SendNow,
    Unexpected,
    driver_events,
)
from evcs.core.end_reasons import EndReason
from evcs.core.messages import NOTHING
from evcs.core.placement import OCPP
from evcs.core.power import LASTING, Power
from evcs.core.session import HALTED, NO_PRICE, Correction, Phase, Session
from evcs.core.session_commands import command, limit

#: A command is told again at each word of an Engine, but not more often than this.
TELL_AGAIN_S = 1.0


class Draft:
    """A decision in the making."""

    __slots__ = ("at", "effects", "found", "record")

    def __init__(self, record: CpRecord, at: At, found: Session | None) -> None:
        self.record, self.at, self.found = record, at, found
        self.effects: list[Effect] = []

    def do(self, effect: Effect) -> None:
        """One more thing to be done."""
        self.effects.append(effect)

    def know(self, **fields: Any) -> None:
        """Something of the CP is otherwise now."""
        self.record = self.record._replace(**fields)

    def advance(self, session: Session, event: life.Event) -> Session:
        """Put an event to the session's table; have saved and told what comes of it."""
        if not life.is_expected(session, event):
            self.do(Unexpected(self.record.cp, session.phase, type(event).__name__))
        after = life.advance(session, event)
        if after == session:
            return after
        mine, late = self.record.session is session, self.record.late is session
        if mine:
            since = self.at.clock if self.record.halted_at is None else self.record.halted_at
            self.know(session=after, halted_at=since if after.phase in HALTED else None)
        elif late:
            self.know(late=None if after.phase == Phase.SETTLED else after)
        if after.correction is not None:
            self.do(Save(after))
            self.audit_correction(after, after.correction)
            return after
        if (after.phase, after.state) == (session.phase, session.state):
            self.do(SaveFigures(after))
            return after
        self.do(Save(after))
        if after.phase != session.phase:
            began = (session.phase, after.phase) == (Phase.REQUESTED, Phase.SUPPLYING)
            if began and not self.record.accepted:
                self.accept(after)  # its word was lost, or we were away
            self._tell_phase(after)
            if mine and after.phase == Phase.SETTLED:
                self.drop()
        return after

    def take_up(self, late: Session) -> None:
        """What a charger told of is under way there: it is the CP's session."""
        self.supersede(self.record.session)
        desired = self.record.desired
        if desired is not None and desired.circuit is not None:
            late = late._replace(limit_w=desired.fallback_w, waiting_since=self.at.wall)
        self.know(session=late, late=None, requested_at=self.at.clock, accepted=True)
        begun = self.advance(late, life.Started(late.seq, late.energy_wh))
        if begun.reason == EndReason.UNAUTHORISED:
            self.stop(EndReason.UNAUTHORISED)

    def supersede(self, session: Session | None) -> None:
        """The next charge of the CP has begun: this one, if it is there, is over."""
        if session is not None:
            self.advance(session, life.Closed(EndReason.SUPERSEDED, self.at.wall))

    def tell(self, session: Session, event: str, body: Mapping[str, Any] = NOTHING) -> None:
        """Tell the session's driver, once all is written."""
        for one in driver_events(session, event, body):
            self.do(Send(one))

    def _tell_phase(self, session: Session) -> None:
        if session.phase == Phase.SUPPLYING:
            self.tell(session, "started")
        elif session.phase == Phase.INTERRUPTED:
            self.tell(session, "interrupted")
        elif session.phase == Phase.SETTLED:
            self.tell(session, "ticket")
            self.audit_ticket(session)

    def audit_ticket(self, session: Session) -> None:
        """A session is settled."""
        detail = _billed(session, f"{session.energy_wh} Wh", session.cost_eur)
        share = None if session.energy_wh else f"driver/{session.driver}"
        self.do(Audit("central", "ticket", session.cp, session.reason or "", detail, share))

    def audit_correction(self, session: Session, correction: Correction) -> None:
        """The end of a settled session came, and was another."""
        detail = _billed(session, f"{correction.energy_wh:+} Wh", correction.cost_eur)
        self.do(Audit("central", "correction", session.cp, correction.reason, detail))

    def accept(self, session: Session) -> None:
        """The CP takes the session, which is on disk since the request; so nothing waits for it."""
        for event in driver_events(session, "authorised"):
            self.do(SendNow(event))
        if not self.record.accepted:
            self.know(accepted=True)
            who = f"driver/{session.driver}"
            self.do(Audit(who, "charge", session.cp, "authorised", session.session_id, who))

    def deny(self, session: Session, code: str, why: str) -> None:
        """A request that was taken down becomes no charge."""
        self.tell(session, "denied", {"code": code, "reason": why})
        who = f"driver/{session.driver}"
        self.do(Audit(who, "charge", session.cp, "denied", why, who))
        self.drop()

    def drop(self) -> None:
        """The CP has no session any more."""
        self.know(session=None, accepted=False, halted_at=None, unheld=0, power=None)
        if self.record.hosting != OCPP or self.record.power_fault not in LASTING:
            self.know(power_fault=None)

    def stop(self, reason: str) -> None:
        """The session, if there is one, shall end; told to its Engine now or when that is back."""
        session = self.record.session
        if session is not None:
            self.send_pending(self.advance(session, life.Stop(reason)))

    def lost(self) -> None:
        """The Engine of the session, if there is one, is gone or silent."""
        session = self.record.session
        if session is not None:
            self.advance(session, life.Lost())

    def send_pending(self, session: Session | None) -> None:
        """Tell a session's Engine what it has to do now, if there is anything."""
        if session is None:
            return
        age_s = self.at.clock - self.record.requested_at
        engine = self.record.engine
        due = life.pending(session, engine, age_s <= self.record.deadlines.start_within_s)
        if due is None or engine is None:
            return
        cmd = command(session, due)
        last, now = self.record.last_command, SentCommand(cmd.id, engine.boot, self.at.clock)
        if (last.id, last.boot) != (now.id, now.boot) or now.at - last.at >= TELL_AGAIN_S:
            self.know(last_command=now)
            if cmd.verb in ("start", "resume"):
                self._begin_without_power()
            self.do(Send(cmd))

    def _begin_without_power(self) -> None:
        """A session in a circuit waits for its share; one that goes on has what it had.

        Before the Registry has spoken, one that waits goes on waiting.
        """
        record = self.record
        known = record.desired is not None or record.waits
        if record.power is None and known and record.fallback_w is not None:
            self.know(power=Power(0, self.at.clock, 0, heard_at=self.at.clock))
        self.tell_limit()

    def tell_limit(self) -> None:
        """Have its Engine know the CP's limit, where that may not be so."""
        record, engine = self.record, self.record.engine
        if engine is None or not engine.online or (record.desired is None and not record.waits):
            return
        if record.fallback_w is not None or engine.fallback_w is not None:
            self.do(Send(limit(self.record)))

    def refuse(self, what: str, outcome: str, detail: str) -> None:
        """Something of the CP can't be."""
        self.do(Refuse(self.record.cp, what, outcome, detail))


def _billed(session: Session, energy: str, cost_eur: str | None) -> str:
    """What of a session was billed, for the audit: no amount of one that has no price here."""
    detail = f"{session.session_id} {energy}"
    return detail if session.price_eur_kwh == NO_PRICE else f"{detail} {cost_eur} EUR"
