"""What a back end may ask of an emulated OCPP 2.0.1 station's charging profiles: part 2, K."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from evcs.core.ocpp import station_201_words as words
from evcs.core.ocpp import station_charging as charging
from evcs.core.ocpp import station_profiles as p
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.station_orders import REJECTED
from evcs.core.ocpp.station_profiles import Profile

#: Profiles in one ReportChargingProfiles.
PAGE = 5
_PURPOSES = {
    p.STATION: "ChargingStationMaxProfile", p.DEFAULT: "TxDefaultProfile",
    p.TRANSACTION: "TxProfile",
}  # fmt: skip


def profile(asked: Answer, evse: int, transaction: int) -> Profile | None:
    """A ChargingProfile (2.10); None where it is none for that place. Of several schedules a car
    would choose by ISO 15118, which it does not speak."""
    purpose = charging.PURPOSES.get(asked["chargingProfilePurpose"])
    schedules = asked["chargingSchedule"]
    if purpose is None or evse not in charging.PLACES[purpose] or len(schedules) != 1:
        return None
    of = transaction if purpose == p.TRANSACTION else 0
    return charging.profile(asked["id"], asked, schedules[0], evse, of)


def wished(asked: Answer) -> Profile | None:
    """Of the transaction that is asked for (F01, K05); None where it is none for that."""
    found = profile(asked, 1, 0)
    ours = found is not None and found.purpose == p.TRANSACTION and "transactionId" not in asked
    return found if ours else None


def _set(station: Station, payload: Answer, _at: At) -> Answer:
    """A profile of the station, of its transactions or of this one; kept over restarts (K01)."""
    asked, one = payload["chargingProfile"], station.held.transaction
    new = profile(asked, payload["evseId"], 0 if one is None else one.number)
    if new is None:
        return {"status": REJECTED}
    theirs = station.dialect.transaction_id(station.held)
    elsewhere = new.purpose == p.TRANSACTION and asked.get("transactionId", "") != theirs
    twice = any(
        (other.purpose, other.stack) == (new.purpose, new.stack) and other.id != new.id
        for other in station.held.profiles
    )
    after = p.installed(station.held.profiles, new)
    if elsewhere or twice or after is None:
        return {"status": REJECTED}
    station.held = station.held._replace(profiles=after)
    return {"status": ACCEPTED}


def _clear(station: Station, payload: Answer, _at: At) -> Answer:
    """A profile, or those that all criteria fit (K10)."""
    criteria = payload.get("chargingProfileCriteria", {})
    purpose = criteria.get("chargingProfilePurpose")
    held = station.held.profiles
    if "chargingProfileId" in payload:
        after = p.cleared(held, payload["chargingProfileId"])
    else:
        after = p.cleared(
            held, None, criteria.get("evseId"), purpose and charging.PURPOSES.get(purpose, purpose),
            criteria.get("stackLevel"),
        )  # fmt: skip
    if after == held:
        return {"status": "Unknown"}
    station.held = station.held._replace(profiles=after)
    return {"status": ACCEPTED}


def _composite(station: Station, payload: Answer, at: At) -> Answer:
    """What its profiles together let a car take, for a week at most (K08)."""
    if payload["evseId"] not in (0, 1) or payload["duration"] < 0:
        return {"status": REJECTED}
    found = charging.composite(station, payload, at)
    found["scheduleStart"] = found.pop("startSchedule")
    return {"status": ACCEPTED, "schedule": {"evseId": payload["evseId"], **found}}


def _get(station: Station, payload: Answer, _at: At) -> Answer:
    """Profiles that the criteria fit, as ReportChargingProfiles (K09)."""
    wanted, evse = payload["chargingProfile"], payload.get("evseId")
    found = [
        one for one in station.held.profiles
        if evse in (None, one.connector)
        and one.id in wanted.get("chargingProfileId", [one.id])
        and wanted.get("chargingProfilePurpose") in (None, _PURPOSES[one.purpose])
        and wanted.get("stackLevel") in (None, one.stack)
        and "CSO" in wanted.get("chargingLimitSource", ["CSO"])
    ]  # fmt: skip
    if not found or station.agenda.is_full:
        return {"status": "NoProfiles"}
    by_evse = groupby(sorted(found, key=lambda one: one.connector), lambda one: one.connector)
    pages = [
        (of, some[start : start + PAGE])
        for of, some in ((of, list(them)) for of, them in by_evse)
        for start in range(0, len(some), PAGE)
    ]
    for number, (of, page) in enumerate(pages, 1):
        report = {
            "requestId": payload["requestId"], "chargingLimitSource": "CSO", "evseId": of,
            "chargingProfile": [_told(station, one) for one in page], "tbc": number < len(pages),
        }  # fmt: skip
        station.agenda.say("ReportChargingProfiles", report)
    return {"status": ACCEPTED}


def _told(station: Station, one: Profile) -> Answer:
    """A profile as the back end has told it."""
    relative = not one.start and not one.every_s
    kind = "Recurring" if one.every_s else "Relative" if relative else "Absolute"
    periods = [
        {"startPeriod": it.start_s, "limit": it.limit,
         **({"numberPhases": it.phases} if it.phases else {})}
        for it in one.periods
    ]  # fmt: skip
    schedule: Answer = {
        "id": one.schedule, "chargingRateUnit": one.unit, "chargingSchedulePeriod": periods,
    }  # fmt: skip
    schedule |= {"startSchedule": one.start} if one.start else {}
    schedule |= {} if one.duration_s is None else {"duration": one.duration_s}
    found: Answer = {
        "id": one.id, "stackLevel": one.stack, "chargingProfilePurpose": _PURPOSES[one.purpose],
        "chargingProfileKind": kind, "chargingSchedule": [schedule],
    }  # fmt: skip
    if one.every_s:
        found["recurrencyKind"] = "Daily" if one.every_s == p.A_DAY_S else "Weekly"
    if one.transaction:
        identity, held = station.dialect.identity, station.held
        found["transactionId"] = words.transaction_id(identity, held, one.transaction)
    found |= {"validFrom": one.valid_from} if one.valid_from else {}
    return found | ({"validTo": one.valid_to} if one.valid_to else {})


CHARGING: Mapping[str, Order] = {
    "ClearChargingProfile": _clear,
    "GetChargingProfiles": _get,
    "GetCompositeSchedule": _composite,
    "SetChargingProfile": _set,
}
