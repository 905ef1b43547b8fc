"""A payload <-> the fields of a message: one JSON object, each text, number and list bounded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

from evcs.core import strict_json
from evcs.core.ids import MAX_TEXT, is_session_id, is_word, plain, short, word_pairs, words
from evcs.core.messages import SessionView

#: mosquitto.conf's max_packet_size, in bytes. The broker drops whoever sends more.
MAX_PACKET = 65_536
#: Of what a CP, a driver or a meter says: nobody of them has more to say.
MAX_SAID = 4_096
MAX_INT = 10**15
#: Fields for people, which are shortened; a location is the operator's and else stays as it is.
#: Every other text is a word, which is refused instead.
TEXTS: dict[str, Callable[[str], str]] = {
    "reason": short, "fault": short, "error": short, "limit_error": short,
    "location": lambda text: text[:MAX_TEXT], "vendor": short, "model": short, "firmware": short,
    "serial": short, "frame": plain,
}  # fmt: skip

#: Fields that are lists, and what reads them.
LISTS: dict[str, Callable[[object], Any]] = {"prices": word_pairs, "tags": words}

_VALUE_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "bool": (bool,), "float": (float, int),
    "None": (type(None),), "dict": (dict,), "Mapping": (dict,), "SessionView": (dict,),
    "tuple": (list,),
}  # fmt: skip

_MISSING: Any = object()


class Unreadable(ValueError):
    """A payload or topic that is not of the contract's form."""


class _Field(NamedTuple):
    """One of a message's payload. `readers`: JSON type -> what reads a value of it, if anything."""

    name: str
    is_optional: bool
    readers: dict[type, Callable[[Any], Any] | None]


class Form(NamedTuple):
    """What a payload has of a kind; `has_body`: what is not among its fields is kept, too."""

    kind: type
    fields: tuple[_Field, ...]
    names: frozenset[str]
    has_body: bool


def form(kind: type, levels: Collection[str] = ()) -> Form:
    """That of a kind whose topic's levels say the rest."""
    fields = tuple(
        _Field(name, name in kind._field_defaults, _readers(name, hint))  # type: ignore[attr-defined]
        for name, hint in kind.__annotations__.items()
        if name not in levels and name != "body"
    )
    names = frozenset(one.name for one in fields)
    return Form(kind, fields, names, "body" in kind.__annotations__)


def _readers(name: str, hint: object) -> dict[type, Callable[[Any], Any] | None]:
    text = getattr(hint, "__forward_arg__", str(hint))
    types = [
        one for part in text.split("|") for one in _VALUE_TYPES[part.strip().partition("[")[0]]
    ]
    found: dict[type, Callable[[Any], Any] | None] = dict.fromkeys(types)
    special: dict[type, Callable[[Any], Any]] = {
        str: TEXTS.get(name) or partial(_word, name), int: partial(_bounded, name),
        float: partial(_bounded, name), list: partial(_listed, name),
    }  # fmt: skip
    if name == "session":
        special[dict] = lambda value: build(_SESSION, value, {})
    return found | {one: read for one, read in special.items() if one in found}


def _word(name: str, value: str) -> str:
    if not (is_session_id if name == "session_id" else is_word)(value):
        raise Unreadable(f"{name} is too long, or holds what is not printed")
    return value


def _bounded(name: str, value: float) -> float:
    if not abs(value) <= MAX_INT:  # NaN too
        raise Unreadable(f"{name} is out of bounds")
    return value


def _listed(name: str, value: list[Any]) -> Any:
    found = LISTS[name](value)
    if found is None:
        raise Unreadable(f"{name} are not what they should be, or too many")
    return found


def parse_object(payload: bytes) -> dict[str, Any]:
    """One JSON object; NaN, Infinity, deep nesting and overlong input raise Unreadable."""
    if len(payload) > MAX_PACKET:
        raise Unreadable("payload is too long")
    try:
        found = strict_json.parse(payload)
    except strict_json.NotJson as error:
        raise Unreadable(str(error)) from None
    if not isinstance(found, dict):
        raise Unreadable("not a JSON object")
    return found


def build(form: Form, found: dict[str, Any], levels: Mapping[str, str]) -> Any:
    """A message from a parsed payload and what its topic said. Raises Unreadable."""
    values: dict[str, Any] = dict(levels)
    if found.get("online") is False and "boot" in form.names:
        found = {"online": False, "boot": found.get("boot")}
    for name, is_optional, readers in form.fields:
        value = found.get(name, _MISSING)
        if value is _MISSING:
            if not is_optional:
                raise Unreadable(f"{name} is missing")
            continue
        read = readers.get(type(value), _MISSING)
        if read is _MISSING:
            raise Unreadable(f"{name} is of the wrong type")
        values[name] = value if read is None else read(value)
    if form.has_body:
        values["body"] = {
            key: value for key, value in found.items() if key != "ts" and key not in form.names
        }
    return form.kind(**values)


_SESSION = form(SessionView)
