"""The standards' JSON schemas, which the package `ocpp` brings along, as code made at first use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

import fastjsonschema
from fastjsonschema.draft04 import CodeGeneratorDraft04

from evcs.core.ocpp.ports import Violation
from evcs.core.ocpp.rules import BY_KEYWORD, Fault, Version

#: Folder in the package, and how a request's file ends there.
_PLACES = {Version.V16: ("v16", ""), Version.V201: ("v201", "Request")}

_Validator = Callable[[dict[str, Any]], object]
_TYPES = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}
_NUMBERS: dict[str, Callable[[Any], float]] = {
    "integer": lambda value: int(float(value)), "number": float,
}  # fmt: skip
#: In the place of a time that is none: of a clock that was never set.
NO_TIME = "1970-01-01T00:00:00Z"
#: A time may have any number of decimals, by the schemas; what is kept of a charge has some.
MAX_TIME = 40
_TIME = re.compile(CodeGeneratorDraft04.FORMAT_REGEXS["date-time"])


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
        self._schemas: dict[tuple[Version, str, bool], dict[str, Any]] = {}
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
        key = version, action, False
        try:
            found = _Reader(self._schema(key)).fields(payload)
        except _Unreadable:
            return None
        return found if self._error(key, found) is None else None

    def _error(self, key: tuple[Version, str, bool], payload: dict[str, Any]) -> Any:
        validate = self._validators.get(key) or self._compile(key)
        try:
            validate(payload)
        except fastjsonschema.JsonSchemaValueException as error:
            return error
        return None

    def _schema(self, key: tuple[Version, str, bool]) -> dict[str, Any]:
        found = self._schemas.get(key) or self._load(*key)
        self._schemas[key] = found
        return found

    def _load(self, version: Version, action: str, answer: bool) -> dict[str, Any]:
        folder, request = _PLACES[version]
        path = self._root / folder / "schemas" / f"{action}{'Response' if answer else request}.json"
        found: dict[str, Any] = json.loads(path.read_text("utf-8-sig"))
        return found

    def _compile(self, key: tuple[Version, str, bool]) -> _Validator:
        schema = self._schema(key)
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


class _Unreadable(Exception):
    """A part is not what its schema says, nor known to be meant so."""


class _Reader:
    """Makes of a payload what its schema says, in one go: in a time of its length.

    What can't be read is left out with the element of a list that it is in, or the whole field of
    the payload: the rest of that could mean something else.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._payload = schema

    def fields(self, value: Any) -> dict[str, Any]:
        """The payload itself. Raises _Unreadable."""
        return self._object(self._payload, value)

    def _read(self, schema: dict[str, Any], value: Any) -> Any:
        if "$ref" in schema:
            schema = self._payload["definitions"][schema["$ref"].rpartition("/")[2]]
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, value)
        if kind == "array":
            return self._list(schema, value)
        return _plain(schema, kind, value)

    def _object(self, schema: dict[str, Any], value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _Unreadable
        known = schema.get("properties", {})
        found = {}
        for name, one in value.items():
            if name in known:
                try:
                    found[name] = self._read(known[name], one)
                except _Unreadable:
                    if name == "timestamp":
                        found[name] = NO_TIME
                    elif schema is not self._payload:
                        raise
            elif schema.get("additionalProperties", True):
                found[name] = one
        missing = {name for name in schema.get("required", ()) if name not in found}
        if "timestamp" in missing:
            found["timestamp"] = NO_TIME
        if missing - {"timestamp"}:
            raise _Unreadable
        return found

    def _list(self, schema: dict[str, Any], value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _Unreadable
        found = []
        for one in value:
            with suppress(_Unreadable):
                found.append(self._read(schema["items"], one))
        if len(found) < schema.get("minItems", 0):
            raise _Unreadable
        return found


def _plain(schema: dict[str, Any], kind: Any, value: Any) -> Any:
    """A value that holds no others. Raises _Unreadable."""
    if type(value) not in _TYPES.get(kind, (type(value),)):
        value = _as(kind, value)
    fits = value is not None and value in schema.get("enum", (value,))
    if not fits or ("maxLength" in schema and len(value) > schema["maxLength"]):
        raise _Unreadable
    if schema.get("format") == "date-time" and not _is_time(value):
        raise _Unreadable
    return value


def _as(kind: object, value: object) -> object:
    """A number that is in a text, a text of a number; else None."""
    if kind == "string" and type(value) in (int, float):
        return str(value)
    if kind in _NUMBERS and type(value) in (str, float):
        with suppress(ValueError, OverflowError):
            made = _NUMBERS[str(kind)](value)
            return made if isfinite(made) else None
    return None
