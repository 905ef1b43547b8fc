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
    """A charge begins; by AuthorizeRemoteTxRequests its card is asked for first (5.11)."""
    elsewhere = payload.get("connectorId", 1) != 1
    if elsewhere or station.cannot_begin() or not station.is_online:
        return _status(REJECTED)
    if station.keys.is_set("AuthorizeRemoteTxRequests"):
        station.authorise(payload["idTag"])
    else:
        station.begin(payload["idTag"], at)
    return _status(ACCEPTED)


def _remote_stop(station: Station16, payload: Answer, at: At) -> Answer:
    """The charge of that number ends (5.12)."""
    if station.held.transaction is None or payload["transactionId"] != station.held.back_end_id():
        return _status(REJECTED)
    station.end("Remote", at)
    return _status(ACCEPTED)


def _availability(station: Station16, payload: Answer, _at: At) -> Answer:
    """In or out of service, kept over restarts; while it charges, after that (5.2)."""
    if payload["connectorId"] not in (0, 1):
        return _status(REJECTED)
    inoperative = payload["type"] == "Inoperative"
    station.held = station.held._replace(inoperative=inoperative)
    waits = inoperative and station.held.transaction is not None
    return _status("Scheduled" if waits else ACCEPTED)


def _reset(station: Station16, payload: Answer, at: At) -> Answer:
    """A charge ends, then it begins anew, with all that it holds (5.14)."""
    station.end("SoftReset" if payload["type"] == "Soft" else "HardReset", at)
    station.restarts = f"{payload['type']} reset"
    return _status(ACCEPTED)


def _unlock(station: Station16, payload: Answer, at: At) -> Answer:
    """A charge ends, and the car leaves (5.18)."""
    if payload["connectorId"] != 1:
        return _status("NotSupported")
    station.end("UnlockCommand", at)
    station.plugged = False
    return _status("Unlocked")


def _get(station: Station16, payload: Answer, _at: At) -> Answer:
    """Its configuration keys (5.8)."""
    return station.keys.answer(payload.get("key", []))


def _set(station: Station16, payload: Answer, _at: At) -> Answer:
    """A configuration key, by its kind; kept over restarts (5.3)."""
    word, found = station_keys.changed(payload["key"], payload["value"])
    if found is not None:
        station.held = station.held.configured(*found)
    return _status(word)


def _clear_cache(station: Station16, _payload: Answer, _at: At) -> Answer:
    """It knows no card any more (5.4)."""
    if not station.keys.is_set("AuthorizationCacheEnabled"):
        return _status(REJECTED)
    station.held = station.held._replace(cards=())
    return _status(ACCEPTED)


def _trigger(station: Station16, payload: Answer, at: At) -> Answer:
    """It says BootNotification, Heartbeat, MeterValues or StatusNotification once (5.17)."""
    message = payload["requestedMessage"]
    if message not in TRIGGERED:
        return _status("NotImplemented")
    if payload.get("connectorId", 1) not in (0, 1):
        return _status(REJECTED)
    return _status(ACCEPTED if station.trigger(message, at) else REJECTED)


def _data(_station: Station16, _payload: Answer, _at: At) -> Answer:
    """Answered `UnknownVendorId` (5.6)."""
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
