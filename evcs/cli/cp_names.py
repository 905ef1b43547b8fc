"""CPs by the names that are typed: an id, a range, a glob."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import click

from evcs.cli import names
from evcs.cli.common import CommandContext
from evcs.core.errors import BadValue, NotFound
from evcs.core.ids import expand

#: Commands that take CPs by their location.
BY_LOCATION = frozenset({"list", "stop", "resume"})


def select(
    ctx: CommandContext, patterns: tuple[str, ...], everyone: bool, location: str | None = None
) -> list[str]:
    """The names of `chosen`."""
    return [cp["id"] for cp in chosen(ctx, patterns, everyone, location)]


def chosen(
    ctx: CommandContext, patterns: tuple[str, ...], everyone: bool, location: str | None = None
) -> list[dict[str, Any]]:
    """Existing CPs by name, of those at a location; or all. Raises BadValue, NotFound."""
    if everyone and (patterns or location is not None):
        raise BadValue("--all and others at once", "give one of the two")
    if not (everyone or patterns or location is not None):
        raise BadValue("no CP named", "name some, or say --all")
    named = set(pick(ctx, patterns)) if patterns else None
    found = [
        cp for cp in ctx.registry.cps()
        if (named is None or cp["id"] in named) and is_at(cp, location or "")
    ]  # fmt: skip
    if not found and not everyone:
        raise NotFound(f"no CP at {location}", "see: evcs-cp list")
    return found


def is_at(cp: Mapping[str, Any], location: str) -> bool:
    """Whether a CP's location has this in it, whatever the case."""
    return location.casefold() in cp["location"].casefold()


def pick(ctx: CommandContext, patterns: Iterable[str]) -> list[str]:
    """Existing CPs by id, range or glob (CP-{001..005}, CP-*). Raises NotFound."""
    cps = ctx.registry.cps()
    known = [cp["id"] for cp in cps]
    found: dict[str, None] = {}
    missing = []
    for pattern in patterns:
        for name in expand(pattern):
            hits = [cp for cp in known if cp == name or fnmatchcase(cp, name)]
            if not hits:
                missing.append(name)
            found.update(dict.fromkeys(hits))
    if missing:
        error = names.no_cps(missing, known)
        there = sum(is_at(cp, missing[0]) for cp in cps)
        if there and missing[0]:
            error.hint = f"that is a location, of {there} CPs: {_by_location(missing[0])}"
        raise error
    return list(found)


def _by_location(text: str) -> str:
    """The command that runs, of CPs at a location; where it takes none, the one that lists them."""
    name = click.get_current_context().info_name
    verb = name if name in BY_LOCATION else "list"
    return f"evcs-cp {verb} --location {shlex.quote(text)}"
