"""OCPP 2.0.1: a charger's words as events of its EVSEs, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from evcs.core.end_reasons import EndReason
from evcs.core.errors import BadValue
from evcs.core.ocpp import charging_profiles as profiles
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.charging_profiles import Allowance
from evcs.core.ocpp.readings import ChargerReading, latest, reading
from evcs.services.gateway.dialect import Answer, Meanings
from evcs.services.gateway.station import ConnectedStation, heartbeat, security

REASONS = {
    "EVDisconnected": EndReason.UNPLUGGED,
    "EmergencyStop": EndReason.FAULT,
    "GroundFault": EndReason.FAULT,
    "OvercurrentFault": EndReason.FAULT,
    "PowerLoss": EndReason.POWER_LOSS,
    "PowerQuality": EndReason.POWER_LOSS,
    "DeAuthorized": EndReason.UNAUTHORISED,
    "SOCLimitReached": EndReason.COMPLETED,
    "EnergyLimitReached": EndReason.COMPLETED,
}


async def _boot(station: Station201, payload: Answer) -> Answer:
    """Who it is; accepted always."""
    info = payload["chargingStation"]
    return station.booted(info, info.get("serialNumber"))


async def _status(station: Station201, payload: Answer) -> Answer:
    """The EVSE's `ocpp_status`; Faulted is a fault."""
    status = payload["connectorStatus"]
    fault = "Faulted" if status == "Faulted" else None
    station.told(payload["evseId"], status, fault)
    return {}


async def _authorize(station: Station201, payload: Answer) -> Answer:
    """Whether its driver may charge."""
    return {"idTokenInfo": {"status": await station.authorise(payload["idToken"]["idToken"])}}


async def _meter(_station: Station201, _payload: Answer) -> Answer:
    """Nothing: a session's readings come with its TransactionEvents."""
    return {}


async def _transaction(station: Station201, payload: Answer) -> Answer:
    """A session begins, is metered, ends."""
    return await station.transaction_event(payload)


