"""The configuration keys of an emulated OCPP 1.6 station: OCPP 1.6 edition 2, 9.1 and 9.2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

MEASURANDS = (
    "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage",
    "Power.Offered",
)  # fmt: skip
MOST_S = 86_400
#: Keys that one GetConfiguration may ask for, and measurands in a list.
MOST_KEYS = 50


def _any(value: str) -> str | None:
    return value if len(value) <= 500 else None


def _bool(value: str) -> str | None:
    return value.lower() if value.lower() in ("true", "false") else None


def _number(most: int) -> Callable[[str], str | None]:
    def read(value: str) -> str | None:
        if not value.isascii() or not value.isdecimal() or len(value) > 9:
            return None
        return str(int(value)) if int(value) <= most else None

    return read


def _measurands(value: str) -> str | None:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if len(set(names)) != len(names) or not set(names) <= set(MEASURANDS):
        return None
    return ",".join(names)


class Key(NamedTuple):
    """One key: its value in a new station, and how a value is read (None: it is none).

    `read` is None where it may only be read.
    """

    default: str
    read: Callable[[str], str | None] | None = None


_SECONDS = _number(MOST_S)
_ENERGY = "Energy.Active.Import.Register"

KEYS: Mapping[str, Key] = {
    "AllowOfflineTxForUnknownId": Key("false", _bool),
    "AuthorizationCacheEnabled": Key("true", _bool),
    "AuthorizeRemoteTxRequests": Key("false", _bool),
    "ClockAlignedDataInterval": Key("0", _SECONDS),
    "ConnectionTimeOut": Key("60", _SECONDS),
    "ConnectorPhaseRotation": Key("0.RST,1.RST", _any),
    "GetConfigurationMaxKeys": Key(str(MOST_KEYS)),
    "HeartbeatInterval": Key("300", _SECONDS),
    "LocalAuthorizeOffline": Key("true", _bool),
    "LocalPreAuthorize": Key("false", _bool),
    "MeterValueSampleInterval": Key("60", _SECONDS),
    "MeterValuesAlignedData": Key(_ENERGY, _measurands),
    "MeterValuesAlignedDataMaxLength": Key(str(len(MEASURANDS))),
    "MeterValuesSampledData": Key(f"{_ENERGY},Power.Active.Import", _measurands),
    "MeterValuesSampledDataMaxLength": Key(str(len(MEASURANDS))),
    "NumberOfConnectors": Key("1"),
    "ResetRetries": Key("1", _number(10)),
    "StopTransactionOnEVSideDisconnect": Key("true", _bool),
    "StopTransactionOnInvalidId": Key("true", _bool),
    "StopTxnAlignedData": Key("", _measurands),
    "StopTxnAlignedDataMaxLength": Key(str(len(MEASURANDS))),
    "StopTxnSampledData": Key("", _measurands),
    "StopTxnSampledDataMaxLength": Key(str(len(MEASURANDS))),
    "SupportedFeatureProfiles": Key("Core,RemoteTrigger"),
    "TransactionMessageAttempts": Key("3", _number(1_000)),
    "TransactionMessageRetryInterval": Key("60", _SECONDS),
    "UnlockConnectorOnEVSideDisconnect": Key("true", _bool),
    "WebSocketPingInterval": Key("60", _SECONDS),
}
_BY_NAME = {name.casefold(): name for name in KEYS}


class Keys:
    """The keys of one station. `changed`: those that are otherwise than in a new one."""

    def __init__(self, changed: Mapping[str, str]) -> None:
        self._changed = changed

    def text(self, name: str) -> str:
        """A key's value."""
        return self._changed.get(name, KEYS[name].default)

    def number(self, name: str) -> int:
        """A number's."""
        return int(self.text(name))

    def is_set(self, name: str) -> bool:
        """A truth's."""
        return self.text(name) == "true"

    def listed(self, name: str) -> list[str]:
        """A list's."""
        return [part for part in self.text(name).split(",") if part]

    def answer(self, asked: list[str]) -> dict[str, Any]:
        """GetConfiguration's answer; all keys where none is asked for."""
        names = asked[:MOST_KEYS] or list(KEYS)
        known = [_BY_NAME[name.casefold()] for name in names if name.casefold() in _BY_NAME]
        found = [
            {"key": name, "readonly": KEYS[name].read is None, "value": self.text(name)}
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
