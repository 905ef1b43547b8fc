"""What a back end may ask of an emulated OCPP 2.0.1 station, and what it does then."""

from __future__ import annotations

from collections.abc import Mapping

from evcs.core.ocpp import station_201_words as words
from evcs.core.ocpp import station_meter
from evcs.core.ocpp.station_201_charging import CHARGING, wished
from evcs.core.ocpp.station_201_list import LISTS
from evcs.core.ocpp.station_201_reports import REPORTS
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.station_jobs import FIRMWARE, LOG
from evcs.core.ocpp.station_orders import REJECTED, always, clear_cache, status
from evcs.core.ocpp.station_profiles import installed
from evcs.core.ocpp.station_tokens import Token
from evcs.core.ocpp.station_upkeep import OF_LOG, firmware, log
from evcs.core.ocpp.times import written

NO_CARD = "NoAuthorization"
OF_FIRMWARE = "FirmwareStatusNotification"


def _start(station: Station, payload: Answer, at: At) -> Answer:
    """A charge begins; by AuthorizeRemoteStart its card is looked at first (F01, F02)."""
    elsewhere = payload.get("evseId", 1) != 1
    if elsewhere or station.cannot_begin(at) or not station.is_online:
        return status(REJECTED)
    asked = payload.get("chargingProfile")
    station.wished = None if asked is None else wished(asked)
    if asked is not None and (
        station.wished is None or installed(station.held.profiles, station.wished) is None
    ):
        return status(REJECTED)
    token = Token(payload["idToken"]["idToken"], payload["idToken"]["type"])
    if station.keys.is_set("AuthorizeRemoteTxRequests") and token.type != NO_CARD:
        station.reader.identified(token, at, payload["remoteStartId"])
    else:
        station.begin(token, at, payload["remoteStartId"])
    return status(ACCEPTED)


def _stop(station: Station, payload: Answer, at: At) -> Answer:
    """The charge of that id ends (F03)."""
    theirs = station.dialect.transaction_id(station.held)
    if payload["transactionId"] != theirs or not station.is_online:
        return status(REJECTED)
    station.end("Remote", at)
    return status(ACCEPTED)


def _transaction(station: Station, payload: Answer, _at: At) -> Answer:
    """Whether a charge goes on, and whether something of it waits to be told (E14)."""
    held, asked = station.held, payload.get("transactionId")
    if asked is None:
        return {"messagesInQueue": any(item.transaction for item in held.queue)}

    numbers = {item.transaction for item in held.queue if item.transaction}
    waiting = {words.transaction_id(station.dialect.identity, held, one) for one in numbers}
    return {
        "ongoingIndicator": asked == station.dialect.transaction_id(held),
        "messagesInQueue": asked in waiting,
    }


def _availability(station: Station, payload: Answer, _at: At) -> Answer:
    """The station, its EVSE or its connector in or out of service, kept over restarts; while it
    charges, after that (G03, G04)."""
    evse = payload.get("evse", {"id": 0})
    if evse["id"] not in (0, 1) or evse.get("connectorId", 1) != 1:
        return status(REJECTED)
    level = f"{evse['id']}.1" if "connectorId" in evse else str(evse["id"])
    before = station.held.inoperative
    left = tuple(one for one in before if one != level)
    after = (*left, level) if payload["operationalStatus"] == "Inoperative" else left
    station.held = station.held._replace(inoperative=after)
    waits = set(after) != set(before) and station.held.transaction is not None
    return status("Scheduled" if waits else ACCEPTED)


def _reset(station: Station, payload: Answer, at: At) -> Answer:
    """It begins anew, with all that it holds; a charge is ended first, or waited for (B11, B12)."""
    if "evseId" in payload:
        return status(REJECTED)
    if payload["type"] == "OnIdle" and station.held.transaction is not None:
        station.restarts_later = "ScheduledReset"
        return status("Scheduled")
    station.end("ImmediateReset", at)
    station.secure("ResetOrReboot", at)
    station.restarts = "RemoteReset"
    return status(ACCEPTED)


