"""A session: one charge, as Central, the ledger, a ticket and its correction have it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from evcs.core.errors import BadValue
from evcs.core.ids import check_id, is_session_id, is_word, short
from evcs.core.payloads import MAX_INT
from evcs.core.units import MAX_ENERGY_WH, cost_eur, is_cost, is_time, price, whole


class Phase(StrEnum):
    """Where in its life a session is."""

    REQUESTED = "requested"
    SUPPLYING = "supplying"
    INTERRUPTED = "interrupted"
    ENDING = "ending"
    SETTLED = "settled"
    #: Told of afterwards, by a charger that was offline: its end comes, or it is still under way.
    LATE = "late"


#: What `Session.state` may be, in the contract's words; and of one that is not settled.
STATES = ("active", "interrupted", "settled")
OPEN_STATES = STATES[:2]

#: A session that may still deliver, but does not.
HALTED = frozenset({Phase.INTERRUPTED, Phase.ENDING})


class Origin(StrEnum):
    """Who began a session: a driver by his request, or somebody at the charger."""

    DRIVER = "driver"
    STATION = "station"


class CardStatus(StrEnum):
    """What becomes of a card that is held to a charger: OCPP's words for it."""

    ACCEPTED = "accepted"
    INVALID = "invalid"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    CONCURRENT = "concurrent"


_PHASES, _ORIGINS = frozenset(Phase), frozenset(Origin)
#: Of a session that was kept; None where it has none.
_RULES: dict[str, Callable[[str], bool]] = {
    "session_id": is_session_id, "request_id": is_word, "tag": is_word, "cost_eur": is_cost,
    "started_at": is_time, "ended_at": is_time, "waiting_since": is_time, "turn_since": is_time,
}  # fmt: skip
#: Of a charge at a CP that is a charger of a back end: it costs there, not here.
NO_PRICE = ""
WAITING_FOR_POWER = "waiting for power"


class AnsweredStart(NamedTuple):
    """What a charger was answered that began a charge; its request is known by its id for ever."""

    session_id: str
    status: CardStatus


class Correction(NamedTuple):
    """What a settled session was more, or less, than its ticket says: its CP told the end later.

    Energy in Wh and cost in EUR are signed; ticket and correction together are what was metered.
    """

    at: str
    energy_wh: int
    cost_eur: str
    reason: str


class Session(NamedTuple):
    """A charge as Central keeps it. Energy in Wh, times RFC 3339; `cost_eur` is None until settled.

    `driver`: None where nobody known charged. `price_eur_kwh`: NO_PRICE where it costs elsewhere.
    `requested_wh`: None where the car decides.
    `request_id`: the driver's request, so that one that is sent twice makes one session.
    `meter_start_wh`: a charger's register as it began. `tag`: the card that began it. `end_known`:
    whether it was settled by its CP's own word; else an end that comes later is a correction.
    `limit_w`: what it may take of its circuit, None without one. `waiting_since`: while there is no
    power for it; `turn_since`: else, since when it has its turn, None of a guest.
    """

    session_id: str
    cp: str
    driver: str | None
    price_eur_kwh: str
    requested_wh: int | None
    max_power_w: int
    started_at: str
    phase: str = Phase.REQUESTED
    energy_wh: int = 0
    seq: int = 0
    power_w: int = 0
    reason: str | None = None
    ended_at: str | None = None
    cost_eur: str | None = None
    request_id: str | None = None
    origin: str = Origin.DRIVER
    connector: int = 1
    meter_start_wh: int | None = None
    tag: str | None = None
    end_known: bool = False
    limit_w: int | None = None
    waiting_since: str | None = None
    turn_since: str | None = None
    correction: Correction | None = None

    @property
    def state(self) -> str:
        """The contract's word, one of STATES.

        One that shall end and has no power waits for its Engine's word: nothing is delivered. Nor
        is anything, as far as is known, in one that was told of late.
        """
        if self.phase == Phase.LATE or (self.phase == Phase.ENDING and self.power_w == 0):
            return Phase.INTERRUPTED
        return self.phase if self.phase in (Phase.INTERRUPTED, Phase.SETTLED) else "active"

    @property
    def cost_so_far(self) -> str:
        """What the energy so far costs; nothing here where it has no price."""
        return self.cost_eur or cost_eur(self.energy_wh, self.price_eur_kwh)

    @property
    def cost_shown(self) -> str | None:
        """The same for people and programs; None where it has no price."""
        return None if self.price_eur_kwh == NO_PRICE else self.cost_so_far

    @property
    def waits_for(self) -> str | None:
        """What keeps it from charging, if that is its circuit."""
        return WAITING_FOR_POWER if self.waiting_since is not None else None

    def takes(self, energy_wh: int) -> bool:
        """Whether it may have come to so much: not to more than was asked for.

        A charger with a register of its own may overshoot; what it metered is billed.
        """
        most = None if self.meter_start_wh is not None else self.requested_wh
        return energy_wh <= (MAX_ENERGY_WH if most is None else most)


