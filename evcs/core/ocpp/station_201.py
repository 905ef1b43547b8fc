"""What an emulated station of OCPP 2.0.1 says: use cases are those of part 2."""

from __future__ import annotations

from collections.abc import Mapping

from evcs.core.ocpp import station_201_variables, station_meter
from evcs.core.ocpp.back_end import BackOff
from evcs.core.ocpp.rules import Version
from evcs.core.ocpp.station_201_orders import SERVED
from evcs.core.ocpp.station_201_variables import PASSWORD
from evcs.core.ocpp.station_201_words import (
    EVENT,
    card_of,
    charging_state,
    event,
    id_token,
    transaction_id,
    value,
)
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Answer, Identity, Station
from evcs.core.ocpp.station_meter import Sample
from evcs.core.ocpp.station_settings import Configuration
from evcs.core.ocpp.station_state import Item, OwnTransaction, StationState
from evcs.core.ocpp.station_tokens import RFID, Card, Token
from evcs.core.ocpp.times import written

EVSE = {"id": 1, "connectorId": 1}
TYPES = ("Central", "eMAID", RFID, "ISO15693", "KeyCode", "Local", "MacAddress")
#: Why a transaction ended, and the event that ended it (E06, E07, E09, F03, B12).
_TRIGGERS = {
    "DeAuthorized": "Deauthorized", "EVDisconnected": "EVCommunicationLost",
    "ImmediateReset": "ResetCommand", "Local": "StopAuthorized", "Remote": "RemoteStop",
}  # fmt: skip
_READS = {station_meter.PERIODIC: "MeterValuePeriodic", station_meter.ALIGNED: "MeterValueClock"}
_ENERGY = "Energy.Active.Import.Register"


