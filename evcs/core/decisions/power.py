"""Decisions about a CP's share of its circuit: what it is told, whether it shows."""

from __future__ import annotations

from evcs.core import messages as m
from evcs.core import power as p
from evcs.core.cp_record import CpRecord, SentCommand
from evcs.core.decisions.draft import Draft
from evcs.core.decisions.events import FallbackGranted, Granted, PowerLooked
from evcs.core.effects import Audit, SaveFigures, Send
from evcs.core.limits import RENEW_S
from evcs.core.placement import OCPP
from evcs.core.power_demand import most_now_w
from evcs.core.session import Phase, Session
from evcs.core.session_commands import limit
from evcs.core.units import MAX_POWER_W


def believed(record: CpRecord, status: m.EngineStatus) -> m.EngineStatus:
    """Its word on power: no less than nothing, no more than its CP can give or was known to have.

    What counts while it is away keeps others of its circuit from as much.
    """
    known = (
        record.desired and record.desired.max_power_w,
        record.session and record.session.max_power_w,
        record.fallback_said_w, record.fallback_granted_w,
    )  # fmt: skip
    most_w = max((one for one in known if one is not None), default=MAX_POWER_W)
    limit_w, fallback_w = (
        None if said_w is None else min(max(said_w, 0), most_w)
        for said_w in (status.limit_w, status.fallback_w)
    )
    return status._replace(limit_w=limit_w, fallback_w=fallback_w)


def follow_desired(draft: Draft, before: m.DesiredCp | None) -> None:
    """It may have another fallback, or another circuit than `before`, or none any more."""
    if before is None:
        _believe(draft)
    desired, session, engine = draft.record.desired, draft.record.session, draft.record.engine
    if desired is not None:
        _take_back(draft, before, desired)
    if desired is not None and desired.circuit is None:
        draft.know(power_fault=None, fallback_said_w=None)
    if desired is not None and desired.circuit is None and draft.record.power is not None:
        draft.know(power=None)
        if session is not None:
            after = session._replace(limit_w=None, waiting_since=None, turn_since=None)
            draft.know(session=after)
            draft.do(SaveFigures(after))
    if engine is not None:
        follow_engine(draft, engine)


def _believe(draft: Draft) -> None:
    """What was said before it was known what the CP can give."""
    said_w, engine = draft.record.fallback_said_w, draft.record.engine
    draft.know(fallback_said_w=None)
    if engine is not None:
        draft.know(engine=believed(draft.record, engine))
    if said_w is not None and draft.record.desired is not None:
        draft.know(fallback_said_w=min(said_w, draft.record.desired.max_power_w))


def _take_back(draft: Draft, before: m.DesiredCp | None, desired: m.DesiredCp) -> None:
    """A fallback that was granted, where it is to be lower, or another circuit's.

    Its Engine may have it, until it says otherwise.
    """
    granted_w, said_w = draft.record.fallback_granted_w, draft.record.fallback_said_w
    if granted_w is not None and said_w is not None:
        draft.know(fallback_said_w=max(granted_w, said_w))
    if before is not None and before.circuit != desired.circuit:
        draft.know(fallback_granted_w=None if said_w is None else 0)
    elif granted_w is not None:
        draft.know(fallback_granted_w=min(granted_w, desired.fallback_w or 0))


def note_fallback(draft: Draft, status: m.EngineStatus) -> None:
    """What its Engine has; a charger that dials in anew has what it had before."""
    desired = draft.record.desired
    if status.fallback_w is not None and not (desired is not None and desired.circuit is None):
        draft.know(fallback_said_w=status.fallback_w)


def on_fallback_granted(draft: Draft, event: FallbackGranted) -> None:
    """It may have that fallback, and counts with it from now on."""
    draft.know(fallback_granted_w=event.fallback_w)
    if draft.record.engine is not None:
        follow_engine(draft, draft.record.engine)


