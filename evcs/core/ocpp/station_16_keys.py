"""The configuration keys of an emulated OCPP 1.6 station: OCPP 1.6 edition 2, 9."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from evcs.core.ocpp.station_list import MOST_LISTED
from evcs.core.ocpp.station_profiles import MOST_PERIODS, MOST_PROFILES, MOST_STACK
from evcs.core.ocpp.station_settings import (
    MEASURANDS,
    Configuration,
    Key,
    any_text,
    measurands,
    number,
    seconds,
    truth,
)  # fmt: skip

#: Keys that one GetConfiguration may ask for.
MOST_KEYS = 50
_ENERGY = "Energy.Active.Import.Register"

#: What may be written and never read (security whitepaper, A00.FR.205), as hex of its bytes.
DIALS_WITH = "AuthorizationKey"
#: In bytes. One that is no hex counts as it is.
LEAST_PASSWORD, MOST_PASSWORD = 16, 40


def _password(value: str) -> str | None:
    try:
        raw = bytes.fromhex(value)
    except ValueError:
        raw = value.encode()
    return raw.hex() if LEAST_PASSWORD <= len(raw) <= MOST_PASSWORD else None


KEYS: Mapping[str, Key] = {
    "AllowOfflineTxForUnknownId": Key("false", truth),
    "AuthorizationCacheEnabled": Key("true", truth),
    DIALS_WITH: Key("", _password),
    "AuthorizeRemoteTxRequests": Key("false", truth),
    "ChargeProfileMaxStackLevel": Key(str(MOST_STACK)),
    "ChargingScheduleAllowedChargingRateUnit": Key("Current,Power"),
    "ChargingScheduleMaxPeriods": Key(str(MOST_PERIODS)),
    "ClockAlignedDataInterval": Key("0", seconds),
    "ConnectionTimeOut": Key("60", seconds),
    "ConnectorPhaseRotation": Key("0.RST,1.RST", any_text),
    "GetConfigurationMaxKeys": Key(str(MOST_KEYS)),
    "HeartbeatInterval": Key("300", seconds),
    "LocalAuthListEnabled": Key("true", truth),
    "LocalAuthListMaxLength": Key(str(MOST_LISTED)),
    "LocalAuthorizeOffline": Key("true", truth),
    "LocalPreAuthorize": Key("false", truth),
    "MaxChargingProfilesInstalled": Key(str(MOST_PROFILES)),
    "MeterValueSampleInterval": Key("60", seconds),
    "MeterValuesAlignedData": Key(_ENERGY, measurands),
    "MeterValuesAlignedDataMaxLength": Key(str(len(MEASURANDS))),
    "MeterValuesSampledData": Key(f"{_ENERGY},Power.Active.Import", measurands),
    "MeterValuesSampledDataMaxLength": Key(str(len(MEASURANDS))),
    "NumberOfConnectors": Key("1"),
    "ResetRetries": Key("1", number(10)),
    "SecurityProfile": Key("0"),
    "SendLocalListMaxLength": Key(str(MOST_LISTED)),
    "StopTransactionOnEVSideDisconnect": Key("true", truth),
    "StopTransactionOnInvalidId": Key("true", truth),
    "StopTxnAlignedData": Key("", measurands),
    "StopTxnAlignedDataMaxLength": Key(str(len(MEASURANDS))),
    "StopTxnSampledData": Key("", measurands),
    "StopTxnSampledDataMaxLength": Key(str(len(MEASURANDS))),
    "SupportedFeatureProfiles": Key(
        "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,SmartCharging"
    ),
    "TransactionMessageAttempts": Key("3", number(1_000)),
    "TransactionMessageRetryInterval": Key("60", seconds),
    "UnlockConnectorOnEVSideDisconnect": Key("true"),
    "WebSocketPingInterval": Key("60", seconds),
}
_BY_NAME = {name.casefold(): name for name in KEYS}


def settings(changed: Mapping[str, str], security_profile: int = 0) -> Configuration:
    """Of a station that dials with that security profile."""
    return Configuration(changed, _table(security_profile), {})


@cache
def _table(security_profile: int) -> Mapping[str, Key]:
    return {**KEYS, "SecurityProfile": Key(str(security_profile))}


def answer(keys: Configuration, asked: list[str]) -> dict[str, Any]:
    """GetConfiguration's answer; all keys where none is asked for."""
    names = asked[:MOST_KEYS] or list(KEYS)
    known = [_BY_NAME[name.casefold()] for name in names if name.casefold() in _BY_NAME]
    found = [
        {"key": name, "readonly": KEYS[name].read is None}
        | ({} if name == DIALS_WITH else {"value": keys.text(name)})
        for name in dict.fromkeys(known)
    ]
    unknown = [name for name in names if name.casefold() not in _BY_NAME]
    return {"configurationKey": found, **({"unknownKey": unknown} if unknown else {})}


def changed(name: str, value: str) -> tuple[str, tuple[str, str] | None]:
    """ChangeConfiguration's word, and the key with its value where it is accepted."""
    known = _BY_NAME.get(name.casefold())
    if known is None:
        return "NotSupported", None
    read = KEYS[known].read
    found = None if read is None else read(value.strip())
    return ("Rejected", None) if found is None else ("Accepted", (known, found))
