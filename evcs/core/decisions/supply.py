"""Decisions about what an Engine tells of its supply: readings, begin and end, replies."""

from __future__ import annotations

from evcs.core import messages as m
from evcs.core import session_life as life
from evcs.core import units
from evcs.core.decisions import power
from evcs.core.decisions.draft import Draft
from evcs.core.effects import Progress, Remove, Save, Send
from evcs.core.end_reasons import EndReason
from evcs.core.session import Phase, Session
from evcs.core.session_commands import command, command_of, settle_orphan
from evcs.core.supply import Refusal

#: An Engine holds one supply: of more that nobody knows, an honest one tells only after a loss.
MOST_ORPHANS = 3


def on_meter(draft: Draft, meter: m.Meter) -> None:
    session = draft.record.session_by_id(meter.session_id)
    if session is None or not _can_be(session, meter):
        text = f"{meter.session_id} seq {meter.seq} {meter.energy_wh} Wh {meter.power_w} W"
        draft.refuse("meter", "refused", text)
        return
    if session.phase == Phase.INTERRUPTED and draft.record.engine_away:
        return
    draft.advance(session, life.Metered(meter.seq, meter.energy_wh, meter.power_w))
    power.follow_meter(draft, meter)
    draft.do(Progress(session.session_id))


def _can_be(session: Session, meter: m.Meter) -> bool:
    return (
        meter.seq > session.seq
        and session.energy_wh <= meter.energy_wh
        and session.takes(meter.energy_wh)
        and 0 <= meter.power_w <= units.MAX_POWER_W
    )


def on_session(draft: Draft, message: m.SessionEvent) -> None:
    """A supply began or ended, perhaps told again."""
    session = draft.record.session_by_id(message.session_id) or draft.found
    if session is None and message.event == "ended":
        if draft.record.desired is None:
            return  # not heard of yet: the Engine tells it again
        session = _settle_orphan(draft, message, draft.record.desired)
    if session is None or session.cp != message.cp or message.energy_wh < 0 or message.seq < 0:
        detail = f"{message.session_id} {message.event} {message.energy_wh} Wh"
        draft.refuse("session", "refused", detail)
        if session is None and message.event == "ended":
            draft.do(Send(settle_orphan(message.cp, message.session_id)))
    elif message.event == "started":
        if session.phase in (Phase.REQUESTED, Phase.INTERRUPTED):
            draft.advance(session, life.Started(message.seq, message.energy_wh))
    elif message.event == "ended":
        reason = message.reason or EndReason.ENDED
        ended = life.Ended(message.seq, message.energy_wh, reason, draft.at.wall)
        after = draft.advance(session, ended)
        draft.do(Send(command(after, life.Pending("settled"))))


def _settle_orphan(
    draft: Draft, message: m.SessionEvent, desired: m.DesiredCp
) -> Session | None:  # fmt: skip
    """The ticket, without a driver, of Wh delivered in a session that the ledger lost.

    None where it can't be one, or the CP has told of too many.
    """
    ended = life.Ended(message.seq, message.energy_wh, EndReason.UNKNOWN_SESSION, draft.at.wall)
    session = life.orphan(message.session_id, desired, ended)
    if session is None or draft.record.orphans >= MOST_ORPHANS:
        return None
    draft.know(orphans=draft.record.orphans + 1)
    draft.do(Save(session))
    draft.audit_ticket(session)
    return session


def on_reply(draft: Draft, reply: m.Reply) -> None:
    """An Engine's answer to a session's command."""
    session_id, verb = command_of(reply)
    session = draft.record.session
    if session is None or session.session_id != session_id:
        return
    if verb == "start" and session.phase == Phase.REQUESTED:
        if reply.ok:
            draft.accept(session)
        else:
            _turn_down(draft, session, f"the CP refused: {reply.error or 'no reason given'}")
    elif verb == "stop" and reply.error == Refusal.NO_SESSION:
        draft.advance(session, life.NotHeld(draft.at.wall))


def _turn_down(draft: Draft, session: Session, why: str) -> None:
    """The CP doesn't take the session: it never was one."""
    draft.do(Remove(session))
    draft.deny(session, "conflict", why)
