"""What a back end may ask of an emulated OCPP 1.6 station, and what it does then."""

from __future__ import annotations

from collections.abc import Mapping

from evcs.core.ocpp import station_16_keys
from evcs.core.ocpp.station_16_charging import CHARGING, profile
from evcs.core.ocpp.station_16_list import LISTS
from evcs.core.ocpp.station_16_upkeep import UPKEEP
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.station_orders import REJECTED, always, clear_cache, status
from evcs.core.ocpp.station_profiles import TRANSACTION, installed
from evcs.core.ocpp.station_tokens import Token


def _remote_start(station: Station, payload: Answer, at: At) -> Answer:
    """A charge begins; by AuthorizeRemoteTxRequests its card is asked for first (5.11, 5.16.2)."""
    elsewhere = payload.get("connectorId", 1) != 1
    if elsewhere or station.cannot_begin(at) or not station.is_online:
        return status(REJECTED)
    wished = payload.get("chargingProfile")
    if wished is not None:
        of_it = profile(wished, 1, 0)
        if of_it.purpose != TRANSACTION or installed(station.held.profiles, of_it) is None:
            return status(REJECTED)
        station.wished = of_it
    if station.keys.is_set("AuthorizeRemoteTxRequests"):
        station.reader.authorise(Token(payload["idTag"]))
    else:
        station.begin(Token(payload["idTag"]), at)
    return status(ACCEPTED)


def _remote_stop(station: Station, payload: Answer, at: At) -> Answer:
    """The charge of that number ends (5.12)."""
    if payload["transactionId"] != station.dialect.transaction_id(station.held):
        return status(REJECTED)
    station.end("Remote", at)
    return status(ACCEPTED)


def _availability(station: Station, payload: Answer, _at: At) -> Answer:
    """In or out of service, kept over restarts; while it charges, after that (5.2)."""
    if payload["connectorId"] not in (0, 1):
        return status(REJECTED)
    inoperative = ("0",) if payload["type"] == "Inoperative" else ()
    station.held = station.held._replace(inoperative=inoperative)
    waits = inoperative and station.held.transaction is not None
    return status("Scheduled" if waits else ACCEPTED)


def _reset(station: Station, payload: Answer, at: At) -> Answer:
    """A charge ends, then it begins anew, with all that it holds (5.14)."""
    station.end("SoftReset" if payload["type"] == "Soft" else "HardReset", at)
    station.secure("ResetOrReboot", at)
    station.restarts = f"{payload['type']} reset"
    return status(ACCEPTED)


def _unlock(station: Station, payload: Answer, at: At) -> Answer:
    """A charge ends, and the car leaves (5.18)."""
    if payload["connectorId"] != 1:
        return status("NotSupported")
    station.end("UnlockCommand", at)
    station.plugged = False
    return status("Unlocked")


def _get(station: Station, payload: Answer, _at: At) -> Answer:
    """Its configuration keys (5.8)."""
    return station_16_keys.answer(station.keys, payload.get("key", []))


def _set(station: Station, payload: Answer, at: At) -> Answer:
    """A configuration key, by its kind; kept over restarts (5.3)."""
    word, found = station_16_keys.changed(payload["key"], payload["value"])
    if found is not None:
        station.held = station.held.configured(*found)
        if found[0] == station_16_keys.DIALS_WITH:
            station.secure("ReconfigurationOfSecurityParameters", at)
    return status(word)


SERVED: Mapping[str, Order] = {
    **CHARGING,
    **LISTS,
    **UPKEEP,
    "ChangeAvailability": _availability,
    "ChangeConfiguration": _set,
    "ClearCache": clear_cache,
    "DataTransfer": always("UnknownVendorId"),
    "GetConfiguration": _get,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "Reset": _reset,
    "UnlockConnector": _unlock,
}
