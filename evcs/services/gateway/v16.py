"""OCPP 1.6: a charger's words as events of its connectors, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar

from evcs.core.end_reasons import EndReason
from evcs.core.errors import BadValue
from evcs.core.ocpp import charging_profiles as profiles
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.charging_profiles import Allowance
from evcs.core.ocpp.readings import latest, reading, register_wh
from evcs.core.session import CardStatus
from evcs.services.gateway.dialect import Answer, Meanings
from evcs.services.gateway.station import ConnectedStation, heartbeat, security
from evcs.services.gateway.words import CARD_WORDS

#: No connector's, and no transaction.
NONE: tuple[Any, Any] = (None, None)

REASONS = {
    "EVDisconnected": EndReason.UNPLUGGED,
    "EmergencyStop": EndReason.FAULT,
    "PowerLoss": EndReason.POWER_LOSS,
    "DeAuthorized": EndReason.UNAUTHORISED,
}


async def _boot(station: Station16, payload: Answer) -> Answer:
    """Who it is; accepted always."""
    serial = payload.get("chargePointSerialNumber", payload.get("chargeBoxSerialNumber"))
    return station.booted(payload, serial)


async def _status(station: Station16, payload: Answer) -> Answer:
    """The connector's `ocpp_status`; Faulted is a fault."""
    fault = None
    if payload["status"] == "Faulted":
        parts = (payload["errorCode"], payload.get("vendorErrorCode"), payload.get("info"))
        fault = " ".join(str(part) for part in parts if part)
    station.told(payload["connectorId"], payload["status"], fault)
    return {}


async def _authorize(station: Station16, payload: Answer) -> Answer:
    """Whether its driver may charge."""
    return {"idTagInfo": {"status": await station.authorise(payload["idTag"])}}


async def _start(station: Station16, payload: Answer) -> Answer:
    """A session begins."""
    at = station.when(payload["timestamp"])
    begun = t.Begun(
        payload["idTag"], payload["timestamp"], register_wh(payload["meterStart"]),
        offline=station.is_offline(at),
    )  # fmt: skip
    number, status = await station.begin(payload["connectorId"], begun)
    return {"transactionId": number, "idTagInfo": {"status": status}}


async def _meter(station: Station16, payload: Answer) -> Answer:
    """The session's readings."""
    transaction, connector_id = payload.get("transactionId"), payload["connectorId"]
    connector, one = (
        await station.whose(lambda: station.transaction(transaction, connector_id), connector_id)
        or NONE
    )
    if isinstance(one, t.Transaction):
        if transaction == one.id:
            station.named.add(one.id)
        for at, those in groupby(payload["meterValue"], itemgetter("timestamp")):
            sample = latest(reading(value["sampledValue"]) for value in those)
            connector.meter(one, sample, station.when(at))
    return {}


async def _stop(station: Station16, payload: Answer) -> Answer:
    """The session ends. Acknowledged whatever it is of, once all connectors are served."""
    number = payload["transactionId"]
    connector, one = await station.whose(lambda: station.transaction(number)) or NONE
    if isinstance(one, t.Transaction):
        reason = REASONS.get(payload.get("reason", "Local"), EndReason.STOPPED)
        at = station.when(payload["timestamp"])
        connector.end(one, register_wh(payload["meterStop"]), reason, at)
    elif one is None:
        station.unknown(f"end of {number} at {register_wh(payload['meterStop'])} Wh"[:200])
    return {"idTagInfo": {"status": CARD_WORDS[CardStatus.ACCEPTED]}} if "idTag" in payload else {}


