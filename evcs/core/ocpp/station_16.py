"""What an emulated station of OCPP 1.6 says: section numbers are those of edition 2."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from evcs.core.ocpp import station_16_keys, station_meter
from evcs.core.ocpp.back_end import BackOff
from evcs.core.ocpp.rules import Version
from evcs.core.ocpp.station_16_list import card
from evcs.core.ocpp.station_16_orders import SERVED
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Answer, Identity, Station
from evcs.core.ocpp.station_settings import Configuration
from evcs.core.ocpp.station_state import METER, Item, OwnTransaction, StationState
from evcs.core.ocpp.station_tokens import Card, Token
from evcs.core.ocpp.times import written

START, STOP = "StartTransaction", "StopTransaction"
#: In the place of a transaction's id, where the back end never took its begin.
NO_ID = -1
_SAMPLED = "MeterValuesSampledData"
#: What of the same moment is told with the transaction's end.
_OF_END = {_SAMPLED: "StopTxnSampledData", "MeterValuesAlignedData": "StopTxnAlignedData"}


class Dialect16:
    """Of one station."""

    version = Version.V16
    orders = SERVED

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def back_off(self, _keys: Configuration) -> BackOff:
        """As 2.0.1 has it by default: 1.6 says nothing of it."""
        return BackOff()

    def offline_threshold_s(self, _keys: Configuration) -> int:
        """They are told at each connection."""
        return 0

    def settings(self, changed: Mapping[str, str]) -> Configuration:
        """Its configuration keys."""
        return station_16_keys.settings(changed, self.identity.security_profile)

    def token(self, tag: str) -> Token:
        """A card has no type."""
        return Token(tag)

    def statuses(self, station: Station) -> dict[int, str]:
        """Of the station itself (0) and its connector (4.9)."""
        one = station.held.transaction
        if station.fault is not None:
            return {0: "Faulted", 1: "Faulted"}
        whole = "Unavailable" if station.held.inoperative else "Available"
        if one is None:
            taken = station.plugged or station.coming is not None
            return {0: whole, 1: "Preparing" if whole == "Available" and taken else whole}
        if one.suspended or station.halted:
            return {0: whole, 1: "SuspendedEVSE"}
        return {0: whole, 1: "Charging" if station.plugged and not station.full else "SuspendedEV"}

    def boot(self, _reason: str) -> Answer:
        """BootNotification (6.5)."""
        who = self.identity
        return {
            "chargePointVendor": who.vendor[:20], "chargePointModel": who.model[:20],
            "chargePointSerialNumber": who.serial[:25], "firmwareVersion": who.firmware[:50],
        }  # fmt: skip

    def status(self, station: Station, connector: int, status: str, at: At) -> Answer:
        """StatusNotification (6.47)."""
        fault = station.fault
        found = {
            "connectorId": connector, "errorCode": "NoError" if fault is None else "OtherError",
            "status": status, "timestamp": written(at.wall),
        }  # fmt: skip
        return found if fault is None else {**found, "info": fault[:50]}

    def conflict(self, station: Station, at: At) -> Answer | None:
        """Of the station itself, as it is (3.5.2)."""
        found = self.status(station, 0, self.statuses(station)[0], at)
        return {**found, "errorCode": "LocalListConflict"}

    def authorize(self, token: Token) -> Answer:
        """Authorize (6.1)."""
        return {"idTag": token.tag}

    def card(self, payload: Answer, answer: Answer) -> Card | None:
        """An `idTagInfo` (7.27)."""
        info, tag = answer.get("idTagInfo"), payload.get("idTag")
        if info is None or tag is None:
            return None
        return card(tag, info)

    def begun(self, station: Station, at: At, _remote: int | None) -> StationState:
        """StartTransaction (6.45)."""
        data = meter_value(station, _OF_END[_SAMPLED], at.wall, station_meter.BEGIN)
        one = station.held.transaction
        assert one is not None
        payload = {
            "connectorId": 1, "idTag": one.tag, "meterStart": one.meter_wh, "timestamp": one.at,
        }  # fmt: skip
        return station.held.noted(data).put(START, payload, one.number)

    def ended(
        self, station: Station, one: OwnTransaction, reason: str, token: Token | None, at: At
    ) -> StationState:
        """StopTransaction (6.49)."""
        last = meter_value(station, _OF_END[_SAMPLED], at.wall, station_meter.END)
        data = station.held.noted(last).data
        payload: Answer = {
            "meterStop": station.held.register_wh, "timestamp": written(at.wall), "reason": reason,
        }  # fmt: skip
        payload |= {} if token is None else {"idTag": token.tag}
        payload |= {"transactionData": list(data)} if data else {}
        return station.held._replace(data=()).put(STOP, payload, one.number)

    def turned(self, station: Station, _at: At) -> StationState:
        """Its status says it."""
        return station.held

    def read(self, station: Station, key: str, context: str, at: At) -> StationState:
        """MeterValues (6.31), and what the transaction's end is to tell (9.1.25, 9.1.27)."""
        held, one = station.held, station.held.transaction
        if one is not None and context != station_meter.TRIGGERED:
            held = held.noted(meter_value(station, _OF_END[key], at.wall, context))
        value = meter_value(station, key, at.wall, context)
        if value is None:
            return held
        payload = {"connectorId": 1, "meterValue": [value]}
        return held.put(METER, payload, 0 if one is None else one.number)

    def opened(self, held: StationState) -> StationState:
        """1.6 tells it as it was."""
        return held

    def sendable(self, held: StationState, item: Item) -> Answer:
        """With the back end's id of its transaction (4.8)."""
        if item.action == START or not item.transaction:
            return item.payload
        return {**item.payload, "transactionId": dict(held.ids).get(item.transaction, NO_ID)}

    def taken(self, held: StationState, item: Item, answer: Answer | None) -> StationState:
        """The id that the back end gave a transaction is known until its end is taken."""
        held = held.without(item)
        if item.action == START:
            known = NO_ID if answer is None else answer["transactionId"]
            return held._replace(ids=(*held.ids, (item.transaction, known)))
        if item.action == STOP:
            left = tuple(pair for pair in held.ids if pair[0] != item.transaction)
            return held._replace(ids=left)
        return held

    def password(self, held: StationState) -> bytes | None:
        """AuthorizationKey (A01)."""
        key = held.configuration.get(station_16_keys.DIALS_WITH, "")
        return bytes.fromhex(key) if key else None

    def transaction_id(self, held: StationState) -> int | None:
        """The back end's."""
        one = held.transaction
        return None if one is None else dict(held.ids).get(one.number)


def meter_value(station: Station, key: str, at: datetime, context: str) -> Answer | None:
    """A MeterValue (7.33) of the measurands of a key; None where none is wanted."""
    sampled = [
        {"value": str(value), "context": context, "measurand": name, "unit": unit}
        for name, value, unit in station_meter.values(station.sample, station.keys.listed(key))
    ]
    return {"timestamp": written(at), "sampledValue": sampled} if sampled else None
