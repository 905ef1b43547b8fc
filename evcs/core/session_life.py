"""The life of a session, as Central keeps it: one table, no I/O.

    requested --started--> supplying <--> interrupted
        |                      |               |
        +------ stop ------> ending <----------+
        |                      |
        +--- not started --> settled <-- ended, closed
                                ^
                   late --------+ (or supplying, where its Engine still holds it)

`TABLE` gives for each phase and event the phase that follows and what else changes; what is
not in it changes nothing, and is for the caller to count. A session that goes on after an
interruption has started again, by the same event. `pending` says what the Engine must
still be told: it looks at the two states only, so it may be asked at any time, and a
command that was lost is simply told again. A session is settled once: energy never falls, the
ticket's cost is computed at that moment and nothing changes it afterwards; an end that comes later
than that is a correction beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from evcs.core.end_reasons import EndReason
from evcs.core.messages import DesiredCp, EngineStatus
from evcs.core.session import NO_PRICE, Correction, Phase, Session
from evcs.core.supply import SupplyPhase
from evcs.core.units import MAX_ENERGY_WH, cost_eur, difference_eur

#: So often an Engine that is there is looked at and doesn't hold its session; then it ends.
UNHELD_LOOKS = 6

ID = re.compile(r"\d{6}-[0-9a-f]{12}", re.ASCII)


class Started(NamedTuple):
    """The Engine supplies, first told with its event or a meter."""

    seq: int
    energy_wh: int


class Metered(NamedTuple):
    """A reading."""

    seq: int
    energy_wh: int
    power_w: int


class Lost(NamedTuple):
    """The Engine is gone or silent."""


class Stop(NamedTuple):
    """It shall end, for that reason."""

    reason: str


class Ended(NamedTuple):
    """The Engine ended it."""

    seq: int
    energy_wh: int
    reason: str
    at: str


class NotHeld(NamedTuple):
    """The Engine, told to stop it, never had it."""

    at: str


class Closed(NamedTuple):
    """It ends at the last metered Wh, without its Engine's word; `reason` says for what."""

    reason: str
    at: str


Event = Started | Metered | Lost | Stop | Ended | NotHeld | Closed


class Step(NamedTuple):
    """What an event does in a phase: the phase that follows, and what else changes."""

    target: str
    change: Callable[..., Session]


def _as_it_is(session: Session, _: Event) -> Session:
    return session


def _metered(session: Session, event: Started | Metered) -> Session:
    if event.seq < session.seq or event.energy_wh < session.energy_wh:
        return session
    if not session.takes(event.energy_wh):
        return session
    power = event.power_w if isinstance(event, Metered) else 0
    return session._replace(seq=event.seq, energy_wh=event.energy_wh, power_w=power)


def _metered_late(session: Session, event: Metered) -> Session:
    return _metered(session, event)._replace(power_w=0)


def _powerless(session: Session, _: Lost) -> Session:
    return session._replace(power_w=0) if session.power_w else session


def _for_reason(session: Session, event: Stop) -> Session:
    return session._replace(reason=event.reason)


def _settle(session: Session, energy_wh: int, reason: str, at: str) -> Session:
    if session.reason == EndReason.UNAUTHORISED:
        reason = session.reason
    return session._replace(
        phase=Phase.SETTLED,
        energy_wh=energy_wh,
        power_w=0,
        limit_w=None,
        waiting_since=None,
        turn_since=None,
        reason=reason,
        ended_at=at,
        cost_eur=cost_eur(energy_wh, session.price_eur_kwh),
    )


def orphan(session_id: str, cp: DesiredCp, event: Ended) -> Session | None:
    """The ticket of a supply that the ledger lost, at the price of now; None if it can't be one."""
    if not ID.fullmatch(session_id) or not 0 <= event.energy_wh <= MAX_ENERGY_WH or event.seq < 0:
        return None
    price = NO_PRICE if cp.backend is not None else cp.price_eur_kwh
    begun = Session(session_id, cp.id, None, price, event.energy_wh, cp.max_power_w, event.at)
    return _ended(begun, event._replace(reason=EndReason.UNKNOWN_SESSION))


def _ended(session: Session, event: Ended) -> Session:
    # More than was asked for can't have been delivered: the last good reading counts.
    energy = max(session.energy_wh, event.energy_wh if session.takes(event.energy_wh) else 0)
    settled = _settle(session, energy, event.reason, event.at)
    return settled._replace(seq=event.seq, end_known=True)


def _corrected(session: Session, event: Ended) -> Session:
    """The end of a session that was settled without its CP's word comes after all, once."""
    more_wh = event.energy_wh - session.energy_wh
    if session.end_known or session.correction or not more_wh or not session.takes(event.energy_wh):
        return session
    cost = cost_eur(event.energy_wh, session.price_eur_kwh)
    more_eur = difference_eur(cost, session.cost_so_far)
    return session._replace(correction=Correction(event.at, more_wh, more_eur, event.reason))


