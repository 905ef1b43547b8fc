"""Central's decisions: what is known of one CP and an event give the next state and effects.

Pure: time comes in, what is to be done comes out (core.effects). `HANDLERS` says who decides
about which event; the life of a session is core.session's table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from evcs.core import authorization, units
from evcs.core import messages as m
from evcs.core import session as s
from evcs.core.cp_record import CpRecord, judge
from evcs.core.effects import (
    Audit,
    Effect,
    Progress,
    Refuse,
    Remove,
    Save,
    SaveFigures,
    Send,
    SendNow,
    Unexpected,
    command,
    denied,
    driver_event,
    settle_unknown,
    stop_unknown,
)
from evcs.core.health import EngineHealth
from evcs.core.supply import Refusal, SupplyPhase

#: An Engine holds one supply: of more that nobody knows, an honest one tells only after a loss.
MOST_UNKNOWN = 3
#: A command is told again at each word of an Engine, but not more often than this.
TELL_AGAIN_S = 1.0


class At(NamedTuple):
    """Now: monotonic seconds, RFC 3339 UTC; and when Central's present connection began."""

    clock: float
    wall: str
    connected_at: float


class Charge(NamedTuple):
    """A driver asks for a charge. `id` is for the session; `driver_cp`: where he charges now."""

    asked: m.DriverRequest
    id: str
    driver_cp: str | None


class ChargeAgain(NamedTuple):
    """The request of the session under way comes again, from who was not answered."""


class StopCharge(NamedTuple):
    """The driver of the session ends it."""

    asked: m.DriverRequest


class Close(NamedTuple):
    """The operator closes a session, at the last metered Wh."""

    session: s.Session


class Delete(NamedTuple):
    """The Registry has no such CP any more."""


class EngineUnheard(NamedTuple):
    """Nothing is kept of the Engine, or was told since Central's connection."""


class MonitorUnheard(NamedTuple):
    """Nothing is kept of the Monitor, or was told since Central's connection."""


class MonitorAbsent(NamedTuple):
    """Time has passed, and the Monitor is not there."""


class Repeat(NamedTuple):
    """Time has passed: what is due is told again."""


class Unwritten(NamedTuple):
    """The request could not be written: as if it had not been made."""


Event = (
    m.DesiredCp | m.EngineStatus | m.MonitorStatus | m.Meter | m.SessionEvent | m.Reply
    | Charge | ChargeAgain | StopCharge | Close | Delete
    | EngineUnheard | MonitorUnheard | MonitorAbsent | Repeat | Unwritten
)  # fmt: skip


class Decision(NamedTuple):
    """The CP's next state, the same object where nothing changed, and what is to be done."""

    record: CpRecord
    effects: list[Effect]


def decide(
    record: CpRecord, event: Event, at: At, found: s.Session | None = None
) -> Decision:  # fmt: skip
    """`found`: the session that the event names, where it is not the CP's present one."""
    draft = _Draft(record, at, found)
    HANDLERS[type(event)](draft, event)
    return Decision(draft.record, draft.effects)


