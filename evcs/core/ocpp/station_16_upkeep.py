"""What a back end may ask of an emulated OCPP 1.6 station's firmware, files and messages.

Sections are those of OCPP 1.6 edition 2; use cases those of the security whitepaper, edition 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from evcs.core.ocpp import station_meter
from evcs.core.ocpp import station_upkeep as upkeep
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.station_jobs import FIRMWARE, INSTALL_S, LOG, TRANSFER_S, Job, JobStep
from evcs.core.ocpp.station_orders import REJECTED
from evcs.core.ocpp.station_upkeep import OF_LOG, SENT
from evcs.core.ocpp.times import parse

OF_FIRMWARE, OF_SIGNED = "FirmwareStatusNotification", "SignedFirmwareStatusNotification"
OF_DIAGNOSTICS = "DiagnosticsStatusNotification"
#: Messages that tell the state of a job.
_JOBS = {OF_FIRMWARE: FIRMWARE, OF_SIGNED: FIRMWARE, OF_DIAGNOSTICS: LOG, OF_LOG: LOG}


def _diagnostics(station: Station, _payload: Answer, at: At) -> Answer:
    """A file counts as sent; its states are told, no address is opened (5.9)."""
    station.jobs.begin(LOG, Job(OF_DIAGNOSTICS, {}, SENT), at)
    return {"fileName": "diagnostics.log"}


def _firmware(station: Station, payload: Answer, at: At) -> Answer:
    """It counts as fetched and installed, once no car charges; its states are told (5.19)."""
    steps = [
        JobStep("Downloading", TRANSFER_S, parse(payload["retrieveDate"])), JobStep("Downloaded"),
        JobStep("Installing", INSTALL_S, free=True), JobStep("Installed", event="FirmwareUpdated"),
    ]  # fmt: skip
    station.jobs.begin(FIRMWARE, Job(OF_FIRMWARE, {}, steps), at)
    return {}


def _signed(station: Station, payload: Answer, at: At) -> Answer:
    """The same of one that is signed; of its certificate only the form is looked at (L01)."""
    return upkeep.firmware(station, payload, OF_SIGNED, at)


def _trigger(station: Station, payload: Answer, at: At) -> Answer:
    """It says once its boot, beat, readings, statuses, or how far firmware or a file is (5.17)."""
    message = payload["requestedMessage"]
    if payload.get("connectorId", 1) not in (0, 1) or station.agenda.is_full:
        return {"status": REJECTED}
    if message == "MeterValues":
        station.held = station.dialect.read(
            station, "MeterValuesSampledData", station_meter.TRIGGERED, at
        )
    elif message in _JOBS:
        kind = _JOBS[message]
        of_it = station.jobs.request(kind) if message in (OF_LOG, OF_SIGNED) else {}
        station.agenda.say(message, {"status": station.jobs.status(kind), **of_it})
    else:
        station.agenda.trigger(message, at)
    return {"status": ACCEPTED}


def _extended(station: Station, payload: Answer, at: At) -> Answer:
    """The same of the security extension; it asks for no certificate (F06)."""
    message = payload["requestedMessage"]
    if message == "SignChargePointCertificate":
        return {"status": "NotImplemented"}
    if message == OF_FIRMWARE:
        message = OF_SIGNED
    return _trigger(station, {**payload, "requestedMessage": message}, at)


UPKEEP: Mapping[str, Order] = {
    "ExtendedTriggerMessage": _extended,
    "GetDiagnostics": _diagnostics,
    "GetLog": upkeep.log,
    "SignedUpdateFirmware": _signed,
    "TriggerMessage": _trigger,
    "UpdateFirmware": _firmware,
}
