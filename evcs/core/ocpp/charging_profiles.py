"""Charging profiles: what a CP may take, as OCPP says it (1.6 section 3.13, 2.0.1 part 2 K01).

Two for a connector: the fallback for ever, as a default for its transactions; and the limit of the
transaction under way, which ends by itself. A charger combines them so: while its transaction has
one that is valid, that; else the default.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from evcs.core.limits import phases
from evcs.core.ocpp import times

VOLTAGE_V = 230
#: By connector, so that a station's are apart.
DEFAULT_ID, TRANSACTION_ID = 1_000, 2_000

Payload = dict[str, Any]


class Allowance(NamedTuple):
    """At most so many W on a connector of a CP that can give `most_w`.

    `unit`: "W" or "A", as the charger takes it. `transaction`: of which one, by the version's name
    for it, from `at` on for `for_s` seconds; without one it is the default, for ever.
    """

    connector: int
    limit_w: int
    most_w: int
    unit: str = "W"
    transaction: int | str | None = None
    at: datetime | None = None
    for_s: int = 0


def for_16(one: Allowance) -> Payload:
    """SetChargingProfile.req of 1.6."""
    profile = {"chargingProfileId": _id(one), **_profile(one), "chargingSchedule": _schedule(one)}
    return {"connectorId": one.connector, "csChargingProfiles": profile}


def for_201(one: Allowance) -> Payload:
    """SetChargingProfileRequest of 2.0.1."""
    schedule = {"id": _id(one), **_schedule(one)}
    profile = {"id": _id(one), **_profile(one), "chargingSchedule": [schedule]}
    return {"evseId": one.connector, "chargingProfile": profile}


def ids(connector: int) -> tuple[int, int]:
    """Those of a connector, to take them away."""
    return DEFAULT_ID + connector, TRANSACTION_ID + connector


def _id(one: Allowance) -> int:
    return ids(one.connector)[one.transaction is not None]


def _profile(one: Allowance) -> Payload:
    """Without `stackLevel` above 0: some chargers have no other."""
    if one.transaction is None:
        kind = {"chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
        return {"stackLevel": 0, **kind}
    return {
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "transactionId": one.transaction,
    }


def _schedule(one: Allowance) -> Payload:
    number = phases(one.most_w)
    limit: float = one.limit_w
    if one.unit == "A":  # a tenth of an ampere is what the schema takes
        limit = int(one.limit_w * 10 / (VOLTAGE_V * number)) / 10
    period = {"startPeriod": 0, "limit": limit, "numberPhases": number}
    found: Payload = {"chargingRateUnit": one.unit, "chargingSchedulePeriod": [period]}
    if one.at is not None:
        found |= {"startSchedule": times.written(one.at), "duration": one.for_s}
    return found
