"""Frames for people to read: the keys that some of them carry are not shown."""

from __future__ import annotations

import json
from typing import Any

#: Configuration key and variable that hold a charger's password.
SECRETS = frozenset({"authorizationkey", "basicauthpassword"})
_VALUES = ("value", "attributeValue")
MASK = "***"


def masked(text: str) -> str:
    """The frame without passwords; one that is no JSON but names one is not shown at all."""
    if not any(secret in text.lower() for secret in SECRETS):
        return text
    try:
        return json.dumps(_masked(json.loads(text)), separators=(",", ":"))
    except (ValueError, RecursionError):
        return MASK


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(one) for one in value]
    if not isinstance(value, dict):
        return value
    secret = _names_secret(value)
    return {
        name: MASK if secret and name in _VALUES else _masked(one) for name, one in value.items()
    }


def _names_secret(value: dict[str, Any]) -> bool:
    variable = value.get("variable")
    names = (value.get("key"), variable.get("name") if isinstance(variable, dict) else None)
    return any(isinstance(name, str) and name.lower() in SECRETS for name in names)