class Dialect201:
    """Of one station."""

    version = Version.V201
    orders = SERVED

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def back_off(self, keys: Configuration) -> BackOff:
        """By its variables (part 4, 5.3)."""
        of = "OCPPCommCtrlr.RetryBackOff"
        return BackOff(
            keys.number(f"{of}WaitMinimum"), keys.number(f"{of}RandomRange"),
            keys.number(f"{of}RepeatTimes"),
        )  # fmt: skip

    def offline_threshold_s(self, keys: Configuration) -> int:
        """By its variable (B04)."""
        return keys.number("OCPPCommCtrlr.OfflineThreshold")

    def settings(self, changed: Mapping[str, str]) -> Configuration:
        """Its variables."""
        return station_201_variables.settings(changed)

    def token(self, tag: str) -> Token:
        """An RFID card, or of the type before a colon (C01, C04, C06)."""
        type_, colon, rest = tag.partition(":")
        return Token(rest, type_) if colon and rest and type_ in TYPES else Token(tag, RFID)

    def statuses(self, station: Station) -> dict[int, str]:
        """Of its connector (G01)."""
        if station.fault is not None:
            return {1: "Faulted"}
        if station.plugged:
            return {1: "Occupied"}
        return {1: "Unavailable" if station.held.inoperative else "Available"}

    def boot(self, reason: str) -> Answer:
        """BootNotification (B01)."""
        who = self.identity
        return {
            "reason": reason,
            "chargingStation": {
                "vendorName": who.vendor[:50], "model": who.model[:20],
                "serialNumber": who.serial[:25], "firmwareVersion": who.firmware[:50],
            },
        }  # fmt: skip

    def status(self, _station: Station, connector: int, status: str, at: At) -> Answer:
        """StatusNotification (G01)."""
        return {
            "timestamp": written(at.wall), "connectorStatus": status, "evseId": 1,
            "connectorId": connector,
        }  # fmt: skip

    def conflict(self, _station: Station, _at: At) -> Answer | None:
        """There is no such message."""
        return None

    def authorize(self, token: Token) -> Answer:
        """Authorize (C01)."""
        return {"idToken": id_token(token)}

    def card(self, payload: Answer, answer: Answer) -> Card | None:
        """An IdTokenInfo."""
        info, token = answer.get("idTokenInfo"), payload.get("idToken")
        return None if info is None or token is None else card_of(token, info)

    def begun(self, station: Station, at: At, remote: int | None) -> StationState:
        """Started, as authorised and connected (E02, E03, F02); then it charges."""
        one = station.held.transaction
        assert one is not None
        started = event(station, at, "Started", "Authorized", "EVConnected")
        started |= {"evse": EVSE, "idToken": id_token(one.token)}
        if remote is not None:
            started["triggerReason"] = "RemoteStart"
            started["transactionInfo"]["remoteStartId"] = remote
        measurands = station.keys.listed("SampledDataCtrlr.TxStartedMeasurands")
        started |= _values([value(station.sample, measurands, one.at, station_meter.BEGIN)])
        charging = event(station, at, "Updated", "ChargingStateChanged", charging_state(station))
        return station.held.put(EVENT, started, one.number).put(EVENT, charging, one.number)

    def ended(
        self, station: Station, one: OwnTransaction, reason: str, token: Token | None, at: At
    ) -> StationState:
        """Ended, with the readings of its begin and its end (E06 to E09)."""
        state = "Idle" if reason == "EVDisconnected" else "EVConnected"
        ended = event(station, at, "Ended", _TRIGGERS.get(reason, "AbnormalCondition"), state)
        ended["transactionInfo"]["stoppedReason"] = reason
        ended |= {} if token is None else {"idToken": id_token(token)}
        measurands = station.keys.listed("SampledDataCtrlr.TxEndedMeasurands")
        begin = [name for name in measurands if name == _ENERGY]
        ended |= _values(
            [
                value(Sample(one.meter_wh), begin, one.at, station_meter.BEGIN),
                value(station.sample, measurands, written(at.wall), station_meter.END),
            ]
        )
        return station.held.put(EVENT, ended, one.number)

    def turned(self, station: Station, at: At) -> StationState:
        """Updated, as its charging state has changed (E01.FR.18, E05.FR.02)."""
        one, state = station.held.transaction, charging_state(station)
        assert one is not None
        return station.held.put(
            EVENT, event(station, at, "Updated", "ChargingStateChanged", state), one.number
        )

    def read(self, station: Station, key: str, context: str, at: At) -> StationState:
        """Of a transaction Updated (J02); of none MeterValues, if it is online (J01)."""
        one = station.held.transaction
        found = value(station.sample, station.keys.listed(key), written(at.wall), context)
        if found is None:
            return station.held
        if one is None:
            if station.is_online:
                station.agenda.say("MeterValues", {"evseId": 1, "meterValue": [found]})
            return station.held
        if context == station_meter.ALIGNED and station.keys.is_set(
            "AlignedDataCtrlr.SendDuringIdle"
        ):
            return station.held
        payload = event(station, at, "Updated", _READS[context]) | _values([found])
        return station.held.put(EVENT, payload, one.number)

    def opened(self, held: StationState) -> StationState:
        """All of it happened before (E04.FR.03, E11.FR.07)."""
        queue = (
            item._replace(payload={**item.payload, "offline": True})
            if item.action == EVENT else item
            for item in held.queue
        )  # fmt: skip
        return held._replace(queue=tuple(queue))

    def sendable(self, held: StationState, item: Item) -> Answer:
        """With the number of the event, which has no gap, and its transaction's id (E01.FR.07)."""
        if item.action != EVENT:
            return item.payload
        info = {
            "transactionId": transaction_id(self.identity, held, item.transaction),
            **item.payload["transactionInfo"],
        }
        return {**item.payload, "seqNo": held.seq, "transactionInfo": info}

    def taken(self, held: StationState, item: Item, _answer: Answer | None) -> StationState:
        """The next event has the next number; what was given up leaves a gap (E13)."""
        held = held.without(item)
        if item.action != EVENT:
            return held
        return held._replace(seq=0 if item.payload["eventType"] == "Ended" else held.seq + 1)

    def password(self, held: StationState) -> bytes | None:
        """BasicAuthPassword (A01)."""
        return held.configuration.get(PASSWORD, "").encode() or None

    def transaction_id(self, held: StationState) -> str | None:
        """Our own."""
        one = held.transaction
        return None if one is None else transaction_id(self.identity, held, one.number)


def _values(found: list[Answer | None]) -> Answer:
    told = [one for one in found if one is not None]
    return {"meterValue": told} if told else {}