class _Draft:
    """A decision in the making."""

    __slots__ = ("at", "effects", "found", "record")

    def __init__(self, record: CpRecord, at: At, found: s.Session | None) -> None:
        self.record, self.at, self.found = record, at, found
        self.effects: list[Effect] = []

    def do(self, effect: Effect) -> None:
        """One more thing to be done."""
        self.effects.append(effect)

    def know(self, **fields: Any) -> None:
        """Something of the CP is otherwise now."""
        self.record = self.record._replace(**fields)

    def advance(self, session: s.Session, event: s.Event) -> s.Session:
        """Put an event to the session's table; have saved and told what comes of it."""
        if not s.is_expected(session, event):
            self.do(Unexpected(self.record.cp, session.phase, type(event).__name__))
        after = s.advance(session, event)
        if after == session:
            return after
        mine = self.record.session is session
        if mine:
            self.know(session=after)
        if (after.phase, after.state) == (session.phase, session.state):
            self.do(SaveFigures(after))
            return after
        self.do(Save(after))
        if after.phase != session.phase:
            began = (session.phase, after.phase) == (s.Phase.REQUESTED, s.Phase.SUPPLYING)
            if began and not self.record.accepted:
                self.accept(after)  # its word was lost, or we were away
            self._tell_phase(after)
            if mine and after.phase == s.Phase.SETTLED:
                self.drop()
        return after

    def _tell_phase(self, session: s.Session) -> None:
        if session.phase == s.Phase.SUPPLYING:
            self.do(Send(driver_event(session, "started")))
        elif session.phase == s.Phase.INTERRUPTED:
            self.do(Send(driver_event(session, "interrupted")))
        elif session.phase == s.Phase.SETTLED:
            self.do(Send(driver_event(session, "ticket")))
            self.audit_ticket(session)

    def audit_ticket(self, session: s.Session) -> None:
        """A session is settled."""
        detail = f"{session.session_id} {session.energy_wh} Wh {session.cost_eur} EUR"
        share = None if session.energy_wh else f"driver/{session.driver}"
        self.do(Audit("central", "ticket", session.cp, session.reason or "", detail, share))

    def accept(self, session: s.Session) -> None:
        """The CP takes the session, which is on disk since the request; so nothing waits for it."""
        self.do(SendNow(driver_event(session, "authorised")))
        if not self.record.accepted:
            self.know(accepted=True)
            who = f"driver/{session.driver}"
            self.do(Audit(who, "charge", session.cp, "authorised", session.session_id, who))

    def drop(self) -> None:
        """The CP has no session any more."""
        self.know(session=None, accepted=False, unheld=0)

    def stop(self, reason: str) -> None:
        """The session, if there is one, shall end; told to its Engine now or when that is back."""
        session = self.record.session
        if session is not None:
            self.tell_due(self.advance(session, s.Stop(reason)))

    def lost(self) -> None:
        """The Engine of the session, if there is one, is gone or silent."""
        session = self.record.session
        if session is not None:
            self.advance(session, s.Lost())

    def tell_due(self, session: s.Session | None) -> None:
        """Tell a session's Engine what it has to do now, if there is anything."""
        if session is None:
            return
        age_s = self.at.clock - self.record.requested_at
        engine = self.record.engine
        due = s.due(session, engine, age_s)
        if due is None or engine is None:
            return
        cmd = command(session, due)
        *last, told_at = self.record.told
        if last != [cmd.id, engine.boot] or self.at.clock - told_at >= TELL_AGAIN_S:
            self.know(told=(cmd.id, engine.boot, self.at.clock))
            self.do(Send(cmd))

    def refuse(self, what: str, outcome: str, detail: str) -> None:
        """Something of the CP can't be."""
        self.do(Refuse(self.record.cp, what, outcome, detail))


# -- desired and observed -------------------------------------------------------------------


def _on_desired(draft: _Draft, desired: m.DesiredCp) -> None:
    draft.know(desired=desired)
    if desired.deleted:
        draft.stop("deleted")
    elif desired.revoked:
        draft.stop("revoked")
    elif desired.service == "out":
        draft.stop("out_of_order")


def _on_delete(draft: _Draft, _: Delete) -> None:
    session = draft.record.session
    if session is not None:
        draft.advance(session, s.Closed("deleted", draft.at.wall))
    draft.know(desired=None)


def _on_engine(draft: _Draft, status: m.EngineStatus) -> None:
    lost_at = draft.record.engine_lost_at
    since = None if status.online else (lost_at or draft.at.clock)
    draft.know(engine=status, engine_lost_at=since)
    if status.online:
        _reconcile(draft, status, lost_at)
    else:
        draft.lost()


def _reconcile(draft: _Draft, status: m.EngineStatus, lost_at: float | None) -> None:
    """At each word of an Engine: compare what it holds with the ledger."""
    session = draft.record.session
    if status.session_id and (session is None or session.session_id != status.session_id):
        _on_foreign(draft, status.session_id)
    if session is None:
        return
    if status.phase == SupplyPhase.WAITING and lost_at is not None:
        away = s.absent_for(lost_at, draft.at.connected_at, draft.at.clock)
        if away > s.RESUME_WITHIN_S:
            session = draft.advance(session, s.Stop("power_loss"))
    if session.phase == s.Phase.SUPPLYING and status.session_id != session.session_id:
        session = draft.advance(session, s.Lost())
    draft.tell_due(session)


def _on_foreign(draft: _Draft, session_id: str) -> None:
    """The Engine holds what is not open here: settled already, or never known."""
    found = draft.found
    if found is None:
        draft.refuse("session", "unknown", session_id)
        draft.do(Send(stop_unknown(draft.record.cp, session_id)))
    elif found.phase == s.Phase.SETTLED:
        draft.do(Send(command(found, s.Due("settled"))))


