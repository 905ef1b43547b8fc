"""Decisions about what a charger asks: may this card charge here, and a charge that it began."""

from __future__ import annotations

from datetime import timedelta

from evcs.core import prices, units
from evcs.core import session_life as life
from evcs.core.decisions.draft import Draft
from evcs.core.decisions.events import AskedByStation
from evcs.core.effects import Audit, KeepAnswer, Save, Send
from evcs.core.end_reasons import EndReason
from evcs.core.messages import DesiredCp, StationAnswer, StationRequest
from evcs.core.ocpp import times
from evcs.core.ocpp.masking import masked_tag
from evcs.core.placement import OCPP
from evcs.core.session import NO_PRICE, AnsweredStart, CardStatus, Origin, Phase, Session

A_DAY = timedelta(days=1)


def on_asked_by_station(draft: Draft, event: AskedByStation) -> None:
    """A CP that the Registry has not told of is answered later: its charger asks again."""
    desired, asked = draft.record.desired, event.asked
    if desired is None:
        return
    if not _can_be(asked, desired):
        detail = f"{asked.verb} {asked.id} at {asked.at} {asked.meter_wh} Wh"
        draft.refuse("station", "refused", detail)
    elif event.answered is not None:
        _answer(draft, event, *event.answered)
    elif asked.verb == "authorise":
        _authorise(draft, event, _status(event, desired))
    elif _is_remote_start(draft.record.session, event):
        _begin_remote(draft, event)
    else:
        _begin(draft, event, desired)


def _can_be(asked: StationRequest, desired: DesiredCp) -> bool:
    return (
        (desired.hosting == OCPP or desired.backend is not None)
        and asked.verb in ("authorise", "start")
        and units.is_time(asked.at)
        and asked.meter_wh >= 0
    )


def _status(event: AskedByStation, desired: DesiredCp) -> CardStatus:
    """What becomes of a card. A charge that is told of late can't be forbidden any more.

    Whether one may be at all is the back end's to say, where the CP has one.
    """
    if desired.backend is not None:
        return CardStatus.ACCEPTED
    if event.driver is None:
        return CardStatus.INVALID
    if event.asked.offline:
        return CardStatus.ACCEPTED
    if desired.deleted or desired.revoked or desired.service == "out":
        return CardStatus.BLOCKED
    elsewhere = event.driver_cp not in (None, desired.id)
    return CardStatus.CONCURRENT if elsewhere else CardStatus.ACCEPTED


def _authorise(draft: Draft, event: AskedByStation, status: CardStatus) -> None:
    cp = draft.record.cp
    who = f"driver/{event.driver}" if event.driver else f"cp/{cp}/engine"
    card = masked_tag(event.asked.tag)
    draft.do(Audit(who, "authorise", cp, status, card, f"cp/{cp}/engine"))
    _answer(draft, event, None, status)


def _is_remote_start(session: Session | None, event: AskedByStation) -> bool:
    """The charger was told to begin a session, and gives its id for a card, for the first time."""
    return (
        session is not None
        and session.session_id == event.asked.tag
        and session.meter_start_wh is None
    )


def _begin_remote(draft: Draft, event: AskedByStation) -> None:
    session = draft.record.session
    assert session is not None
    metered = session._replace(meter_start_wh=event.asked.meter_wh)
    draft.know(session=metered)
    draft.do(Save(metered))
    draft.send_pending(draft.advance(metered, life.Started(metered.seq, metered.energy_wh)))
    _keep_answer(draft, event, session.session_id, CardStatus.ACCEPTED)


def _begin(draft: Draft, event: AskedByStation, desired: DesiredCp) -> None:
    """A charge has one before it on its connector, which is over: chargers tell in their order."""
    asked, status = event.asked, _status(event, desired)
    at = draft.at.wall
    if asked.offline:
        at = max(min(asked.at, at), _earliest(desired))
    session = Session(
        event.id,
        desired.id,
        event.driver,
        prices.price_at(desired, at) if desired.backend is None else NO_PRICE,
        None,
        desired.max_power_w,
        at,
        phase=Phase.LATE,
        reason=None if status == CardStatus.ACCEPTED else EndReason.UNAUTHORISED,
        origin=Origin.STATION,
        meter_start_wh=asked.meter_wh,
        tag=asked.tag,
    )
    draft.supersede(draft.record.late)
    draft.know(late=session)
    draft.do(Save(session))
    who = f"driver/{session.driver}" if session.driver else f"cp/{session.cp}/engine"
    draft.do(Audit(who, "charge", session.cp, status, session.session_id, who))
    # First the answer: until it has that, its charger knows of no session that is to stop.
    told = CardStatus.INVALID if event.guesses else status
    _keep_answer(draft, event, session.session_id, told)
    if not asked.offline:
        draft.take_up(session)


def _earliest(desired: DesiredCp) -> str:
    """No charge at a CP began before it was made, by a clock of any zone."""
    made = times.parse(prices.made_at(desired))
    return times.written(made - A_DAY) if made is not None else prices.ALWAYS


def _keep_answer(draft: Draft, event: AskedByStation, session_id: str, status: CardStatus) -> None:
    draft.do(KeepAnswer(event.asked.id, AnsweredStart(session_id, status)))
    _answer(draft, event, session_id, status)


def _answer(
    draft: Draft, event: AskedByStation, session_id: str | None, status: CardStatus
) -> None:
    ok = status == CardStatus.ACCEPTED
    cp, request_id = draft.record.cp, event.asked.id
    draft.do(Send(StationAnswer(cp, request_id, ok, status, event.driver, session_id)))
