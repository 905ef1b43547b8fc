"""What a CP in a circuit may take now, for all that is known, and what it asks for."""

from __future__ import annotations

from math import ceil

from evcs.core.cp_record import CpRecord
from evcs.core.limits import FOR_S, minimum_power_w
from evcs.core.load_management import Asker
from evcs.core.placement import OCPP
from evcs.core.power import Power
from evcs.core.session import Phase, Session
from evcs.core.supply import SupplyPhase

#: A command that an Engine has not had by then is dropped by the broker (core.topics), in seconds.
DELIVERED_WITHIN_S = 30.0
#: For so long an Engine, which takes a limit up at once, may leave one unshown, in seconds.
TRUSTED_S = 2.0
#: Who takes clearly less than its limit for so long leaves the rest, in seconds.
SLACK_AFTER_S = 10.0
#: It leaves all but this, times what it takes, in steps of so many W.
ROOM_TO_GROW, STEP_W = 1.2, 500


def wants_w(power: Power | None, session: Session, now: float) -> int:
    """What a session can take: all that its CP can give, or a little more than it takes."""
    least = minimum_power_w(session.max_power_w)
    slack_since = power.slack_since if power is not None else None
    if slack_since is None or now - slack_since < SLACK_AFTER_S:
        return session.max_power_w
    steps = ceil(session.power_w * ROOM_TO_GROW / STEP_W)
    return min(max(least, steps * STEP_W), session.max_power_w)


def most_now_w(record: CpRecord, now: float) -> int:
    """The most that a CP may take at this moment, for all that is known."""
    session, power = record.session, record.power
    alone_w, is_real = _alone_w(record), record.hosting == OCPP
    if session is None:
        return alone_w if is_real else 0
    if record.power_fault is not None:
        most_w = session.max_power_w
    elif power is None:
        most_w = _told_w(record, alone_w) if _may_flow(record) else 0
    else:
        most_w = power.most_w
    most_w = max(most_w, session.power_w)
    lost_at = record.engine_lost_at
    if lost_at is not None and now - lost_at > FOR_S + DELIVERED_WITHIN_S:
        unknown_w = minimum_power_w(session.max_power_w) if record.fallback_said_w is None else 0
        return max(alone_w, unknown_w)
    renewed = power is not None and now - power.told_at < FOR_S and not record.engine_away
    stays = (renewed or power is None) and not is_real
    return most_w if stays else max(most_w, alone_w)


def _alone_w(record: CpRecord) -> int:
    """What it takes of itself: a real charger may begin at any moment, without asking.

    One that refuses or does not obey, or that is there or charges and has confirmed no default,
    counts with all that it has; one that never was there does not.
    """
    desired, engine = record.desired, record.engine
    if desired is not None and desired.hosting == OCPP:
        is_there = record.under_way is not None or (engine is not None and engine.online)
        if record.power_fault is not None or (record.fallback_said_w is None and is_there):
            return desired.max_power_w
    return fallback_now_w(record)


def fallback_now_w(record: CpRecord) -> int:
    """The most that its Engine may have as its fallback, or is to have."""
    return max(record.fallback_w or 0, record.fallback_said_w or 0)


def _told_w(record: CpRecord, fallback_w: int) -> int:
    """Of a session that this Central has told nothing: by its Engine's word, or all that it has."""
    engine, session = record.engine, record.session
    assert session is not None
    if engine is None or engine.limit_w is None:
        return session.max_power_w
    return max(engine.limit_w, fallback_w)


def _may_flow(record: CpRecord) -> bool:
    """Whether the session may take power, though it was told no limit."""
    engine = record.engine
    if engine is None or not engine.online:
        return record.under_way is not None
    return record.holds and engine.phase == SupplyPhase.SUPPLYING


def asker(record: CpRecord, circuit: str, now: float, turns_from: str, wall: str) -> Asker | None:
    """The session as one that is to be given power; None where it can't be told, or shall end.

    `turns_from`: RFC 3339, a turn that began before is over.
    """
    session, engine = record.session, record.engine
    if session is None or engine is None or record.engine_away:
        return None
    if session.phase not in (Phase.REQUESTED, Phase.SUPPLYING, Phase.INTERRUPTED):
        return None
    if session.phase == Phase.REQUESTED and record.hosting == OCPP:
        return None  # it begins with what is kept for it, if its car comes
    waits, began = session.waiting_since, session.turn_since or ""
    turn, minimum_w = turns_from < began <= wall, minimum_power_w(session.max_power_w)
    return Asker(
        record.cp,
        circuit,
        minimum_w,
        wants_w(record.power, session, now),
        served=waits is None,
        since=began if turn or waits is None else min(waits, wall),
        turn=turn,
        kept=record.hosting == OCPP and (record.fallback_w or 0) >= minimum_w,
    )


def is_trusted(record: CpRecord, now: float) -> bool:
    """Whether a lowered limit of it counts already, though no reading has shown it yet."""
    if record.hosting == OCPP or record.power_fault is not None:
        return False
    since = record.power.unshown_since if record.power is not None else None
    return since is None or now - since <= TRUSTED_S