def _on_engine_unheard(draft: _Draft, _: EngineUnheard) -> None:
    draft.know(engine=None, engine_lost_at=draft.at.clock)
    draft.lost()


def _on_monitor(draft: _Draft, status: m.MonitorStatus) -> None:
    since = None if status.online else (draft.record.monitor_lost_at or draft.at.clock)
    draft.know(monitor=status, monitor_lost_at=since)
    if status.online and status.engine == EngineHealth.KO:
        draft.stop("fault")
    elif status.online and status.engine == EngineHealth.SILENT:
        draft.lost()


def _on_monitor_unheard(draft: _Draft, _: MonitorUnheard) -> None:
    draft.know(monitor=None, monitor_lost_at=draft.at.clock)


def _on_monitor_absent(draft: _Draft, _: MonitorAbsent) -> None:
    session, lost_at = draft.record.session, draft.record.monitor_lost_at
    if session is None or session.phase == s.Phase.ENDING or lost_at is None:
        return
    if s.absent_for(lost_at, draft.at.connected_at, draft.at.clock) > s.MONITOR_GONE_S:
        draft.stop("monitor_gone")


def _on_repeat(draft: _Draft, _: Repeat) -> None:
    """Looks are counted, not seconds: while Central was held up an Engine may have spoken."""
    record = draft.record
    session = record.session
    if session is not None and session.phase in (s.Phase.SUPPLYING, s.Phase.INTERRUPTED):
        away = record.engine is None or not record.engine.online
        unheld = 0 if away or record.holds else record.unheld + 1
        if unheld != record.unheld:
            draft.know(unheld=unheld)
        if unheld >= s.UNHELD_LOOKS:
            draft.stop("journal_lost")
            return
    draft.tell_due(session)


# -- what an Engine tells of its supply -----------------------------------------------------


def _on_meter(draft: _Draft, meter: m.Meter) -> None:
    session = draft.record.session
    if session is None or session.session_id != meter.session_id or not _can_be(session, meter):
        text = f"{meter.session_id} seq {meter.seq} {meter.energy_wh} Wh {meter.power_w} W"
        draft.refuse("meter", "refused", text)
        return
    if session.phase == s.Phase.INTERRUPTED and draft.record.engine_away:
        return
    draft.advance(session, s.Metered(meter.seq, meter.energy_wh, meter.power_w))
    draft.do(Progress(session.session_id))


def _can_be(session: s.Session, meter: m.Meter) -> bool:
    return (
        meter.seq > session.seq
        and session.energy_wh <= meter.energy_wh <= session.requested_wh
        and 0 <= meter.power_w <= units.MAX_POWER_W
    )


def _on_session(draft: _Draft, told: m.SessionEvent) -> None:
    """A supply began or ended, perhaps told again."""
    mine = draft.record.session
    session = mine if mine and mine.session_id == told.session_id else draft.found
    if session is None and told.event == "ended":
        if draft.record.desired is None:
            return  # not heard of yet: the Engine tells it again
        session = _settle_unknown(draft, told, draft.record.desired)
    if session is None or session.cp != told.cp or told.energy_wh < 0 or told.seq < 0:
        detail = f"{told.session_id} {told.event} {told.energy_wh} Wh"
        draft.refuse("session", "refused", detail)
        if session is None and told.event == "ended":
            draft.do(Send(settle_unknown(told.cp, told.session_id)))
    elif told.event == "started":
        if session.phase in (s.Phase.REQUESTED, s.Phase.INTERRUPTED):
            draft.advance(session, s.Started(told.seq, told.energy_wh))
    elif told.event == "ended":
        event = s.Ended(told.seq, told.energy_wh, told.reason or "ended", draft.at.wall)
        after = draft.advance(session, event)
        draft.do(Send(command(after, s.Due("settled"))))


def _settle_unknown(
    draft: _Draft, told: m.SessionEvent, desired: m.DesiredCp
) -> s.Session | None:  # fmt: skip
    """The ticket, without a driver, of Wh delivered in a session that the ledger lost.

    None where it can't be one, or the CP has told of too many.
    """
    event = s.Ended(told.seq, told.energy_wh, s.UNKNOWN, draft.at.wall)
    session = s.unknown(told.session_id, desired, event)
    if session is None or draft.record.unknown >= MOST_UNKNOWN:
        return None
    draft.know(unknown=draft.record.unknown + 1)
    draft.do(Save(session))
    draft.audit_ticket(session)
    return session


