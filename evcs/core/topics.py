"""Message <-> topic, payload, QoS, retain, expiry: the only file that spells a topic.

The first level is who speaks. Payloads are flat UTF-8 JSON objects with units in the
names; `ts` goes on every message but a will. A reader ignores keys it doesn't know;
what it can't read raises Unreadable, for the reader to count, log and drop. Each text that
is read is bounded (core.ids), so what is made of it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core import strict_json
from evcs.core.ids import MAX_TEXT, is_id, is_word, plain, short, word_pairs, words

PREFIX = "evcs/v1/"
#: mosquitto.conf's max_packet_size, in bytes. The broker drops whoever sends more.
MAX_PACKET = 65_536
MAX_INT = 10**15
#: Fields for people, which are shortened; a location is the operator's and else stays as it is.
#: Every other text is a word, which is refused instead.
TEXTS: dict[str, Callable[[str], str]] = {
    "reason": short, "fault": short, "error": short, "location": lambda text: text[:MAX_TEXT],
    "vendor": short, "model": short, "firmware": short, "serial": short, "frame": plain,
}  # fmt: skip

#: Fields that are lists, and what reads them.
LISTS: dict[str, Callable[[object], Any]] = {"prices": word_pairs, "tags": words}


class Unreadable(ValueError):
    """A payload or topic that is not of the contract's form."""


class Route(NamedTuple):
    """Where a message goes: levels in braces are fields that the topic carries."""

    template: str
    kind: type
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None


ROUTES = (
    Route("registry/cp/{cp}", m.DesiredCp, retain=True),
    Route("registry/driver/{driver}", m.DesiredDriver, retain=True),
    Route("registry/station/{station}", m.DesiredStation, retain=True),
    Route("registry/circuit/{name}", m.Circuit, retain=True),
    Route("meter/{name}/power", m.MeterPower),
    Route("manager/{host}/cp/{cp}", m.ReconcileReport, retain=True),
    Route("cp/{cp}/engine/status", m.EngineStatus, retain=True),
    Route("cp/{cp}/monitor/status", m.MonitorStatus, retain=True),
    Route("cp/{cp}/engine/meter", m.Meter, qos=0),
    Route("cp/{cp}/engine/session", m.SessionEvent),
    Route("cp/{cp}/engine/reply", m.Reply),
    Route("cp/{cp}/engine/request", m.StationRequest),
    Route("central/cp/{cp}/state", m.CpState, retain=True),
    Route("central/circuit/{name}/state", m.CircuitState, retain=True),
    Route("central/cp/{cp}/engine/cmd", m.Command, expiry_s=30),
    Route("central/manager/{host}/cmd", m.ManagerCommand, expiry_s=5),
    Route("manager/{host}/reply", m.ManagerReply),
    Route("central/gateway/{host}/cmd", m.GatewayCommand, expiry_s=5),
    Route("gateway/{host}/reply", m.GatewayReply),
    Route("gateway/{host}/station/{station}/status", m.StationStatus, retain=True),
    Route("gateway/{host}/station/{station}/frame", m.StationFrame, qos=0),
    Route("central/cp/{cp}/engine/answer", m.StationAnswer),
    Route("driver/{driver}/request", m.DriverRequest),
    Route("{asker}/request", m.OperatorRequest),
    Route("central/driver/{driver}/event", m.DriverEvent),
    Route("central/{asker}/event", m.OperatorEvent),
    Route("central/registry/flood", m.Flood),
    Route("central/summary", m.Summary, retain=True),
    Route("{service}/status", m.ServiceStatus, retain=True),
    Route("{service}/{host}/status", m.ServiceStatus, retain=True),
)

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_BY_KIND = {route.kind: route for route in reversed(ROUTES)}
_LEVELS = [(route, route.template.split("/")) for route in ROUTES]
_NAMES = {
    "asker": frozenset({"operator", "web"}),
    "service": frozenset({"central", "registry", "web", "manager", "gateway"}),
}
_VALUE_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "bool": (bool,), "float": (float, int),
    "None": (type(None),), "dict": (dict,), "Mapping": (dict,), "SessionView": (dict,),
    "tuple": (list,),
}  # fmt: skip


class Subscription(NamedTuple):
    """A topic filter. `own`: whether one's own messages come back too.

    `as_published`: whether a message that is said just now tells that the broker keeps it.
    """

    filter: str
    qos: int = 1
    own: bool = True
    as_published: bool = False


class Publication(NamedTuple):
    """What goes to the broker. An empty payload takes a retained message away."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expiry_s: int | None = None


def _fields(kind: type) -> dict[str, tuple[tuple[type, ...], bool]]:
    """Field name -> (allowed JSON types, may be left out)."""
    found = {}
    for name, hint in kind.__annotations__.items():
        text = getattr(hint, "__forward_arg__", str(hint))
        kinds = [_VALUE_TYPES[part.strip().partition("[")[0]] for part in text.split("|")]
        optional = name in kind._field_defaults  # type: ignore[attr-defined]
        found[name] = (tuple(t for group in kinds for t in group), optional)
    return found


_FIELDS = {kind: _fields(kind) for kind in (*(route.kind for route in ROUTES), m.SessionView)}


def filter_for(kind: type, own: bool = True, **levels: str) -> Subscription:
    """The filter that yields messages of `kind`; levels not named match all."""
    route = _BY_KIND[kind]
    return Subscription(PREFIX + _spell(route.template, levels, "+"), route.qos, own)


def never_kept(kind: type) -> Subscription:
    """The filter for others' messages of a kind that is not retained: it tells which are kept."""
    return filter_for(kind, own=False)._replace(as_published=True)


