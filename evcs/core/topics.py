"""Message <-> topic, payload, QoS, retain, expiry: the only file that spells a topic.

The first level is who speaks. Payloads are flat UTF-8 JSON objects with units in the
names; `ts` goes on every message but a will. A reader ignores keys it doesn't know;
what it can't read raises Unreadable, for the reader to count, log and drop. Each text that
is read is bounded (core.ids), so what is made of it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core.ids import is_id
from evcs.core.payloads import MAX_INT, MAX_PACKET, MAX_SAID, Unreadable, build, form, parse_object

__all__ = ["MAX_INT", "MAX_PACKET", "MAX_SAID", "Unreadable", "parse_object"]

PREFIX = "evcs/v1/"


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
    Route("registry/host/{host}", m.DesiredHost, retain=True),
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
    Route("central/host/{host}/state", m.HostState, retain=True),
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

#: How many levels say who speaks, of those of whom there is more than one.
_OWN_LEVELS = {"cp": 3, "driver": 2, "meter": 2, "manager": 2, "gateway": 2}
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_BY_KIND = {route.kind: route for route in reversed(ROUTES)}
_NAMES = {
    "asker": frozenset({"operator", "web"}),
    "service": frozenset({"central", "registry", "web", "manager", "gateway"}),
}


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


def _levels(template: str) -> tuple[str, ...]:
    """The names of a template's levels."""
    return tuple(level[1:-1] for level in template.split("/") if level.startswith("{"))


_LEVELS_OF = {kind: _levels(route.template) for kind, route in _BY_KIND.items()}
_FORMS = {kind: form(kind, levels) for kind, levels in _LEVELS_OF.items()}


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


def sender(topic: str) -> tuple[list[str], list[str]]:
    """Who speaks and of what, as levels: (["cp", "CP-001", "engine"], ["meter"])."""
    levels = topic.removeprefix(PREFIX).split("/")
    own = _OWN_LEVELS.get(levels[0], 1)
    return levels[:own], levels[own:]


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
    topic = PREFIX + route.template.format_map(values)
    for level in _LEVELS_OF[kind]:
        values.pop(level, None)
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
    found: m.Message = build(_FORMS[route.kind], parse_object(payload), levels)
    return found


class _Shape(NamedTuple):
    """A route's template: what stands at which level, and what each other one names."""

    route: Route
    texts: tuple[tuple[int, str], ...]
    names: tuple[tuple[int, str], ...]


def _shapes() -> dict[tuple[int, str], list[_Shape]]:
    """Those of so many levels that begin with a text; with none, "", where the first names."""
    found: dict[tuple[int, str], list[_Shape]] = {}
    for route in ROUTES:
        levels = [*enumerate(route.template.split("/"))]
        texts = tuple((at, level) for at, level in levels if not level.startswith("{"))
        names = tuple((at, level[1:-1]) for at, level in levels if level.startswith("{"))
        begin = texts[0][1] if texts[0][0] == 0 else ""
        found.setdefault((len(levels), begin), []).append(_Shape(route, texts, names))
    return found


_SHAPES = _shapes()


@lru_cache(maxsize=16_384)
def _route(topic: str) -> tuple[Route, Mapping[str, str]]:
    if not topic.startswith(PREFIX):
        raise Unreadable("topic is not ours")
    parts = topic[len(PREFIX) :].split("/")
    for begin in (parts[0], ""):
        for shape in _SHAPES.get((len(parts), begin), ()):
            levels = _match(shape, parts)
            if levels is not None:
                return shape.route, levels
    raise Unreadable("topic is not in the contract")


def _match(shape: _Shape, parts: list[str]) -> dict[str, str] | None:
    for at, text in shape.texts:
        if parts[at] != text:
            return None
    levels = {}
    for at, name in shape.names:
        part = parts[at]
        if part not in _NAMES[name] if name in _NAMES else not is_id(part):
            return None
        levels[name] = part
    if "service" in levels and "host" in levels:
        levels["service"] = f"{levels['service']}/{levels.pop('host')}"
    return levels
