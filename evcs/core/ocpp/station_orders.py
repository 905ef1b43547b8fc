"""What a station does alike at its back end's word, whatever the version."""

from __future__ import annotations

from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Order, Station

REJECTED = "Rejected"


def status(word: str) -> Answer:
    """The answer that most have."""
    return {"status": word}


def always(word: str) -> Order:
    """Of what it has not."""

    def order(_station: Station, _payload: Answer, _at: At) -> Answer:
        return status(word)

    order.__doc__ = f"Answered `{word}`"
    return order


def clear_cache(station: Station, _payload: Answer, _at: At) -> Answer:
    """It knows no card any more (1.6, 5.4; 2.0.1, C11)."""
    if not station.keys.is_set("AuthorizationCacheEnabled"):
        return status(REJECTED)
    station.held = station.held._replace(cards=())
    return status(ACCEPTED)