class Station16(ConnectedStation):
    """A station that speaks OCPP 1.6."""

    meanings: ClassVar[Meanings] = {
        "Authorize": _authorize,
        "BootNotification": _boot,
        "Heartbeat": heartbeat,
        "MeterValues": _meter,
        "StartTransaction": _start,
        "SecurityEventNotification": security,
        "StatusNotification": _status,
        "StopTransaction": _stop,
    }
    sends: ClassVar[Mapping[str, str]] = {
        "ChangeAvailability": "stop and resume of the CP",
        "ChangeConfiguration": "its new key, after a rekey",
        "ClearChargingProfile": "its CP is in no circuit",
        "GetConfiguration": "for its connection timeout, and the unit of its limits",
        "RemoteStartTransaction": "a driver's request",
        "RemoteStopTransaction": "the end of a session",
        "SetChargingProfile": "what its CP may take of its circuit",
        "TriggerMessage": "for what it does not tell by itself",
    }
    plain: ClassVar[Mapping[str, Answer]] = {
        "DataTransfer": {"status": "UnknownVendorId"},
        "DiagnosticsStatusNotification": {},
        "FirmwareStatusNotification": {},
        "LogStatusNotification": {},
        "SignCertificate": {"status": "Rejected"},
        "SignedFirmwareStatusNotification": {},
    }

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        #: The open transactions of which it has told readings, by their numbers.
        self.named: set[int] = set()

    async def start(self, connector: int, session_id: str) -> str:
        return await self.word(
            "RemoteStartTransaction", {"connectorId": connector, "idTag": session_id}
        )

    async def stop(self, one: t.Transaction) -> str:
        return await self.word("RemoteStopTransaction", {"transactionId": one.id})

    async def set_available(self, connector: int, operative: bool) -> str:
        kind = "Operative" if operative else "Inoperative"
        return await self.word("ChangeAvailability", {"connectorId": connector, "type": kind})

    async def ask_status(self, connector: int) -> None:
        await self.call(
            "TriggerMessage",
            {"requestedMessage": "StatusNotification", "connectorId": connector},
        )

    async def set_limit(self, allowance: Allowance) -> str:
        return await self.word("SetChargingProfile", profiles.for_16(allowance))

    async def clear_limits(self, connector: int) -> str:
        words = [
            await self.word("ClearChargingProfile", {"id": one}) for one in profiles.ids(connector)
        ]
        return words[0]

    async def ask_connection_timeout(self) -> float | None:
        value = await self._configured("ConnectionTimeOut")
        return float(value) if value.isdecimal() else None

    async def ask_rate_units(self) -> str:
        return await self._configured("ChargingScheduleAllowedChargingRateUnit")

    async def _configured(self, key: str) -> str:
        found = await self.call("GetConfiguration", {"key": [key]})
        values = [one.get("value") or "" for one in found.get("configurationKey", ())]
        return str(values[0]) if values else ""

    async def set_key(self, key: str) -> str:
        """Have it dial in with another password from now on, given as hex; its word."""
        value = {"key": "AuthorizationKey", "value": key.encode().hex()}
        return await self.word("ChangeConfiguration", value)

    def order(self, name: str, connector: int, given: Mapping[str, Any]) -> tuple[str, Answer]:
        """The action, with its fields, of an order of the operator's. Raises BadValue."""
        match name:
            case "reset":
                return "Reset", {"type": "Hard" if given.get("hard") else "Soft"}
            case "unlock":
                return "UnlockConnector", {"connectorId": connector}
            case "trigger":
                return "TriggerMessage", {
                    "requestedMessage": given.get("message"), "connectorId": connector,
                }  # fmt: skip
            case "get":
                keys = given.get("keys")
                return "GetConfiguration", {"key": keys} if keys else {}
            case "set":
                value = {"key": given.get("key"), "value": given.get("value")}
                return "ChangeConfiguration", value
        raise BadValue(f"no such order: {name[:40]!a}", "see: evcs-cp ocpp --help")

    def transaction(
        self, number: int | None, connector: int | None = None
    ) -> tuple[Any, Any] | None:  # fmt: skip
        """The one that is meant: some name none, -1 or 0, for one begin that was not answered."""
        if number is not None and number > 0:
            return self.find(number)
        if connector is None:
            return self._unanswered()
        found = self._parts.connectors().get(connector)
        live = None if found is None else found.find()
        return None if live is None else (found, live)

    def _unanswered(self) -> tuple[Any, t.Transaction] | None:
        """The station's one start that may not have been answered; None where there are more.

        What the charger has named by its number it was answered.
        """
        open_ = [
            (connector, one)
            for connector in self._parts.connectors().values()
            for one in connector.open
            if one.phase != t.Phase.REMOTE and one.id not in self.named
        ]
        return open_[0] if len(open_) == 1 else None
