"""What a back end may ask of an emulated OCPP 1.6 station, and what it does then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from evcs.core.ocpp import station_keys
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED

if TYPE_CHECKING:
    from evcs.core.ocpp.station_16 import Station16

REJECTED = "Rejected"
Answer = dict[str, Any]
Order = Callable[["Station16", Answer, At], Answer]

#: What TriggerMessage may name, of that which this station has (6.52).
TRIGGERED = frozenset({"BootNotification", "Heartbeat", "MeterValues", "StatusNotification"})


def _status(word: str) -> Answer:
    return {"status": word}


def _remote_start(station: Station16, payload: Answer, at: At) -> Answer:
    """5.11: by AuthorizeRemoteTxRequests the card is asked for first."""
    elsewhere = payload.get("connectorId", 1) != 1
    if elsewhere or station.cannot_begin() or not station.is_online:
        return _status(REJECTED)
    if station.keys.is_set("AuthorizeRemoteTxRequests"):
        station.authorise(payload["idTag"])
    else:
        station.begin(payload["idTag"], at)
    return _status(ACCEPTED)


def _remote_stop(station: Station16, payload: Answer, at: At) -> Answer:
    """5.12."""
    if station.held.transaction is None or payload["transactionId"] != station.held.back_end_id():
        return _status(REJECTED)
    station.end("Remote", at)
    return _status(ACCEPTED)


def _availability(station: Station16, payload: Answer, _at: At) -> Answer:
    """5.2: kept over restarts; while a transaction is under way it holds after that."""
    if payload["connectorId"] not in (0, 1):
        return _status(REJECTED)
    inoperative = payload["type"] == "Inoperative"
    station.held = station.held._replace(inoperative=inoperative)
    waits = inoperative and station.held.transaction is not None
    return _status("Scheduled" if waits else ACCEPTED)


def _reset(station: Station16, payload: Answer, at: At) -> Answer:
    """5.14: what is under way ends first."""
    station.end("SoftReset" if payload["type"] == "Soft" else "HardReset", at)
    station.restarts = f"{payload['type']} reset"
    return _status(ACCEPTED)


def _unlock(station: Station16, payload: Answer, at: At) -> Answer:
    """5.18: a transaction ends by it."""
    if payload["connectorId"] != 1:
        return _status("NotSupported")
    station.end("UnlockCommand", at)
    station.plugged = False
    return _status("Unlocked")


def _get(station: Station16, payload: Answer, _at: At) -> Answer:
    return station.keys.answer(payload.get("key", []))


def _set(station: Station16, payload: Answer, _at: At) -> Answer:
    word, found = station_keys.changed(payload["key"], payload["value"])
    if found is not None:
        station.held = station.held.configured(*found)
    return _status(word)


def _clear_cache(station: Station16, _payload: Answer, _at: At) -> Answer:
    if not station.keys.is_set("AuthorizationCacheEnabled"):
        return _status(REJECTED)
    station.held = station.held._replace(cards=())
    return _status(ACCEPTED)


def _trigger(station: Station16, payload: Answer, at: At) -> Answer:
    message = payload["requestedMessage"]
    if message not in TRIGGERED:
        return _status("NotImplemented")
    if payload.get("connectorId", 1) not in (0, 1):
        return _status(REJECTED)
    return _status(ACCEPTED if station.trigger(message, at) else REJECTED)


def _data(_station: Station16, _payload: Answer, _at: At) -> Answer:
    return _status("UnknownVendorId")


SERVED: Mapping[str, Order] = {
    "ChangeAvailability": _availability,
    "ChangeConfiguration": _set,
    "ClearCache": _clear_cache,
    "DataTransfer": _data,
    "GetConfiguration": _get,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "Reset": _reset,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
}