def to_json(session: Session) -> dict[str, Any]:
    """A session or ticket as the contract has it."""
    return {
        "session_id": session.session_id,
        "cp": session.cp,
        "driver": session.driver,
        "state": session.state,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "energy_wh": session.energy_wh,
        "cost_eur": session.cost_shown,
        "price_eur_kwh": session.price_eur_kwh or None,
        # A ticket of old may hold more than would be taken now, and is never changed.
        "reason": short(session.reason) if session.reason else session.waits_for,
        "limit_w": session.limit_w,
    }


def rows(session: Session) -> list[dict[str, Any]]:
    """A session as it is listed: its ticket, and behind that its correction, if there is one."""
    ticket, correction = to_json(session), session.correction
    if correction is None:
        return [ticket]
    more = {
        "session_id": f"{session.session_id}.correction",
        "ended_at": correction.at,
        "energy_wh": correction.energy_wh,
        "cost_eur": _cost_shown(session, correction),
        "reason": correction.reason,
        "corrects": session.session_id,
    }
    return [ticket, {**ticket, **more}]


def with_correction(session: Session) -> dict[str, Any]:
    """A session as one row: what is paged by session has its correction within it."""
    found = to_json(session)
    if session.correction is not None:
        cost_shown = _cost_shown(session, session.correction)
        found["correction"] = {**session.correction._asdict(), "cost_eur": cost_shown}
    return found


def _cost_shown(session: Session, correction: Correction) -> str | None:
    return None if session.price_eur_kwh == NO_PRICE else correction.cost_eur


def in_full(session: Session) -> dict[str, Any]:
    """A session with what is told of one alone."""
    more = {"requested_wh": session.requested_wh, "origin": session.origin}
    return {**with_correction(session), **more}


def check(session: Session) -> Session:
    """A session that was kept, if it can be one. Raises BadValue, naming it and the field.

    The request of a ticket of old may have a longer id than would be taken now; nothing tells it.
    """
    kept_as_it_is = "request_id" if session.phase == Phase.SETTLED else None
    try:
        check_id("CP", session.cp)
        if session.driver is not None:
            check_id("driver", session.driver)
        if session.price_eur_kwh != NO_PRICE:
            price("price_eur_kwh", session.price_eur_kwh)
        for field in ("max_power_w", "energy_wh", "seq", "power_w", "connector"):
            whole(field, getattr(session, field), 0, MAX_INT)
        for field in ("requested_wh", "meter_start_wh", "limit_w"):
            if getattr(session, field) is not None:
                whole(field, getattr(session, field), 0, MAX_INT)
        if session.origin not in _ORIGINS:
            raise BadValue(f"origin {session.origin[:20]!a} is none")
        if session.phase not in _PHASES:
            raise BadValue(f"phase {session.phase[:20]!a} is none")
        for field, rule in _RULES.items():
            value = getattr(session, field)
            if value is not None and field != kept_as_it_is and not rule(value):
                raise BadValue(f"{field} {value[:20]!a} is none")
        if session.correction is not None:
            _check_correction(session.correction)
    except BadValue as error:
        raise BadValue(f"session {session.session_id[:40]!a}: {error.message}") from None
    return session


def _check_correction(one: Correction) -> None:
    whole("a correction's energy_wh", one.energy_wh, -MAX_INT, MAX_INT)
    for value, rule in ((one.at, is_time), (one.cost_eur, is_cost)):
        if not rule(value):
            raise BadValue(f"a correction's {value[:20]!a} is none")
