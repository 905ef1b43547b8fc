"""CPs by the names that are typed: an id, a range, a glob."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from evcs.cli import names
from evcs.cli.common import CommandContext
from evcs.core.ids import expand


def pick(ctx: CommandContext, patterns: Iterable[str]) -> list[str]:
    """Existing CPs by id, range or glob (CP-{001..005}, CP-*). Raises NotFound."""
    known = [cp["id"] for cp in ctx.registry.cps()]
    found: dict[str, None] = {}
    missing = []
    for pattern in patterns:
        for name in expand(pattern):
            hits = [cp for cp in known if cp == name or fnmatchcase(cp, name)]
            if not hits:
                missing.append(name)
            found.update(dict.fromkeys(hits))
    if missing:
        raise names.no_cps(missing, known)
    return list(found)
