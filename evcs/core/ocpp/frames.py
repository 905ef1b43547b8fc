"""Frames of OCPP-J: CALL, CALLRESULT and CALLERROR, read from text and written to it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from evcs.core import strict_json
from evcs.core.ocpp.rules import MAX_DEPTH, MAX_DESCRIPTION, MAX_ID, NO_ID, Fault, Version

_CALL, _RESULT, _ERROR = 2, 3, 4
# json.dumps would make one at each call.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class Call(NamedTuple):
    """A request."""

    id: str
    action: str
    payload: dict[str, Any]


class Result(NamedTuple):
    """The answer to the CALL of that id."""

    id: str
    payload: dict[str, Any]


class Error(NamedTuple):
    """The CALL of that id was not carried out. `code`: as its version spells it."""

    id: str
    code: str
    description: str = ""
    details: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it


class Malformed(NamedTuple):
    """Text that is no frame. `answer`: what goes back, if anything does.

    `id` is what could be read of it: of one's own CALL where `fault` is BAD_ANSWER.
    """

    fault: Fault
    answer: Error | None
    id: str = ""


Frame = Call | Result | Error


def read(version: Version, text: str) -> Frame | Malformed:
    """The frame in a text message. Never raises."""
    try:
        found = strict_json.parse(text.encode())
    except ValueError:
        return _malformed(version, Fault.NOT_JSON)
    if type(found) is not list or not found:
        return _malformed(version, Fault.NOT_A_LIST)
    kind, said = found[0], found[1] if len(found) > 1 else None
    message_id = said if type(said) is str and len(said) <= MAX_ID else ""
    if type(kind) is not int or not _CALL <= kind <= _ERROR:
        return _malformed(version, Fault.MESSAGE_TYPE, message_id)
    if kind != _CALL:
        answer = _result(text, found) if kind == _RESULT else _error(text, found)
        return (message_id and answer) or Malformed(Fault.BAD_ANSWER, None, message_id)
    if not message_id:
        return _malformed(version, Fault.LONG_ID if said and type(said) is str else Fault.NO_ID)
    if len(found) != 4 or type(found[2]) is not str:
        return _malformed(version, Fault.NOT_A_CALL, message_id)
    payload = _object(found[3])
    if payload is None:
        return _malformed(version, Fault.PAYLOAD, message_id)
    if _is_deep(text, payload):
        return _malformed(version, Fault.DEPTH, message_id)
    return Call(message_id, found[2], payload)


def error(version: Version, fault: Fault, message_id: str, description: str = "") -> Error | None:
    """What goes back because of a fault, to the CALL of that id ("": it can't be read)."""
    rule = fault.rule
    code = rule.answer(version)
    if code is None:
        return None
    return Error(
        message_id if message_id and rule.own_id else NO_ID, code, description or rule.what
    )


def write(frame: Frame) -> str:
    """Its text, ASCII alone. Raises TypeError or ValueError where a payload is no JSON."""
    if isinstance(frame, Call):
        content: list[Any] = [_CALL, *frame]
    elif isinstance(frame, Result):
        content = [_RESULT, *frame]
    else:
        content = [_ERROR, *frame._replace(description=frame.description[:MAX_DESCRIPTION])]
    return _ENCODER.encode(content)


def _malformed(version: Version, fault: Fault, message_id: str = "") -> Malformed:
    return Malformed(fault, error(version, fault, message_id), message_id)


def _object(value: Any) -> dict[str, Any] | None:
    """A payload; the standard lets one that is empty be null."""
    return {} if value is None else value if type(value) is dict else None


def _result(text: str, found: list[Any]) -> Result | None:
    payload = _object(found[2]) if len(found) == 3 else None
    return None if payload is None or _is_deep(text, payload) else Result(found[1], payload)


def _error(text: str, found: list[Any]) -> Error | None:
    """Chargers leave out details and description: the code says enough."""
    code, description, details = (*found[2:5], None, None, None)[:3]
    if type(code) is not str or not code:
        return None
    details = details if type(details) is dict and not _is_deep(text, details) else {}
    return Error(found[1], code, description if type(description) is str else "", details)


def _is_deep(text: str, payload: Any) -> bool:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return False
    return True
