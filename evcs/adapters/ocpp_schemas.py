"""The standards' JSON schemas, which the package `ocpp` brings along, as code made at first use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fastjsonschema
from fastjsonschema.draft04 import CodeGeneratorDraft04

from evcs.core.ocpp.ports import Violation
from evcs.core.ocpp.rules import BY_KEYWORD, Fault, Version

#: Folder in the package, and how a request's file ends there.
_PLACES = {Version.V16: ("v16", ""), Version.V201: ("v201", "Request")}

_Validator = Callable[[dict[str, Any]], object]
_NUMBERS: dict[str, Callable[[Any], object]] = {
    "integer": lambda value: int(float(value)), "number": float,
}  # fmt: skip
#: In the place of a time that is none: of a clock that was never set.
NO_TIME = "1970-01-01T00:00:00Z"
#: A time may have any number of decimals, by the schemas; what is kept of a charge has some.
MAX_TIME = 40
_TIME = re.compile(CodeGeneratorDraft04.FORMAT_REGEXS["date-time"])
#: What is mended of one payload at most.
MOST_MENDED = 50


def _is_time(text: str) -> bool:
    return len(text) <= MAX_TIME and _TIME.match(text) is not None


_FORMATS = {"date-time": _is_time}


class OcppSchemas:
    """All schemas of both versions (core.ocpp.ports.Schemas)."""

    def __init__(self) -> None:
        # Not imported: the package is a framework, and we want its files alone.
        spec = find_spec("ocpp")
        assert spec is not None
        assert spec.submodule_search_locations
        self._root = Path(spec.submodule_search_locations[0])
        self._validators: dict[tuple[Version, str, bool], _Validator] = {}

    def violation(
        self, version: Version, action: str, payload: dict[str, Any], answer: bool = False
    ) -> Violation | None:
        """What is wrong with a request or an answer of a known action; the first that is found."""
        error = self._error((version, action, answer), payload)
        if error is None:
            return None
        return Violation(BY_KEYWORD.get(error.rule or "", Fault.VALUE), _describe(error))

    def readable(
        self, version: Version, action: str, payload: dict[str, Any]
    ) -> dict[str, Any] | None:
        """What is valid of a request that is not; None where a field that it needs can't be read.

        Left out is the smallest part that may be missing. A number may have come as text.
        """
        rest = deepcopy(payload)
        for _ in range(MOST_MENDED):
            error = self._error((version, action, False), rest)
            if error is None:
                return rest
            _mend(rest, error)
        return None

    def _error(self, key: tuple[Version, str, bool], payload: dict[str, Any]) -> Any:
        validate = self._validators.get(key) or self._compile(key)
        try:
            validate(payload)
        except fastjsonschema.JsonSchemaValueException as error:
            return error
        return None

    def _compile(self, key: tuple[Version, str, bool]) -> _Validator:
        version, action, answer = key
        folder, request = _PLACES[version]
        path = self._root / folder / "schemas" / f"{action}{'Response' if answer else request}.json"
        schema = json.loads(path.read_text("utf-8-sig"))
        # Never a default put into what a charger said.
        made: _Validator = fastjsonschema.compile(schema, formats=_FORMATS, use_default=False)
        self._validators[key] = made
        return made


def _describe(error: Any) -> str:
    """Where, and which rule of the schema; no value, which may be long, or a secret."""
    where = ".".join(str(part) for part in error.path[1:]) or "payload"
    if error.rule == "required":
        names = [name for name in error.rule_definition if name not in error.value]
        return f"{where}: {', '.join(names)} missing"
    if error.rule == "additionalProperties":
        names = [name for name in error.value if name not in error.definition.get("properties", ())]
        return f"{where}: {', '.join(names)} not known"
    return f"{where}: {error.rule} {error.rule_definition}"


def _mend(payload: dict[str, Any], error: Any) -> None:
    """Make what violates the schema what it should be, or take it out, if it is known how."""
    at: Any = payload
    holder, key = at, None
    part: tuple[Any, Any] | None = None
    for name in error.path[1:]:
        holder, key = at, int(name) if isinstance(at, list) else name
        if part is None or isinstance(at, list):
            part = holder, key
        at = holder[key]
    if error.rule == "additionalProperties":
        for name in [name for name in at if name not in error.definition.get("properties", ())]:
            del at[name]
    elif error.rule == "required" and "timestamp" in set(error.rule_definition) - set(at):
        at["timestamp"] = NO_TIME
    elif key == "timestamp":
        holder[key] = NO_TIME
    elif error.rule == "type" and (made := _as(error.rule_definition, at)) is not None:
        holder[key] = made
    elif part is not None:
        del part[0][part[1]]


def _as(kind: object, value: object) -> object:
    """A number that is in a text, a text of a number; else None."""
    if kind == "string" and type(value) in (int, float):
        return str(value)
    if kind in _NUMBERS and type(value) in (str, float):
        with suppress(ValueError, OverflowError):
            return _NUMBERS[str(kind)](value)
    return None
