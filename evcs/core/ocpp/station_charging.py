"""Charging profiles as back ends tell them: what both versions have."""

from __future__ import annotations

from evcs.core.ocpp import station_profiles as p
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Answer, Station
from evcs.core.ocpp.station_profiles import Period, Profile
from evcs.core.ocpp.times import written

PURPOSES = {
    "ChargePointMaxProfile": p.STATION, "ChargingStationMaxProfile": p.STATION,
    "TxDefaultProfile": p.DEFAULT, "TxProfile": p.TRANSACTION,
}  # fmt: skip
#: Of which connectors a profile may be, by its purpose.
PLACES = {p.STATION: (0,), p.DEFAULT: (0, 1), p.TRANSACTION: (1,)}
#: Periods of a composite schedule. A message of 2.0.1 has 1,024 at most.
MOST_SHOWN = 500
_EVERY_S = {"Daily": p.A_DAY_S, "Weekly": 7 * p.A_DAY_S}


def profile(
    id_: int, payload: Answer, schedule: Answer, connector: int, transaction: int
) -> Profile:  # fmt: skip
    """A ChargingProfile (1.6, 7.8; 2.0.1, 2.10), but for its id and its schedule, whose place is
    each version's own. `minChargingRate` is advice that one connector has no use for."""
    kind = payload["chargingProfileKind"]
    return Profile(
        id_, payload["stackLevel"], PURPOSES[payload["chargingProfilePurpose"]],
        schedule["chargingRateUnit"],
        tuple(
            Period(one["startPeriod"], one["limit"], one.get("numberPhases"))
            for one in schedule["chargingSchedulePeriod"]
        ),
        connector, "" if kind == "Relative" else schedule.get("startSchedule", ""),
        _EVERY_S.get(payload.get("recurrencyKind", ""), p.NEVER) if kind == "Recurring" else 0,
        schedule.get("duration"), payload.get("validFrom", ""), payload.get("validTo", ""),
        transaction, schedule.get("id", 0),
    )  # fmt: skip


def composite(station: Station, asked: Answer, at: At) -> Answer:
    """What its profiles together let a car take, for a week at most; in the unit that is asked for,
    else in theirs."""
    held, most_w = station.held.profiles, station.most_w
    units = {one.unit for one in held}
    unit = asked.get("chargingRateUnit", units.pop() if len(units) == 1 else "W")
    now = at.wall.replace(microsecond=0)
    seconds = min(asked["duration"], p.MOST_COMPOSITE_S)
    steps = p.composite(held, station.car, now, seconds)
    if len(steps) > MOST_SHOWN:  # it covers less, then
        seconds, steps = steps[MOST_SHOWN].start_s, steps[:MOST_SHOWN]
    periods = [
        {"startPeriod": one.start_s, "limit": p.shown(one.limit_w, unit, most_w)} for one in steps
    ]
    return {
        "duration": seconds, "chargingRateUnit": unit, "chargingSchedulePeriod": periods,
        "startSchedule": written(now),
    }  # fmt: skip
