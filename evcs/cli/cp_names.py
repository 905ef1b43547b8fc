"""CPs by the names that are typed: an id, a range, a glob."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from evcs.cli.common import CommandContext
from evcs.core.errors import NotFound
from evcs.core.ids import expand, is_id


def pick(ctx: CommandContext, patterns: Iterable[str]) -> list[str]:
    """Existing CPs by id, range or glob (CP-{001..005}, CP-*). Raises NotFound."""
    known = [cp["id"] for cp in ctx.registry.cps()]
    found: dict[str, None] = {}
    for pattern in patterns:
        for name in expand(pattern):
            hits = [cp for cp in known if cp == name or fnmatchcase(cp, name)]
            if not hits:
                raise unknown(name, known)
            found.update(dict.fromkeys(hits))
    return list(found)


def unknown(name: str, known: list[str]) -> NotFound:
    """No such CP, with the nearest names."""
    # Another number is another CP, not a slip of the finger.
    shape = re.sub("[0-9]", "0", name)
    others = [cp for cp in known if re.sub("[0-9]", "0", cp) != shape]
    near = difflib.get_close_matches(name, others, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else "list them with: evcs-cp list"
    return NotFound(f"no CP {ascii(name[:60]) if not is_id(name) else name}", hint)
