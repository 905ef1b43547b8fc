"""A session: one driver's charge, as Central, the ledger and a ticket have it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from evcs.core.errors import BadValue
from evcs.core.ids import check_id, short
from evcs.core.units import cost_eur, price, whole


class Phase(StrEnum):
    """Where in its life a session is."""

    REQUESTED = "requested"
    SUPPLYING = "supplying"
    INTERRUPTED = "interrupted"
    ENDING = "ending"
    SETTLED = "settled"


MAX_KEPT = 2**53


class Session(NamedTuple):
    """One supply. Energy in Wh, times RFC 3339; `cost_eur` is None until settled.

    `request_id`: the driver's request, so that one that is sent twice makes one session.
    `driver` is "" of a supply that an Engine held and no ledger knew.
    """

    session_id: str
    cp: str
    driver: str
    price_eur_kwh: str
    requested_wh: int
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

    @property
    def state(self) -> str:
        """The contract's word: "active", "interrupted" or "settled".

        One that shall end and has no power waits for its Engine's word: nothing is delivered.
        """
        if self.phase == Phase.ENDING and self.power_w == 0:
            return Phase.INTERRUPTED
        return self.phase if self.phase in (Phase.INTERRUPTED, Phase.SETTLED) else "active"

    @property
    def cost_so_far(self) -> str:
        """What the energy so far costs."""
        return self.cost_eur or cost_eur(self.energy_wh, self.price_eur_kwh)


def to_json(session: Session) -> dict[str, Any]:
    """A session or ticket as the contract has it."""
    return {
        "session_id": session.session_id,
        "cp": session.cp,
        "driver": session.driver or None,
        "state": session.state,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "energy_wh": session.energy_wh,
        "cost_eur": session.cost_so_far,
        "price_eur_kwh": session.price_eur_kwh,
        # A ticket of old may hold more than would be taken now, and is never changed.
        "reason": short(session.reason) if session.reason else session.reason,
    }


def check(session: Session) -> Session:
    """A session that was kept, if it can be one. Raises BadValue, naming it and the field."""
    try:
        check_id("CP", session.cp)
        check_id("driver", session.driver)
        price("price_eur_kwh", session.price_eur_kwh)
        for field in ("requested_wh", "max_power_w", "energy_wh", "seq", "power_w"):
            whole(field, getattr(session, field), 0, MAX_KEPT)
        if session.phase not in frozenset(Phase):
            raise BadValue(f"phase {session.phase[:20]!a} is none")
        if not session.session_id.isprintable():
            raise BadValue("its id is not one")
    except BadValue as error:
        raise BadValue(f"session {session.session_id[:40]!a}: {error.message}") from None
    return session
