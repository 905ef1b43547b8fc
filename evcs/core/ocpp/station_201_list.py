"""What a back end may ask of an emulated OCPP 2.0.1 station's list of cards: part 2, D."""

from __future__ import annotations

from collections.abc import Mapping

from evcs.core.ocpp import station_list
from evcs.core.ocpp.station_201_words import card_of
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.station_tokens import Token


def _send(station: Station, payload: Answer, _at: At) -> Answer:
    """Its list, whole or what has changed; kept over restarts (D01)."""
    if not station.keys.is_set("LocalAuthListEnabled"):
        return {"status": station_list.FAILED}
    given = [(one["idToken"], one.get("idTokenInfo")) for one in
             payload.get("localAuthorizationList", [])]  # fmt: skip
    changes = [
        (Token(token["idToken"], token["type"]), info and card_of(token, info))
        for token, info in given
    ]
    full = payload["updateType"] == "Full"
    word, after = station_list.updated(station.held.local, payload["versionNumber"], full, changes)
    station.held = station.held._replace(local=after)
    return {"status": word}


def _version(station: Station, _payload: Answer, _at: At) -> Answer:
    """Of its list: 0 where it has none, or it is not enabled (D02)."""
    enabled = station.keys.is_set("LocalAuthListEnabled")
    return {"versionNumber": station.held.local.version if enabled else 0}


LISTS: Mapping[str, Order] = {"GetLocalListVersion": _version, "SendLocalList": _send}