def _unlock(station: Station, payload: Answer, _at: At) -> Answer:
    """The car leaves, unless it charges (F05)."""
    if (payload["evseId"], payload["connectorId"]) != (1, 1):
        return status("UnknownConnector")
    if station.held.transaction is not None:
        return status("OngoingAuthorizedTransaction")
    station.plugged = False
    return status("Unlocked")


def _trigger(station: Station, payload: Answer, at: At) -> Answer:
    """It says once its boot, beat, readings, status, how a charge, firmware or a log is (F06)."""
    message, evse = payload["requestedMessage"], payload.get("evse", {})
    if message not in _TRIGGERED:
        return status("NotImplemented")
    booted = message == "BootNotification" and station.agenda.registration == ACCEPTED
    elsewhere = evse.get("id", 1) != 1 or evse.get("connectorId", 1) != 1
    if booted or station.agenda.is_full or (elsewhere and message in _OF_EVSE):
        return status(REJECTED)
    if message == "MeterValues":
        if (found := _reading(station, "MeterValuesAlignedData", at)) is None:
            return status(REJECTED)
        station.agenda.say(message, {"evseId": 1, "meterValue": [found]})
    elif message in _JOBS:
        kind = _JOBS[message]
        station.agenda.say(
            message, {"status": station.jobs.status(kind), **station.jobs.request(kind)}
        )
    elif message == words.EVENT:
        return status(ACCEPTED if _tell(station, at) else REJECTED)
    else:
        station.agenda.trigger(message, at)
    return status(ACCEPTED)


def _reading(station: Station, key: str, at: At) -> Answer | None:
    measurands = station.keys.listed(key)
    return words.value(station.sample, measurands, written(at.wall), station_meter.TRIGGERED)


def _tell(station: Station, at: At) -> bool:
    """An event of the transaction that is under way; False where none is."""
    one = station.held.transaction
    if one is None:
        return False
    payload = words.event(station, at, "Updated", "Trigger", words.charging_state(station))
    if found := _reading(station, "MeterValuesSampledData", at):
        payload["meterValue"] = [found]
    station.held = station.held.put(words.EVENT, payload, one.number)
    return True


_OF_EVSE = frozenset({"MeterValues", "StatusNotification", "TransactionEvent"})
_JOBS = {OF_FIRMWARE: FIRMWARE, OF_LOG: LOG}
_TRIGGERED = _OF_EVSE | _JOBS.keys() | {"BootNotification", "Heartbeat"}


def _firmware(station: Station, payload: Answer, at: At) -> Answer:
    """It counts as fetched and installed, once no car charges; its states are told (L01, L02)."""
    return firmware(station, payload, OF_FIRMWARE, at)


#: What a station answers that has nothing of the kind; of other actions it knows nothing at all.
_WITHOUT = {
    "CancelReservation": REJECTED, "CustomerInformation": REJECTED, "DeleteCertificate": "NotFound",
    "GetInstalledCertificateIds": "NotFound",
    "GetMonitoringReport": "NotSupported", "InstallCertificate": REJECTED,
    "ReserveNow": REJECTED,
    "SetMonitoringBase": "NotSupported", "SetNetworkProfile": REJECTED,
}  # fmt: skip
SERVED: Mapping[str, Order] = {
    "ChangeAvailability": _availability,
    "ClearCache": clear_cache,
    "DataTransfer": always("UnknownVendorId"),
    "GetLog": log,
    "GetTransactionStatus": _transaction,
    "RequestStartTransaction": _start,
    "RequestStopTransaction": _stop,
    "Reset": _reset,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UpdateFirmware": _firmware,
    **CHARGING,
    **LISTS,
    **REPORTS,
    **{action: always(word) for action, word in _WITHOUT.items()},
}
