"""What a back end may ask of an emulated OCPP 1.6 station's charging profiles."""

from __future__ import annotations

from collections.abc import Mapping

from evcs.core.ocpp import station_charging as charging
from evcs.core.ocpp import station_profiles as p
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_charging import PLACES, PURPOSES
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.station_orders import REJECTED
from evcs.core.ocpp.station_profiles import Profile


def profile(payload: Answer, connector: int, transaction: int) -> Profile:
    """A ChargingProfile (7.8)."""
    id_, schedule = payload["chargingProfileId"], payload["chargingSchedule"]
    return charging.profile(id_, payload, schedule, connector, transaction)


def _set(station: Station, payload: Answer, _at: At) -> Answer:
    """A profile of the station, of its transactions or of this one; kept over restarts (5.16)."""
    asked, connector = payload["csChargingProfiles"], payload["connectorId"]
    one, purpose = station.held.transaction, PURPOSES[asked["chargingProfilePurpose"]]
    if connector not in PLACES[purpose]:
        return {"status": REJECTED}
    if purpose == p.TRANSACTION:
        theirs = station.dialect.transaction_id(station.held)
        if one is None or asked.get("transactionId", theirs) != theirs:
            return {"status": REJECTED}
    of = one.number if one is not None and purpose == p.TRANSACTION else 0
    after = p.installed(station.held.profiles, profile(asked, connector, of))
    if after is None:
        return {"status": REJECTED}
    station.held = station.held._replace(profiles=after)
    return {"status": ACCEPTED}


def _clear(station: Station, payload: Answer, _at: At) -> Answer:
    """Profiles that all that is given fits; all where nothing is given (5.5)."""
    purpose = payload.get("chargingProfilePurpose")
    after = p.cleared(
        station.held.profiles, payload.get("id"), payload.get("connectorId"),
        purpose and PURPOSES[purpose], payload.get("stackLevel"),
    )  # fmt: skip
    if after == station.held.profiles:
        return {"status": "Unknown"}
    station.held = station.held._replace(profiles=after)
    return {"status": ACCEPTED}


def _composite(station: Station, payload: Answer, at: At) -> Answer:
    """What its profiles together let a car take, for a week at most (5.7)."""
    connector = payload["connectorId"]
    if connector not in (0, 1) or payload["duration"] < 0:
        return {"status": REJECTED}
    schedule = charging.composite(station, payload, at)
    return {
        "status": ACCEPTED, "connectorId": connector,
        "scheduleStart": schedule["startSchedule"], "chargingSchedule": schedule,
    }  # fmt: skip


CHARGING: Mapping[str, Order] = {
    "ClearChargingProfile": _clear,
    "GetCompositeSchedule": _composite,
    "SetChargingProfile": _set,
}
