"""From a division to what is told: lower first, and raise only what is free for certain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from evcs.core.circuits import take
from evcs.core.load_management import Asker, Site

#: What is told again for: W, and a share of what was told.
WORTH_TELLING_W, WORTH_TELLING = 100, 0.02


class ToldLimit(NamedTuple):
    """What an asker was told, None before that, and the most that it may take now; W."""

    told_w: int | None
    most_w: int


def grants(
    site: Site, rooms: Mapping[str, int], askers: Iterable[Asker], limits: Mapping[str, int],
    held: Mapping[str, ToldLimit], may_raise: bool = True,
) -> dict[str, int]:  # fmt: skip
    """Limits to be told now: CP -> W, of those that are to have others than they were told.

    What is to be lowered is lowered; a raise is at most what is free beside all that may flow.
    """
    free, found, rising = dict(rooms), dict[str, int](), list[Asker]()
    take(free, ((site.path(one.circuit), held[one.cp].most_w) for one in askers))
    for one in askers:
        told_w, most_w = held[one.cp]
        if told_w is None:
            found[one.cp] = told_w = _least_or_none(one, min(limits[one.cp], most_w))
        less = told_w - limits[one.cp]
        if less > 0:
            short = any(free[name] < 0 for name in site.path(one.circuit))
            if short or not limits[one.cp] or less >= _worth_telling(told_w):
                found[one.cp] = limits[one.cp]
        elif less and may_raise:
            rising.append(one)
    for one in sorted(rising, key=lambda one: (one.since, one.cp)):
        told_w, most_w = held[one.cp]
        told_w, path = told_w or 0, site.path(one.circuit)
        room = min((free[name] for name in path), default=limits[one.cp])
        limit = _least_or_none(one, min(limits[one.cp], most_w + max(room, 0)))
        if limit - told_w >= (_worth_telling(told_w) if limit < limits[one.cp] else 1):
            found[one.cp] = limit
            take(free, [(path, max(limit - most_w, 0))])
    return found


class Fallback(NamedTuple):
    """A CP's: what it is to be, what it may be told now, and the most that it may have now; W."""

    cp: str
    circuit: str
    wanted_w: int
    granted_w: int
    most_w: int


def fallback_grants(
    site: Site, rooms: Mapping[str, int], members: Sequence[Fallback]
) -> dict[str, int]:  # fmt: skip
    """Fallbacks that may rise now: CP -> W. One that is another's counts until he has a lower one.

    `rooms`: beside all other loads, since fallbacks are to be within circuits when nobody measures.
    """
    free, found = dict(rooms), dict[str, int]()
    take(free, ((site.path(one.circuit), one.most_w) for one in members))
    for one in sorted(members):
        path, more = site.path(one.circuit), max(one.wanted_w - one.most_w, 0)
        if one.wanted_w > one.granted_w and all(free[name] >= more for name in path):
            found[one.cp] = one.wanted_w
            take(free, [(path, more)])
    return found


def _least_or_none(one: Asker, limit_w: int) -> int:
    return limit_w if limit_w >= one.minimum_w else 0


def _worth_telling(told_w: int) -> int:
    """A change of so many W."""
    return max(WORTH_TELLING_W, int(told_w * WORTH_TELLING))