def _not_held(session: Session, event: NotHeld) -> Session:
    # An Engine that has not got it never will: its journal is lost, or it was never there.
    return _settle(session, session.energy_wh, session.reason or EndReason.NOT_STARTED, event.at)


def _closed(session: Session, event: Closed) -> Session:
    return _settle(session, session.energy_wh, event.reason, event.at)


TABLE: dict[tuple[str, type], Step] = {
    (Phase.REQUESTED, Started): Step(Phase.SUPPLYING, _metered),
    (Phase.REQUESTED, Metered): Step(Phase.SUPPLYING, _metered),
    (Phase.REQUESTED, Lost): Step(Phase.REQUESTED, _as_it_is),
    (Phase.REQUESTED, Stop): Step(Phase.ENDING, _for_reason),
    (Phase.REQUESTED, Ended): Step(Phase.SETTLED, _ended),
    (Phase.REQUESTED, NotHeld): Step(Phase.SETTLED, _not_held),
    (Phase.REQUESTED, Closed): Step(Phase.SETTLED, _closed),
    (Phase.SUPPLYING, Started): Step(Phase.SUPPLYING, _metered),
    (Phase.SUPPLYING, Metered): Step(Phase.SUPPLYING, _metered),
    (Phase.SUPPLYING, Lost): Step(Phase.INTERRUPTED, _powerless),
    (Phase.SUPPLYING, Stop): Step(Phase.ENDING, _for_reason),
    (Phase.SUPPLYING, Ended): Step(Phase.SETTLED, _ended),
    (Phase.SUPPLYING, Closed): Step(Phase.SETTLED, _closed),
    (Phase.INTERRUPTED, Started): Step(Phase.SUPPLYING, _metered),
    (Phase.INTERRUPTED, Metered): Step(Phase.SUPPLYING, _metered),
    (Phase.INTERRUPTED, Lost): Step(Phase.INTERRUPTED, _as_it_is),
    (Phase.INTERRUPTED, Stop): Step(Phase.ENDING, _for_reason),
    (Phase.INTERRUPTED, Ended): Step(Phase.SETTLED, _ended),
    (Phase.INTERRUPTED, Closed): Step(Phase.SETTLED, _closed),
    (Phase.ENDING, Started): Step(Phase.ENDING, _metered),
    (Phase.ENDING, Metered): Step(Phase.ENDING, _metered),
    (Phase.ENDING, Lost): Step(Phase.ENDING, _powerless),
    (Phase.ENDING, Stop): Step(Phase.ENDING, _as_it_is),
    (Phase.ENDING, Ended): Step(Phase.SETTLED, _ended),
    (Phase.ENDING, NotHeld): Step(Phase.SETTLED, _not_held),
    (Phase.ENDING, Closed): Step(Phase.SETTLED, _closed),
    (Phase.SETTLED, Ended): Step(Phase.SETTLED, _corrected),
    (Phase.LATE, Started): Step(Phase.SUPPLYING, _metered),
    (Phase.LATE, Metered): Step(Phase.LATE, _metered_late),
    (Phase.LATE, Ended): Step(Phase.SETTLED, _ended),
    (Phase.LATE, Closed): Step(Phase.SETTLED, _closed),
}


def is_expected(session: Session, event: Event) -> bool:
    """Whether the table knows the event in this phase."""
    return (session.phase, type(event)) in TABLE


def advance(session: Session, event: Event) -> Session:
    """The session after the event; the same object where the event changes nothing."""
    step = TABLE.get((session.phase, type(event)))
    if step is None:
        return session
    after = step.change(session, event)
    return after if after.phase == step.target else after._replace(phase=step.target)


class Pending(NamedTuple):
    """A command that the Engine must be told for its session."""

    verb: str
    reason: str | None = None


def pending(session: Session, engine: EngineStatus | None, in_time: bool) -> Pending | None:
    """What the Engine of `session` must be told now, if it can be.

    `in_time`: whether one that was requested may still begin. An Engine that is away is told when
    it is back.
    """
    if engine is None or not engine.online:
        return None
    holds = engine.session_id == session.session_id
    if session.phase == Phase.SETTLED:
        return release(session) if holds else None
    if session.phase == Phase.ENDING:
        return Pending("stop", session.reason)
    if session.phase == Phase.REQUESTED and not holds:
        return Pending("start") if in_time else Pending("stop", EndReason.NOT_STARTED)
    if holds and engine.phase == SupplyPhase.WAITING:
        return Pending("resume")
    return None


def release(session: Session) -> Pending:
    """What an Engine is told that holds a settled session.

    One that was settled without its word is ended first: what it says then is the correction.
    """
    known = session.end_known or session.correction is not None
    return Pending("settled") if known else Pending("stop", session.reason)


def diagram() -> str:
    """TABLE as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"  [*] --> {Phase.REQUESTED}"]
    lines += [
        f"  {phase} --> {step.target}: {event.__name__}" for (phase, event), step in TABLE.items()
    ]
    return "\n".join([*lines, f"  {Phase.SETTLED} --> [*]"]) + "\n"
