"""What a back end may ask of a station's firmware and logs, of either version.

Use cases are those of OCPP 2.0.1 part 2, which the security whitepaper has for 1.6, too.
"""

from __future__ import annotations

from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Station
from evcs.core.ocpp.station_jobs import FIRMWARE, INSTALL_S, LOG, TRANSFER_S, Job, JobStep
from evcs.core.ocpp.times import parse

CANCELED = "AcceptedCanceled"
OF_LOG = "LogStatusNotification"
SENT = (JobStep("Uploading", TRANSFER_S), JobStep("Uploaded"))
_PEM = "-----BEGIN CERTIFICATE-----"


def log(station: Station, payload: Answer, at: At) -> Answer:
    """A log counts as sent, in the place of one that is under way; its states are told (N01)."""
    of_it = {"requestId": payload["requestId"]}
    before = station.jobs.begin(LOG, Job(OF_LOG, of_it, SENT), at)
    name = "security.log" if payload["logType"] == "SecurityLog" else "diagnostics.log"
    return {"status": CANCELED if before else ACCEPTED, "filename": name}


def firmware(station: Station, payload: Answer, action: str, at: At) -> Answer:
    """It counts as fetched and installed, once no car charges; its states are told by `action`. Of
    its certificate, if it has one, only the form is looked at (L01, L02)."""
    asked = payload["firmware"]
    certificate = asked.get("signingCertificate")
    if certificate is not None and not certificate.lstrip().startswith(_PEM):
        station.secure("InvalidFirmwareSigningCertificate", at)
        return {"status": "InvalidCertificate"}
    fetch, install = parse(asked["retrieveDateTime"]), parse(asked.get("installDateTime"))
    steps = [
        *([JobStep("DownloadScheduled")] if fetch is not None and fetch > at.wall else []),
        JobStep("Downloading", TRANSFER_S, fetch), JobStep("Downloaded"),
        *([JobStep("SignatureVerified")] if certificate is not None else []),
        *([JobStep("InstallScheduled")] if install is not None and install > at.wall else []),
        JobStep("Installing", INSTALL_S, install, free=True),
        JobStep("Installed", event="FirmwareUpdated"),
    ]  # fmt: skip
    job = Job(action, {"requestId": payload["requestId"]}, steps)
    return {"status": CANCELED if station.jobs.begin(FIRMWARE, job, at) else ACCEPTED}