def central_status() -> Subscription:
    """The filter that yields Central's own status, which everyone may read."""
    return Subscription(PREFIX + "central/status")


def status_of(service: str) -> Subscription:
    """The filter that yields the statuses of a service that each host has ("manager")."""
    return Subscription(PREFIX + f"{service}/+/status")


def subtree(branch: str = "") -> Subscription:
    """The filter for all that is said below a branch ("registry", "cp", "" for all)."""
    return Subscription(PREFIX + (f"{branch}/#" if branch else "#"))


def _spell(template: str, levels: dict[str, str], missing: str | None = None) -> str:
    parts = []
    for level in template.split("/"):
        if level.startswith("{"):
            name = level[1:-1]
            level = levels[name] if missing is None else levels.get(name, missing)
        parts.append(level)
    return "/".join(parts)


def clear(kind: type, **levels: str) -> Publication:
    """The publication that takes the retained message of `kind` away."""
    route = _BY_KIND[kind]
    return Publication(PREFIX + _spell(route.template, levels), b"", 1, True)


def size(value: Mapping[str, Any]) -> int:
    """Bytes of an object within a payload."""
    return len(_JSON.encode(value).encode())


def is_stray(topic: str) -> bool:
    """Whether the broker keeps something on `topic` that the contract doesn't have retained."""
    try:
        return not _route(topic)[0].retain
    except Unreadable:
        return False


def clear_stray(topic: str) -> Publication:
    """The publication that takes away what the broker keeps on `topic`."""
    return Publication(topic, b"", 1, True)


def encode(message: m.Message, ts: str | None) -> Publication:
    """A message as the broker takes it; `ts` is None for a will."""
    kind = type(message)
    route = _BY_KIND[kind]
    values: dict[str, Any] = message._asdict()
    topic = PREFIX + _spell(route.template, values)
    for level in route.template.split("/"):
        if level.startswith("{"):
            values.pop(level[1:-1], None)
    extra = values.pop("body", None)
    session = values.get("session")
    if isinstance(session, m.SessionView):
        values["session"] = session._asdict()
    if extra:
        values.update((key, value) for key, value in extra.items() if key not in values)
    if ts is None:
        values = {key: values[key] for key in ("online", "boot")}
    else:
        values["ts"] = ts
    payload = _JSON.encode(values)
    return Publication(topic, payload.encode(), route.qos, route.retain, route.expiry_s)


def decode(topic: str, payload: bytes) -> m.Message | m.Cleared:
    """What a publication says. Raises Unreadable."""
    route, levels = _route(topic)
    if not payload:
        return m.Cleared(route.kind, dict(levels))
    found: m.Message = build(route.kind, parse_object(payload), levels)
    return found


@lru_cache(maxsize=16_384)
def _route(topic: str) -> tuple[Route, Mapping[str, str]]:
    if not topic.startswith(PREFIX):
        raise Unreadable("topic is not ours")
    parts = topic[len(PREFIX) :].split("/")
    for route, template in _LEVELS:
        if len(template) == len(parts) and template[0] in (parts[0], "{service}", "{asker}"):
            levels = _match(template, parts)
            if levels is not None:
                return route, levels
    raise Unreadable("topic is not in the contract")


def _match(template: list[str], parts: list[str]) -> dict[str, str] | None:
    levels = {}
    for want, part in zip(template, parts, strict=True):
        if not want.startswith("{"):
            if want != part:
                return None
            continue
        name = want[1:-1]
        if part not in _NAMES[name] if name in _NAMES else not is_id(part):
            return None
        levels[name] = part
    if "service" in levels and "host" in levels:
        levels["service"] = f"{levels['service']}/{levels.pop('host')}"
    return levels


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


def build(kind: type, found: dict[str, Any], levels: Mapping[str, str]) -> Any:
    """A message from a parsed payload and what its topic said. Raises Unreadable."""
    values: dict[str, Any] = dict(levels)
    fields = _FIELDS[kind]
    if "boot" in fields and found.get("online") is False:
        found = {"online": False, "boot": found.get("boot")}
    for name, (types, optional) in fields.items():
        if name in levels or name == "body":
            continue
        if name not in found:
            if not optional:
                raise Unreadable(f"{name} is missing")
            continue
        values[name] = _checked(name, found[name], types)
    if "body" in fields:
        values["body"] = {
            key: value
            for key, value in found.items()
            if key != "ts" and (key not in fields or key in levels)
        }
    return kind(**values)


def _checked(name: str, value: Any, types: tuple[type, ...]) -> Any:
    if type(value) not in types:
        raise Unreadable(f"{name} is of the wrong type")
    if type(value) is str:
        if name in TEXTS:
            return TEXTS[name](value)
        if not is_word(value):
            raise Unreadable(f"{name} is too long, or holds what is not printed")
    if type(value) in (int, float) and not abs(value) <= MAX_INT:  # NaN too
        raise Unreadable(f"{name} is out of bounds")
    if name in LISTS:
        found = LISTS[name](value)
        if found is None:
            raise Unreadable(f"{name} are not what they should be, or too many")
        return found
    if name == "session" and type(value) is dict:
        return build(m.SessionView, value, {})
    return value
