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
    fallback_w = record.fallback_w or 0
    if session is None:
        return fallback_w if _may_begin_alone(record) else 0
    if power is None:
        most_w = _told_w(record, fallback_w) if _may_flow(record) else 0
    elif power.fault is not None:
        most_w = session.max_power_w
    else:
        most_w = power.most_w
    most_w = max(most_w, session.power_w)
    lost_at = record.engine_lost_at
    if lost_at is not None and now - lost_at > FOR_S + DELIVERED_WITHIN_S:
        return fallback_w
    renewed = power is not None and now - power.told_at < FOR_S and not record.engine_away
    return most_w if renewed or power is None else max(most_w, fallback_w)


def _told_w(record: CpRecord, fallback_w: int) -> int:
    """Of a session that this Central has told nothing: by its Engine's word, or all that it has."""
    engine, session = record.engine, record.session
    assert session is not None
    if engine is None or engine.limit_w is None:
        return session.max_power_w
    return max(engine.limit_w, fallback_w)


def _may_begin_alone(record: CpRecord) -> bool:
    """Whether a car may be charging here of which Central has not heard: at a real charger."""
    desired, engine = record.desired, record.engine
    if desired is None or desired.hosting != OCPP:
        return False
    return engine is None or not engine.online or engine.plugged


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
    if record.power is not None and record.power.fault is not None:
        return None
    if session.phase not in (Phase.REQUESTED, Phase.SUPPLYING, Phase.INTERRUPTED):
        return None
    waits, began = session.waiting_since, session.turn_since or ""
    turn = turns_from < began <= wall
    return Asker(
        record.cp,
        circuit,
        minimum_power_w(session.max_power_w),
        wants_w(record.power, session, now),
        served=waits is None,
        since=began if turn or waits is None else min(waits, wall),
        turn=turn,
    )
