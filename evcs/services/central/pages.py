"""Answers that grow with the fleet or with time: a page of them, and where the next begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evcs.core import topics

#: A driver's verbs that are answered so.
PAGED = frozenset({"list", "history"})
MAX_ROWS = 500
#: Of a page's rows; the rest of a payload is for what stands around them.
MAX_BYTES = topics.MAX_PACKET * 3 // 4


def page(
    name: str, key: str, rows: Iterable[dict[str, Any]], limit: int
) -> dict[str, Any]:  # fmt: skip
    """The first of `rows`, as `name`: at most `limit`, and what fits into one payload.

    `more`: whether there are others; they are asked for with `after`, which is `next`: the last
    row's `key`. At least one row is taken, so that nobody asks for the same page for ever.
    """
    taken: list[dict[str, Any]] = []
    room = MAX_BYTES
    more = False
    for row in rows:
        room -= topics.size(row) + 1
        if len(taken) == limit or (room < 0 and taken):
            more = True
            break
        taken.append(row)
    return {name: taken, "more": more, "next": taken[-1][key] if more else None}
