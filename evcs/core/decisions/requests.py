"""Decisions about what drivers and the operator ask: charge, stop, end, close."""

from __future__ import annotations

from evcs.core import authorization, units
from evcs.core import messages as m
from evcs.core import session_life as life
from evcs.core.cp_record import CpRecord, judge
from evcs.core.decisions.draft import Draft
from evcs.core.decisions.events import (
    Charge,
    ChargeAgain,
    Close,
    EndCharge,
    Leave,
    MakeWay,
    StopCharge,
    Unwritten,
)
from evcs.core.effects import Audit, Save, Send, denied
from evcs.core.end_reasons import EndReason
from evcs.core.session import Phase, Session, to_json


def on_charge(draft: Draft, event: Charge) -> None:
    asked, desired = event.asked, draft.record.desired
    energy = asked.energy_wh if asked.energy_wh is not None else units.DEFAULT_ENERGY_WH
    if not 1 <= energy <= units.MAX_ENERGY_WH:
        text = f"energy must be 1 to {units.MAX_ENERGY_WH} Wh"
        draft.effects += denied(asked, "bad_value", text)
        return
    denial = _authorise(draft.record, event.driver_cp)
    if denial is not None:
        draft.effects += denied(asked, denial.code, denial.reason)
        return
    assert desired is not None
    session = Session(
        event.id,
        desired.id,
        asked.driver,
        desired.price_eur_kwh,
        energy,
        desired.max_power_w,
        draft.at.wall,
        request_id=asked.id,
    )
    if desired.circuit is not None:
        session = session._replace(limit_w=0, waiting_since=draft.at.wall)
    draft.know(session=session, requested_at=draft.at.clock, accepted=False)
    draft.do(Save(session))
    who = f"driver/{asked.driver}"
    draft.do(Audit(who, "charge", desired.id, "asked", session.session_id, who))
    draft.send_pending(session)


def _authorise(record: CpRecord, driver_cp: str | None) -> authorization.Denial | None:
    state, reason = judge(record, record.desired) if record.desired else ("", "")
    here = record.session
    return authorization.authorise(
        authorization.Situation(
            record.desired, state, reason, here.session_id if here else None, driver_cp
        )
    )


def on_charge_again(draft: Draft, _: ChargeAgain) -> None:
    """A request that is sent again, to a Central that was away, makes no second session."""
    session = draft.record.session
    if session is None:
        return
    if session.phase == Phase.REQUESTED:
        draft.send_pending(session)
    else:
        draft.accept(session)


def on_stop(draft: Draft, event: StopCharge) -> None:
    session, asked = draft.record.session, event.asked
    if session is None:
        return
    draft.stop(EndReason.DRIVER)
    who = f"driver/{asked.driver}"
    draft.do(Audit(who, "stop", session.cp, "ok", session.session_id, who))
    body = {"session": to_json(session)}
    draft.do(Send(m.DriverEvent(asked.driver, "answer", asked.id, None, body)))


def on_leave(draft: Draft, _: Leave) -> None:
    draft.stop(EndReason.DRIVER)


def on_end(draft: Draft, event: EndCharge) -> None:
    session, asked = draft.record.session, event.asked
    if session is None:
        return
    draft.stop(EndReason.OPERATOR)
    draft.do(Audit(asked.who, "end", session.cp, "ok", session.session_id))
    body = {"message": "", "session": to_json(session)}
    draft.do(Send(m.OperatorEvent(asked.asker, "answer", asked.id, True, None, body)))


def on_close(draft: Draft, event: Close) -> None:
    asked = event.asked
    after = draft.advance(event.session, life.Closed(EndReason.CLOSED, draft.at.wall))
    draft.send_pending(after)
    draft.do(Audit(asked.who, "close", asked.cp, "ok", after.session_id))
    body = {"message": "", "session": to_json(after)}
    draft.do(Send(m.OperatorEvent(asked.asker, "answer", asked.id, True, None, body)))


def on_make_way(draft: Draft, event: MakeWay) -> None:
    session, asked = draft.record.session, event.asked
    if session is not None:
        draft.stop(EndReason.MOVED)
        draft.do(Audit(asked.who, "make way", session.cp, "ok", session.session_id))


def on_unwritten(draft: Draft, _: Unwritten) -> None:
    session = draft.record.session
    if session is not None and session.phase == Phase.REQUESTED:
        reason = "the ledger can't be written now; try again later"
        draft.deny(session, "failed", reason)
