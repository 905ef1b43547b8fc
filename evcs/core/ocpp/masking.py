"""What people read of chargers: frames without the keys in them, and little of a card."""

from __future__ import annotations

import json
import re
from typing import Any

#: Configuration key and variable that hold a charger's password.
SECRETS = frozenset({"authorizationkey", "basicauthpassword"})
_VALUES = ("value", "attributeValue")
#: Fields of a network profile, and of a VPN in it.
_FIELDS = frozenset({"password", "apnpassword", "simpin"})
#: What a frame with a password has; a backslash may stand for any of it.
_SIGNS = ("authorizationkey", "password", "simpin", "vpn", "@", "\\")
#: Who logs in is within the address of a place to send files to.
_LOGIN = re.compile(r"(://)[^/@\s]+@")
MASK = "***"


def masked(text: str) -> str:
    """The frame without passwords; one that is no JSON but may have one is not shown at all."""
    lower = text.lower()
    if not any(sign in lower for sign in _SIGNS):
        return text
    try:
        return json.dumps(_masked(json.loads(text)), separators=(",", ":"))
    except (ValueError, RecursionError):
        return MASK


def masked_tag(tag: str) -> str:
    """Of a card so much that its owner knows it."""
    return f"{tag[:2]}...{tag[-2:]}" if len(tag) >= 8 else "..."


def carries_key(payload: object) -> bool:
    """Whether a charger's own password is set by it."""
    if isinstance(payload, list):
        return any(carries_key(one) for one in payload)
    if not isinstance(payload, dict):
        return False
    sets = any(name in payload for name in _VALUES) and _names_secret(payload)
    return sets or any(carries_key(one) for one in payload.values())


def _masked(value: Any, within: str = "") -> Any:
    if isinstance(value, list):
        return [_masked(one) for one in value]
    if isinstance(value, str):
        return _LOGIN.sub(rf"\1{MASK}@", value)
    if not isinstance(value, dict):
        return value
    secret = _names_secret(value)
    return {
        name: MASK if _is_secret(name, secret, within) else _masked(one, name)
        for name, one in value.items()
    }


def _is_secret(name: str, named: bool, within: str) -> bool:
    field = name.lower()
    return (named and name in _VALUES) or field in _FIELDS or (within, field) == ("vpn", "key")


def _names_secret(value: dict[str, Any]) -> bool:
    variable = value.get("variable")
    names = (value.get("key"), variable.get("name") if isinstance(variable, dict) else None)
    return any(
        isinstance(name, str) and name.strip().rpartition(".")[2].lower() in SECRETS
        for name in names
    )
