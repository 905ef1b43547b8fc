"""What a back end may ask of an emulated OCPP 1.6 station's list of cards."""

from __future__ import annotations

from collections.abc import Mapping

from evcs.core.ocpp import station_list
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.station_list import LocalList
from evcs.core.ocpp.station_tokens import Card, Token

#: In the place of a version, where the list is not enabled.
NONE = -1


def _send(station: Station, payload: Answer, _at: At) -> Answer:
    """Its list, whole or what has changed; kept over restarts (5.15)."""
    if not station.keys.is_set("LocalAuthListEnabled"):
        return {"status": "NotSupported"}
    changes = [
        (Token(one["idTag"]), card(one["idTag"], one["idTagInfo"]) if "idTagInfo" in one else None)
        for one in payload.get("localAuthorizationList", [])
    ]
    full = payload["updateType"] == "Full"
    word, after = station_list.updated(
        station.held.local, payload["listVersion"], full, changes
    )  # fmt: skip
    station.held = station.held._replace(local=after if after.cards else LocalList())
    return {"status": word}


def _version(station: Station, _payload: Answer, _at: At) -> Answer:
    """Of its list: 0 where it is empty, -1 where it is not enabled (5.10)."""
    enabled = station.keys.is_set("LocalAuthListEnabled")
    return {"listVersion": station.held.local.version if enabled else NONE}


def card(tag: str, info: Answer) -> Card:
    """What an `idTagInfo` says of a card (7.27)."""
    return Card(tag, info["status"], info.get("expiryDate", ""), info.get("parentIdTag", ""))


LISTS: Mapping[str, Order] = {"GetLocalListVersion": _version, "SendLocalList": _send}
