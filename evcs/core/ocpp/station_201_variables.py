"""The components and variables of an emulated OCPP 2.0.1 station: part 2, appendix 3.

A name is `Component.Variable`, or `Component.Variable[Instance]`; EVSE and Connector are those of
the one EVSE that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evcs.core.ocpp.rules import MAX_FRAME_BYTES
from evcs.core.ocpp.station_calls import ANSWER_WITHIN_S
from evcs.core.ocpp.station_list import MOST_LISTED
from evcs.core.ocpp.station_profiles import MOST_PERIODS, MOST_PROFILES, MOST_STACK
from evcs.core.ocpp.station_settings import (
    MEASURANDS,
    MOST_S,
    Configuration,
    Key,
    Read,
    measurands,
    number,
    truth,
)  # fmt: skip

_ENERGY = "Energy.Active.Import.Register"
#: Of components and variables that one message may name.
MOST_ITEMS = 50
#: With what it dials, where its back end has given it another.
PASSWORD = "SecurityCtrlr.BasicAuthPassword"  # noqa: S105 - a name
#: Where components are that are not the whole station's.
PLACES: Mapping[str, Mapping[str, int]] = {
    "EVSE": {"id": 1}, "Connector": {"id": 1, "connectorId": 1},
}  # fmt: skip
AVAILABILITY = ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")


class Variable(NamedTuple):
    """One: its kind, its value in a new station and how one is read, and its characteristics.

    `secret`: it may be written, and never read.
    """

    type: str
    key: Key
    unit: str = ""
    values: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    secret: bool = False


def _fixed(value: str, type_: str = "string", unit: str = "") -> Variable:
    return Variable(type_, Key(value), unit)


def _is(value: bool) -> Variable:
    return Variable("boolean", Key(str(value).lower()))


def _may(value: bool) -> Variable:
    return Variable("boolean", Key(str(value).lower(), truth))


def _number(value: int, most: int, least: int = 0, unit: str = "") -> Variable:
    read: Read = number(most, least)
    return Variable("integer", Key(str(value), read), unit, (), least, most)


def _seconds(value: int, least: int = 0) -> Variable:
    return _number(value, MOST_S, least, "s")


def _measurands(value: str) -> Variable:
    return Variable("MemberList", Key(value, measurands), "", MEASURANDS)


def _state() -> Variable:
    return Variable("OptionList", Key("Available"), "", AVAILABILITY)


def _password(value: str) -> str | None:
    """A passwordString of basic authentication (A01)."""
    good = 16 <= len(value) <= 40 and value.isascii() and value.isprintable()
    return value if good else None


VARIABLES: Mapping[str, Variable] = {
    "AlignedDataCtrlr.Available": _is(True),
    "AlignedDataCtrlr.Interval": _seconds(0),
    "AlignedDataCtrlr.Measurands": _measurands(_ENERGY),
    "AlignedDataCtrlr.SendDuringIdle": _may(False),
    "AlignedDataCtrlr.TxEndedInterval": _fixed("0", "integer", "s"),
    "AlignedDataCtrlr.TxEndedMeasurands": Variable("MemberList", Key(""), "", MEASURANDS),
    "AuthCacheCtrlr.Available": _is(True),
    "AuthCacheCtrlr.Enabled": _may(True),
    "AuthCtrlr.AuthorizeRemoteStart": _may(False),
    "AuthCtrlr.Enabled": _is(True),
    "AuthCtrlr.LocalAuthorizeOffline": _may(True),
    "AuthCtrlr.LocalPreAuthorize": _may(False),
    "AuthCtrlr.OfflineTxForUnknownIdEnabled": _may(False),
    "ChargingStation.AvailabilityState": _state(),
    "ChargingStation.Available": _is(True),
    "ChargingStation.FirmwareVersion": _fixed(""),
    "ChargingStation.Model": _fixed(""),
    "ChargingStation.Problem": _is(False),
    "ChargingStation.SerialNumber": _fixed(""),
    "ChargingStation.SupplyPhases": _fixed("3", "integer"),
    "ChargingStation.VendorName": _fixed(""),
    "ClockCtrlr.DateTime": _fixed("", "dateTime"),
    "ClockCtrlr.TimeSource": Variable("SequenceList", Key("RealTimeClock"), "", ("RealTimeClock",)),
    "Connector.AvailabilityState": _state(),
    "Connector.Available": _is(True),
    "Connector.ConnectorType": _fixed("cType2"),
    "Connector.SupplyPhases": _fixed("3", "integer"),
    **{
        f"DeviceDataCtrlr.{what}[{message}]": _fixed(str(most), "integer")
        for what, most in (("BytesPerMessage", MAX_FRAME_BYTES), ("ItemsPerMessage", MOST_ITEMS))
        for message in ("GetReport", "GetVariables", "SetVariables")
    },
    "DisplayMessageCtrlr.Available": _is(False),
    "EVSE.AvailabilityState": _state(),
    "EVSE.Available": _is(True),
    "EVSE.Power": _fixed("0", "decimal", "W"),
    "EVSE.SupplyPhases": _fixed("3", "integer"),
    "LocalAuthListCtrlr.Available": _is(True),
    "LocalAuthListCtrlr.BytesPerMessage": _fixed(str(MAX_FRAME_BYTES), "integer"),
    "LocalAuthListCtrlr.Enabled": _may(True),
    "LocalAuthListCtrlr.Entries": Variable("integer", Key("0"), most=MOST_LISTED),
    "LocalAuthListCtrlr.ItemsPerMessage": _fixed(str(MOST_LISTED), "integer"),
    "MonitoringCtrlr.Available": _is(False),
    "OCPPCommCtrlr.ActiveNetworkProfile": _fixed("1"),
    "OCPPCommCtrlr.FileTransferProtocols": Variable("MemberList", Key("")),
    "OCPPCommCtrlr.HeartbeatInterval": _seconds(300, 1),
    "OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]": _seconds(60),
    "OCPPCommCtrlr.MessageAttempts[TransactionEvent]": _number(3, 1_000, 1),
    "OCPPCommCtrlr.MessageTimeout[Default]": _fixed(str(int(ANSWER_WITHIN_S)), "integer", "s"),
    "OCPPCommCtrlr.NetworkConfigurationPriority": Variable("SequenceList", Key("1"), "", ("1",)),
    "OCPPCommCtrlr.NetworkProfileConnectionAttempts": _fixed("1", "integer"),
    "OCPPCommCtrlr.OfflineThreshold": _seconds(60),
    "OCPPCommCtrlr.QueueAllMessages": _is(False),
    "OCPPCommCtrlr.ResetRetries": _fixed("0", "integer"),
    "OCPPCommCtrlr.RetryBackOffRandomRange": _seconds(10),
    "OCPPCommCtrlr.RetryBackOffRepeatTimes": _number(5, 20),
    "OCPPCommCtrlr.RetryBackOffWaitMinimum": _seconds(1, 1),
    "OCPPCommCtrlr.UnlockOnEVSideDisconnect": _is(True),
    "OCPPCommCtrlr.WebSocketPingInterval": _seconds(60),
    "ReservationCtrlr.Available": _is(False),
    "SampledDataCtrlr.Available": _is(True),
    "SampledDataCtrlr.TxEndedInterval": _fixed("0", "integer", "s"),
    "SampledDataCtrlr.TxEndedMeasurands": _measurands(_ENERGY),
    "SampledDataCtrlr.TxStartedMeasurands": _measurands(_ENERGY),
    "SampledDataCtrlr.TxUpdatedInterval": _seconds(60),
    "SampledDataCtrlr.TxUpdatedMeasurands": _measurands(f"{_ENERGY},Power.Active.Import"),
    PASSWORD: Variable("string", Key("", _password), secret=True),
    "SecurityCtrlr.CertificateEntries": _fixed("0", "integer"),
    "SecurityCtrlr.Identity": _fixed(""),
    "SecurityCtrlr.OrganizationName": _fixed(""),
    "SecurityCtrlr.SecurityProfile": _fixed("0", "integer"),
    "SmartChargingCtrlr.Available": _is(True),
    "SmartChargingCtrlr.Enabled": _is(True),
    "SmartChargingCtrlr.Entries[ChargingProfiles]": Variable(
        "integer", Key("0"), most=MOST_PROFILES
    ),
    "SmartChargingCtrlr.LimitChangeSignificance": _fixed("0", "decimal", "Percent"),
    "SmartChargingCtrlr.PeriodsPerSchedule": _fixed(str(MOST_PERIODS), "integer"),
    "SmartChargingCtrlr.ProfileStackLevel": _fixed(str(MOST_STACK), "integer"),
    "SmartChargingCtrlr.RateUnit": Variable("MemberList", Key("A,W"), "", ("A", "W")),
    "TxCtrlr.EVConnectionTimeOut": _seconds(60),
    "TxCtrlr.StopTxOnEVSideDisconnect": _is(True),
    "TxCtrlr.StopTxOnInvalidId": _may(True),
    "TxCtrlr.TxBeforeAcceptedEnabled": _is(True),
    "TxCtrlr.TxStartPoint": Variable(
        "MemberList", Key("PowerPathClosed"), "", ("PowerPathClosed",)
    ),
    "TxCtrlr.TxStopPoint": Variable(
        "MemberList", Key("EVConnected,Authorized"), "", ("EVConnected", "Authorized")
    ),
}  # fmt: skip
_KEYS = {name: one.key for name, one in VARIABLES.items()}
_NAMES = {
    "AllowOfflineTxForUnknownId": "AuthCtrlr.OfflineTxForUnknownIdEnabled",
    "AuthorizationCacheEnabled": "AuthCacheCtrlr.Enabled",
    "AuthorizeRemoteTxRequests": "AuthCtrlr.AuthorizeRemoteStart",
    "ClockAlignedDataInterval": "AlignedDataCtrlr.Interval",
    "ConnectionTimeOut": "TxCtrlr.EVConnectionTimeOut",
    "HeartbeatInterval": "OCPPCommCtrlr.HeartbeatInterval",
    "LocalAuthListEnabled": "LocalAuthListCtrlr.Enabled",
    "LocalAuthorizeOffline": "AuthCtrlr.LocalAuthorizeOffline",
    "LocalPreAuthorize": "AuthCtrlr.LocalPreAuthorize",
    "MeterValueSampleInterval": "SampledDataCtrlr.TxUpdatedInterval",
    "MeterValuesAlignedData": "AlignedDataCtrlr.Measurands",
    "MeterValuesSampledData": "SampledDataCtrlr.TxUpdatedMeasurands",
    "StopTransactionOnEVSideDisconnect": "TxCtrlr.StopTxOnEVSideDisconnect",
    "StopTransactionOnInvalidId": "TxCtrlr.StopTxOnInvalidId",
    "StopTxnSampledData": "SampledDataCtrlr.TxEndedMeasurands",
    "TransactionMessageAttempts": "OCPPCommCtrlr.MessageAttempts[TransactionEvent]",
    "TransactionMessageRetryInterval": "OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]",
    "WebSocketPingInterval": "OCPPCommCtrlr.WebSocketPingInterval",
}


def settings(changed: Mapping[str, str]) -> Configuration:
    """Of a station."""
    return Configuration(changed, _KEYS, _NAMES)
