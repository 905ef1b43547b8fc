"""What a CP Manager's answer holds: another host's is believed only where it can be one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_TEXTS, _NUMBERS = ("group", "name", "state", "error"), ("pid", "idle_s")


def can_be(verb: str, body: Mapping[str, Any]) -> bool:
    """Whether that is an answer to a command."""
    return verb not in _FORMS or _FORMS[verb](body)


def _is_log(body: Mapping[str, Any]) -> bool:
    """A page that leads to another has a line at least, so that there is an end of them."""
    lines, following = body.get("lines"), body.get("next")
    if not isinstance(lines, list) or not all(isinstance(one, str) for one in lines):
        return False
    return following is None or (isinstance(following, str) and bool(lines))


def _are_processes(body: Mapping[str, Any]) -> bool:
    found = body.get("processes")
    return isinstance(found, list) and all(
        isinstance(one, dict)
        and all(isinstance(one.get(name), str) for name in _TEXTS)
        and all(type(one.get(name)) is int for name in _NUMBERS)
        for one in found
    )


_FORMS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "log": _is_log,
    "processes": _are_processes,
    "kill": lambda body: type(body.get("pid")) is int,
}
