"""Parts of what an emulated OCPP 2.0.1 station says, by the data types of part 2."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from evcs.core.ocpp import station_meter
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Answer, Identity, Station
from evcs.core.ocpp.station_meter import Sample
from evcs.core.ocpp.station_state import StationState
from evcs.core.ocpp.station_tokens import Card, Token
from evcs.core.ocpp.times import written

EVENT = "TransactionEvent"


def transaction_id(identity: Identity, held: StationState, number: int) -> str:
    """A UUID: the same for the same transaction, and never again (E01.FR.08)."""
    name = f"{identity.serial}/{held.key}/{number}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def id_token(token: Token) -> Answer:
    """An IdToken (2.28)."""
    return {"idToken": token.tag, "type": token.type}


def card_of(token: Answer, info: Answer) -> Card:
    """What an IdTokenInfo (2.27) says of a card; one that is for other EVSEs is not for here."""
    here = 1 in info.get("evseId", (1,))
    return Card(
        token["idToken"], info["status"] if here else "NotAtThisLocation",
        info.get("cacheExpiryDateTime", ""), info.get("groupIdToken", {}).get("idToken", ""),
        token["type"],
    )  # fmt: skip


def charging_state(station: Station) -> str:
    """Of the transaction under way (3.16)."""
    one = station.held.transaction
    if station.halted or (one is not None and one.suspended):
        return "SuspendedEVSE"
    return "Charging" if station.plugged and not station.full else "SuspendedEV"


def event(station: Station, at: At, kind: str, trigger: str, state: str | None = None) -> Answer:
    """A TransactionEvent (1.60), but for what `sendable` puts in."""
    found: Answer = {
        "eventType": kind, "timestamp": written(at.wall), "triggerReason": trigger,
        "transactionInfo": {"chargingState": state} if state else {},
    }  # fmt: skip
    return found if station.is_online else {**found, "offline": True}


def value(sample: Sample, measurands: Iterable[str], at: str, context: str) -> Answer | None:
    """A MeterValue (2.32); None where no measurand is wanted."""
    sampled = [
        {"value": value, "context": context, "measurand": name, "unitOfMeasure": {"unit": unit}}
        for name, value, unit in station_meter.values(sample, measurands)
    ]
    return {"timestamp": at, "sampledValue": sampled} if sampled else None