def _on_reply(draft: _Draft, reply: m.Reply) -> None:
    """An Engine's answer to a session's command."""
    session_id, _, verb = reply.id.partition(".")
    session = draft.record.session
    if session is None or session.session_id != session_id:
        return
    if verb == "start" and session.phase == s.Phase.REQUESTED:
        if reply.ok:
            draft.accept(session)
        else:
            _turn_down(draft, session, f"the CP refused: {reply.error or 'no reason given'}")
    elif verb == "stop" and reply.error == Refusal.NO_SESSION:
        draft.advance(session, s.Unknown(draft.at.wall))


def _turn_down(draft: _Draft, session: s.Session, why: str) -> None:
    """The CP doesn't take the session: it never was one."""
    draft.do(Send(driver_event(session, "denied", {"code": "conflict", "reason": why})))
    draft.do(Remove(session))
    who = f"driver/{session.driver}"
    draft.do(Audit(who, "charge", session.cp, "denied", why, who))
    draft.drop()


# -- what is asked for ----------------------------------------------------------------------


def _on_charge(draft: _Draft, event: Charge) -> None:
    asked, desired = event.asked, draft.record.desired
    energy = asked.energy_wh if asked.energy_wh is not None else units.DEFAULT_ENERGY_WH
    if not 1 <= energy <= units.MAX_ENERGY_WH:
        denial = f"energy must be 1 to {units.MAX_ENERGY_WH} Wh"
        draft.effects += denied(asked, "bad_value", denial)
        return
    refusal = _authorize(draft.record, event.driver_cp)
    if refusal is not None or desired is None:
        refusal = refusal or authorization.Denial("not_found", "unknown CP")
        draft.effects += denied(asked, refusal.code, refusal.reason)
        return
    session = s.Session(
        event.id,
        desired.id,
        asked.driver,
        desired.price_eur_kwh,
        energy,
        desired.max_power_w,
        draft.at.wall,
        request_id=asked.id,
    )
    draft.know(session=session, requested_at=draft.at.clock, accepted=False)
    draft.do(Save(session))
    who = f"driver/{asked.driver}"
    draft.do(Audit(who, "charge", desired.id, "asked", session.session_id, who))
    draft.tell_due(session)


def _authorize(record: CpRecord, driver_cp: str | None) -> authorization.Denial | None:
    state, reason = judge(record, record.desired) if record.desired else ("", "")
    here = record.session
    return authorization.authorize(
        authorization.Situation(
            record.desired, state, reason, here.session_id if here else None, driver_cp
        )
    )


def _on_charge_again(draft: _Draft, _: ChargeAgain) -> None:
    """A request that is sent again, to a Central that was away, makes no second session."""
    session = draft.record.session
    if session is None:
        return
    if session.phase == s.Phase.REQUESTED:
        draft.tell_due(session)
    else:
        draft.accept(session)


def _on_stop(draft: _Draft, event: StopCharge) -> None:
    session, asked = draft.record.session, event.asked
    if session is None:
        return
    draft.stop("driver")
    who = f"driver/{asked.driver}"
    draft.do(Audit(who, "stop", session.cp, "ok", session.session_id, who))
    body = {"session": s.to_json(session)}
    draft.do(Send(m.DriverEvent(asked.driver, "answer", asked.id, None, body)))


def _on_close(draft: _Draft, event: Close) -> None:
    draft.tell_due(draft.advance(event.session, s.Closed("closed", draft.at.wall)))


def _on_unwritten(draft: _Draft, _: Unwritten) -> None:
    session = draft.record.session
    if session is not None and session.phase == s.Phase.REQUESTED:
        reason = "the ledger can't be written now; try again later"
        draft.do(Send(driver_event(session, "denied", {"code": "failed", "reason": reason})))
        draft.drop()


HANDLERS: dict[type, Callable[[_Draft, Any], None]] = {
    m.DesiredCp: _on_desired,
    m.EngineStatus: _on_engine,
    m.MonitorStatus: _on_monitor,
    m.Meter: _on_meter,
    m.SessionEvent: _on_session,
    m.Reply: _on_reply,
    Charge: _on_charge,
    ChargeAgain: _on_charge_again,
    StopCharge: _on_stop,
    Close: _on_close,
    Delete: _on_delete,
    EngineUnheard: _on_engine_unheard,
    MonitorUnheard: _on_monitor_unheard,
    MonitorAbsent: _on_monitor_absent,
    Repeat: _on_repeat,
    Unwritten: _on_unwritten,
}
