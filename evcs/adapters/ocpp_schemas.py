"""The standards' JSON schemas, which the package `ocpp` brings along, as code made at first use."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fastjsonschema

from evcs.core.ocpp.ports import Violation
from evcs.core.ocpp.rules import BY_KEYWORD, Fault, Version

#: Folder in the package, and how a request's file ends there.
_PLACES = {Version.V16: ("v16", ""), Version.V201: ("v201", "Request")}

_Validator = Callable[[dict[str, Any]], object]


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
        key = version, action, answer
        validate = self._validators.get(key) or self._compile(key)
        try:
            validate(payload)
        except fastjsonschema.JsonSchemaValueException as error:
            fault = BY_KEYWORD.get(error.rule or "", Fault.VALUE)
            return Violation(fault, _describe(error))
        return None

    def _compile(self, key: tuple[Version, str, bool]) -> _Validator:
        version, action, answer = key
        folder, request = _PLACES[version]
        path = self._root / folder / "schemas" / f"{action}{'Response' if answer else request}.json"
        schema = json.loads(path.read_text("utf-8-sig"))
        # Never a default put into what a charger said.
        made: _Validator = fastjsonschema.compile(schema, use_default=False)
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
