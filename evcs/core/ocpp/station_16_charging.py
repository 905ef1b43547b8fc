"""What a back end may ask of an emulated OCPP 1.6 station's charging profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evcs.core.ocpp import station_profiles as p
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Order
from evcs.core.ocpp.station_profiles import Period, Profile
from evcs.core.ocpp.times import written

if TYPE_CHECKING:
    from evcs.core.ocpp.station import Station

REJECTED = "Rejected"
PURPOSES = {
    "ChargePointMaxProfile": p.STATION, "TxDefaultProfile": p.DEFAULT, "TxProfile": p.TRANSACTION,
}  # fmt: skip
_EVERY_S = {"Daily": p.A_DAY_S, "Weekly": 7 * p.A_DAY_S}


def profile(payload: Answer, connector: int, transaction: int) -> Profile:
    """A ChargingProfile (7.8). `minChargingRate` is advice that one connector has no use for."""
    schedule = payload["chargingSchedule"]
    kind = payload["chargingProfileKind"]
    return Profile(
        payload["chargingProfileId"], payload["stackLevel"],
        PURPOSES[payload["chargingProfilePurpose"]], schedule["chargingRateUnit"],
        tuple(
            Period(one["startPeriod"], one["limit"], one.get("numberPhases"))
            for one in schedule["chargingSchedulePeriod"]
        ),
        connector, "" if kind == "Relative" else schedule.get("startSchedule", ""),
        _EVERY_S[payload.get("recurrencyKind", "Daily")] if kind == "Recurring" else 0,
        schedule.get("duration"), payload.get("validFrom", ""), payload.get("validTo", ""),
        transaction,
    )  # fmt: skip


def _set(station: Station, payload: Answer, _at: At) -> Answer:
    """A profile of the station, of its transactions or of this one; kept over restarts (5.16)."""
    asked, connector = payload["csChargingProfiles"], payload["connectorId"]
    one, purpose = station.held.transaction, PURPOSES[asked["chargingProfilePurpose"]]
    places = {p.STATION: (0,), p.DEFAULT: (0, 1), p.TRANSACTION: (1,)}
    if connector not in places[purpose]:
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
    connector, seconds = payload["connectorId"], payload["duration"]
    if connector not in (0, 1) or seconds < 0:
        return {"status": REJECTED}
    held, most_w = station.held.profiles, station.most_w
    units = {one.unit for one in held}
    unit = payload.get("chargingRateUnit", units.pop() if len(units) == 1 else "W")
    now = at.wall.replace(microsecond=0)
    seconds = min(seconds, p.MOST_COMPOSITE_S)
    steps = p.composite(held, station.car, now, seconds)
    periods = [
        {"startPeriod": one.start_s, "limit": p.shown(one.limit_w, unit, most_w)} for one in steps
    ]
    schedule = {
        "duration": seconds, "startSchedule": written(now), "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }  # fmt: skip
    return {
        "status": ACCEPTED, "connectorId": connector, "scheduleStart": written(now),
        "chargingSchedule": schedule,
    }  # fmt: skip


CHARGING: Mapping[str, Order] = {
    "ClearChargingProfile": _clear,
    "GetCompositeSchedule": _composite,
    "SetChargingProfile": _set,
}