class Station201(ConnectedStation):
    """A station that speaks OCPP 2.0.1."""

    meanings: ClassVar[Meanings] = {
        "Authorize": _authorize,
        "BootNotification": _boot,
        "Heartbeat": heartbeat,
        "MeterValues": _meter,
        "SecurityEventNotification": security,
        "StatusNotification": _status,
        "TransactionEvent": _transaction,
    }
    sends: ClassVar[Mapping[str, str]] = {
        "ChangeAvailability": "stop and resume of the CP",
        "ClearChargingProfile": "its CP is in no circuit",
        "GetVariables": "for its connection timeout, and the unit of its limits",
        "RequestStartTransaction": "a driver's request",
        "RequestStopTransaction": "the end of a session",
        "SetChargingProfile": "what its CP may take of its circuit",
        "SetVariables": "its new key, after a rekey",
        "TriggerMessage": "for what it does not tell by itself",
    }
    plain: ClassVar[Mapping[str, Answer]] = {
        "ClearedChargingLimit": {},
        "DataTransfer": {"status": "UnknownVendorId"},
        "FirmwareStatusNotification": {},
        "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
        "GetCertificateStatus": {"status": "Failed"},
        "LogStatusNotification": {},
        "NotifyChargingLimit": {},
        "NotifyCustomerInformation": {},
        "NotifyDisplayMessages": {},
        "NotifyEVChargingNeeds": {"status": "Rejected"},
        "NotifyEVChargingSchedule": {"status": "Rejected"},
        "NotifyEvent": {},
        "NotifyMonitoringReport": {},
        "NotifyReport": {},
        "PublishFirmwareStatusNotification": {},
        "ReportChargingProfiles": {},
        "ReservationStatusUpdate": {},
        "SignCertificate": {"status": "Rejected"},
    }

    async def start(self, connector: int, session_id: str) -> str:
        token = {"idToken": session_id, "type": "Central"}
        number = self._parts.number()
        payload = {"evseId": connector, "remoteStartId": number, "idToken": token}
        return await self.word("RequestStartTransaction", payload)

    async def stop(self, one: t.Transaction) -> str:
        return await self.word("RequestStopTransaction", {"transactionId": one.key})

    async def set_available(self, connector: int, operative: bool) -> str:
        """Have an EVSE serve, or not; its word."""
        status = "Operative" if operative else "Inoperative"
        payload = {"operationalStatus": status, "evse": {"id": connector}}
        return await self.word("ChangeAvailability", payload)

    async def ask_status(self, connector: int) -> None:
        """Have it tell the state of an EVSE's first connector."""
        evse = {"id": connector, "connectorId": 1}
        await self.call("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": evse})

    async def set_limit(self, allowance: Allowance) -> str:
        return await self.word("SetChargingProfile", profiles.for_201(allowance))

    async def clear_limits(self, connector: int) -> str:
        words = [
            await self.word("ClearChargingProfile", {"chargingProfileId": one})
            for one in profiles.ids(connector)
        ]
        return words[0]

    async def ask_connection_timeout(self) -> float | None:
        value = await self._valued("TxCtrlr.EVConnectionTimeOut")
        return float(value) if value.isdecimal() else None

    async def ask_rate_units(self) -> str:
        return await self._valued("SmartChargingCtrlr.RateUnit")

    async def _valued(self, variable: str) -> str:
        found = await self.call("GetVariables", {"getVariableData": [_variable(variable)]})
        values = [one.get("attributeValue") or "" for one in found["getVariableResult"]]
        return str(values[0]) if values else ""

    async def set_key(self, key: str) -> str:
        value = {**_variable("SecurityCtrlr.BasicAuthPassword"), "attributeValue": key}
        found = await self.call("SetVariables", {"setVariableData": [value]})
        return str(found["setVariableResult"][0]["attributeStatus"])

    def order(self, name: str, connector: int, given: Mapping[str, Any]) -> tuple[str, Answer]:
        """The action, with its fields, of an order of the operator's. Raises BadValue."""
        match name:
            case "reset":
                return "Reset", {"type": "Immediate" if given.get("hard") else "OnIdle"}
            case "unlock":
                return "UnlockConnector", {"evseId": connector, "connectorId": 1}
            case "trigger":
                return "TriggerMessage", {
                    "requestedMessage": given.get("message"), "evse": {"id": connector},
                }  # fmt: skip
            case "get":
                return "GetVariables", {"getVariableData": [
                    _variable(key) for key in given.get("keys") or ()
                ]}  # fmt: skip
            case "set":
                value = {"attributeValue": given.get("value")}
                return "SetVariables", {"setVariableData": [
                    {**value, **_variable(given.get("key"))}
                ]}  # fmt: skip
        raise BadValue(f"no such order: {name[:40]!a}", "see: evcs-cp ocpp --help")

    async def transaction_event(self, payload: Answer) -> Answer:
        """A charge begins, goes on or ends; events of one that were lost are no matter."""
        key = payload["transactionInfo"]["transactionId"]
        token = payload.get("idToken", {}).get("idToken")
        at = self.when(payload["timestamp"])
        sample = latest(_readings(payload))
        known = await self.whose(lambda: self.find(None, key), payload.get("evse", {}).get("id"))
        ends = payload["eventType"] == "Ended"
        status = None
        begun = self._begun(key, payload, token or "")
        if token is not None or (ends and known is None):
            _, status = await self.begin(self._evse(key, payload), begun)
        elif (plugged := self._parts.connectors().get(self._evse(key, payload))) is not None:
            plugged.plugged(begun)
        connector, one = self.find(None, key) or (None, None)
        if connector is not None and isinstance(one, t.Transaction):
            if sample.register_wh is not None and not ends:
                connector.meter(one, sample, at)
            if ends:
                told = payload["transactionInfo"].get("stoppedReason", "Local")
                reason = REASONS.get(told, EndReason.STOPPED)
                connector.end(one, sample.register_wh, reason, at)
        return {} if status is None or token is None else {"idTokenInfo": {"status": status}}

    def _evse(self, key: str, payload: Mapping[str, Any]) -> int:
        if "evse" in payload:
            return int(payload["evse"]["id"])
        for number, connector in self._parts.connectors().items():
            if connector.find(key=key) is not None or connector.awaits(key):
                return number
        return 1

    def _begun(self, key: str, payload: Mapping[str, Any], tag: str) -> t.Begun:
        offline = payload.get("offline", False) or self.is_offline(self.when(payload["timestamp"]))
        told = (one.register_wh for one in _readings(payload))
        meter_wh = next((wh for wh in told if wh is not None), t.UNTOLD)
        starts = payload["eventType"] == "Started"
        return t.Begun(tag, payload["timestamp"], meter_wh, key, bool(offline), starts)


def _variable(key: object) -> Answer:
    """By its name as it is written: Component.Variable. Raises BadValue."""
    component, dot, variable = str(key).partition(".")
    if not dot:
        raise BadValue(
            f"{str(key)[:60]!a} names no variable", "such as TxCtrlr.EVConnectionTimeOut"
        )
    return {"component": {"name": component}, "variable": {"name": variable}}


def _readings(payload: Mapping[str, Any]) -> list[ChargerReading]:
    """Of an event, from old to new: an end may have that of the begin, too.

    Some tell each measurand by itself.
    """
    return [reading(one["sampledValue"]) for one in payload.get("meterValue", ())]
