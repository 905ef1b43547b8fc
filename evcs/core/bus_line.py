"""A message on the bus as one line for people: who speaks, of what, and what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.topics import PREFIX, sender

#: Told each time, changed or not: without them the rest says little.
ALWAYS = ("event", "verb")


class Line(NamedTuple):
    """`who` speaks of `what`; `changed` is empty where nothing is new."""

    who: str
    what: str
    changed: str


def speaker(topic: str) -> tuple[str, str]:
    """Who speaks and of what, by a topic: ("CP-001 engine", "meter"), ("central", "CP-001")."""
    who, what = sender(topic)
    if who[0] == "cp" and len(who) > 2:
        return " ".join(who[1:]), " ".join(what)
    if who[0] in ("driver", "meter"):
        return " ".join(who), " ".join(what)
    if len(what) > 1 and what[0] in ("cp", "driver", "station", "circuit"):
        what = what[1:]
    return "/".join(who), " ".join(what)


def concerns(topic: str, payload: Mapping[str, Any] | None, cp: str) -> bool:
    """Whether a message is of this CP: by its topic or what it says."""
    levels = topic.removeprefix(PREFIX).split("/")
    if "cp" in levels[:-1]:
        return levels[levels.index("cp") + 1] == cp
    return payload is not None and payload.get("cp") == cp


def flat(payload: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Keys and values of a payload as text, one level under the other; without its time."""
    found: dict[str, str] = {}
    for key, value in payload.items():
        if isinstance(value, Mapping) and value:
            found.update(flat(value, f"{prefix}{key}."))
        elif prefix or key != "ts":
            found[prefix + key] = value_text(value)
    return found


def value_text(value: Any) -> str:
    """A value, in quotes only where it would not be read as one word."""
    if isinstance(value, str):
        plain = value and value.isprintable() and not set(value) & set(' ="')
        return value if plain else json.dumps(value, ensure_ascii=not value.isprintable())
    return json.dumps(value)


def describe(topic: str, payload: Mapping[str, Any] | None, before: Mapping[str, str]) -> Line:
    """A message after one of the same topic: only what differs. No payload: taken away."""
    who, what = speaker(topic)
    if payload is None:
        return Line(who, what, "taken away")
    now = flat(payload)
    gone = [f"{key}=" for key in before if key not in now and key.split(".")[0] not in now]
    changed = [f"{k}={text}" for k, text in now.items() if before.get(k) != text or k in ALWAYS]
    return Line(who, what, " ".join([*changed, *gone]))