def follow_engine(draft: Draft, status: m.EngineStatus) -> None:
    """Its Engine is to know the CP's fallback; of a session in a circuit, with its share."""
    desired, session, power = draft.record.desired, draft.record.session, draft.record.power
    if desired is None or not status.online:
        return
    if desired.circuit is not None:
        _on_refusal(draft, status)
    if power is not None and session is not None and session.phase == Phase.SUPPLYING:
        draft.know(power=p.said(power, status.limit_w, draft.at.clock))
    fallback_w = draft.record.fallback_w
    if draft.record.fallback_granted_w is None and draft.record.fallback_rises:
        return  # that is decided in a moment
    if status.fallback_w == fallback_w or (session is not None and fallback_w is not None):
        return
    last = draft.record.last_fallback
    now = SentCommand(f"limit {fallback_w}", status.boot, draft.at.clock)
    again = (last.id, last.boot) == (now.id, now.boot) and now.at - last.at < RENEW_S
    if not again:
        draft.know(last_fallback=now)
        draft.tell_limit()


def follow_meter(draft: Draft, meter: m.Meter) -> None:
    """What it takes, under which limit."""
    power = draft.record.power
    if power is None:
        return
    after = p.heard(power, meter.limit_w, meter.power_w, draft.at.clock)
    if after is not power:
        draft.know(power=after)
    if after.unshown_since is None and _obeys(draft.record, after, meter):
        _blame(draft, None)


def _on_refusal(draft: Draft, status: m.EngineStatus) -> None:
    """Who refuses is known for it until it has confirmed what it is told."""
    fault, refused = draft.record.power_fault, p.PowerFault.REFUSED
    if status.limit_error is not None and fault != p.PowerFault.NOT_OBEYED:
        _blame(draft, refused)
    elif status.limit_error is None and fault == refused and status.fallback_w is not None:
        _blame(draft, None)


def _obeys(record: CpRecord, power: p.Power, meter: m.Meter) -> bool:
    """After a reading that shows the limit: of a real charger, what is less than it can take."""
    session, fault = record.session, record.power_fault
    if fault not in p.LASTING or session is None or record.hosting != OCPP:
        return True
    is_told = fault == p.PowerFault.NOT_OBEYED and power.told_w < session.max_power_w
    return is_told and meter.power_w > p.TOLERANCE_W


def on_granted(draft: Draft, event: Granted) -> None:
    """Another limit, or the same once more."""
    session = draft.record.session
    if session is None:
        return
    now = draft.at.clock
    power = p.told(draft.record.power, event.limit_w, most_now_w(draft.record, now), now)
    draft.know(power=power._replace(wait_s=event.wait_s))
    draft.do(Send(limit(draft.record)))
    after = _granted(session, event, draft.at.wall)
    if after != session:
        draft.know(session=after)
        draft.do(SaveFigures(after))
        if after.waiting_since != session.waiting_since:
            draft.tell(after, "progress")


def _granted(session: Session, event: Granted, wall: str) -> Session:
    session = session._replace(limit_w=event.limit_w)
    if event.waits is None:
        return session
    if event.waits:
        return session._replace(waiting_since=session.waiting_since or wall)
    if event.turn or (session.waiting_since is None and session.turn_since is not None):
        return session._replace(waiting_since=None)
    return session._replace(waiting_since=None, turn_since=None if event.guest else wall)


def on_looked(draft: Draft, _: PowerLooked) -> None:
    """Who does not obey, or says nothing, counts with its most."""
    power, session, desired = draft.record.power, draft.record.session, draft.record.desired
    if draft.record.engine is not None:
        follow_engine(draft, draft.record.engine)
    if power is None or session is None or desired is None:
        return
    if session.phase != Phase.SUPPLYING:  # there is nothing to show yet
        draft.know(power=power._replace(heard_at=draft.at.clock, unshown_since=None))
        return
    fault = p.fault_of(power, desired.hosting, draft.at.clock)
    if fault is not None:
        _blame(draft, fault)


def _blame(draft: Draft, fault: p.PowerFault | None) -> None:
    """From now on it counts with its most for that, or no more."""
    record = draft.record
    if fault == record.power_fault:
        return
    draft.know(power_fault=fault)
    detail = (record.engine and record.engine.limit_error) or ""
    if record.session is not None and record.power is not None:
        session, told_w = record.session, record.power.told_w
        detail = f"{session.session_id} {session.power_w} W, limit {told_w} W"
    outcome = fault or "obeys again"
    draft.do(Audit("central", "limit", record.cp, outcome, detail, f"cp/{record.cp}"))
