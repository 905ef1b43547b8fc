"""What a setting's value may be: one check for each, which gives the value as it is kept.

A check takes the setting's name, for its error, and what was given. Each raises BadValue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evcs.core.errors import BadValue
from evcs.core.ids import check_id

ALWAYS, REMOTE = "always", "remote"
FORK, EXEC = "fork", "exec"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*"


def _number(name: str, value: object, kind: type, lowest: float, highest: float) -> Any:
    try:
        number = kind(str(value))
    except ValueError:
        number = None
    if number is None or not lowest <= number <= highest:
        raise BadValue(
            f"setting {name}: {value!a} is not allowed",
            f"allowed: a number from {lowest:g} to {highest:g}",
        )
    return number


def _address(name: str, value: object) -> str:
    """An IP address to listen on, as it is written everywhere."""
    found = _as_address(value)
    if found is None:
        raise BadValue(
            f"setting {name}: {value!a} is no address",
            "give an IP address of this machine, or 0.0.0.0 for all of them",
        )
    return found


def _as_address(value: object) -> str | None:
    import ipaddress

    try:
        # The zone of an IPv6 address may hold anything.
        return None if "%" in str(value) else str(ipaddress.ip_address(str(value)))
    except ValueError:
        return None


def _start(name: str, value: object) -> str:
    if value not in (FORK, EXEC):
        raise BadValue(
            f"setting {name}: {value!a} is not allowed",
            'allowed: "fork", or "exec" for an interpreter of its own for each process',
        )
    return str(value)


def _when(name: str, value: object) -> str:
    if value not in (ALWAYS, REMOTE):
        raise BadValue(
            f"setting {name}: {value!a} is not allowed",
            'allowed: "always", or "remote" for TLS beyond this machine only',
        )
    return str(value)


def check_name(what: str, value: object) -> str:
    """A host name or an address as it stands in a certificate. Raises BadValue."""
    import re

    address = _as_address(value)
    if address is not None:
        return address
    if not re.fullmatch(_NAME, str(value)):
        raise BadValue(f"{what}: {value!a} is no host name", "such as evcs.example.org")
    return str(value).lower()


def _port(name: str, value: object) -> int:
    return int(_number(name, value, int, 1, 65535))


def _days(name: str, value: object) -> int:
    return int(_number(name, value, int, 0, 36_500))


def _yes_or_no(name: str, value: object) -> bool:
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise BadValue(f"setting {name}: {value!a} is not allowed", "allowed: true or false")
    return found


CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "mqtt_port": _port,
    "web_port": _port,
    "registry_port": _port,
    "mqtt_tls_port": _port,
    "keep_sessions_days": _days,
    "keep_audit_days": _days,
    "keep_readings_days": _days,
    "time_scale": lambda name, value: _number(name, value, float, 0.001, 100_000),
    "host": check_id,
    "centre": _address,
    "cp_start": _start,
    "ocpp_port": _port,
    "ocpp_listen": _address,
    "ocpp_plain": _yes_or_no,
    "ocpp_keep_interrupted_h": lambda name, value: int(_number(name, value, int, 0, 8_760)),
    "hosts_keep_interrupted_s": lambda name, value: int(_number(name, value, int, 0, 31_536_000)),
    "mqtt_listen": _address,
    "http_listen": _address,
    "mqtt_tls": _when,
    "http_tls": _when,
    "http_name": lambda name, value: check_name(f"setting {name}", value),
}
