"""The division of a site's power: circuits and who asks, to a limit each. Pure, no clock.

Whom there is power for at all is decided in turn: who is in his turn stays, then come those that
wait, the longest first, then those whose turn is over. Each needs the least that its CP can give.
Where the first that waits needs more than is left, others that need less may take that meanwhile,
as guests, without a turn of their own: so nothing lies idle and nobody starves. What is left above
the least is shared out by water-filling (max-min fairness: D. Bertsekas and R. Gallager, Data
Networks, 2nd edition, section 6.5.2): equal shares, and who takes less than his share leaves the
rest. The result does not depend on the order in which the askers are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple

from evcs.core.circuits import Circuit, path, take
from evcs.core.units import written

#: So long is a turn at least, in seconds.
TURN_S = 600


class Asker(NamedTuple):
    """A session that takes power of a circuit, or waits for it; powers in W.

    `wants_w`: what it can take, at least `minimum_w`. `turn`: whether its turn goes on, be it that
    there is no power for it just now. `since`: RFC 3339, since when it has its turn, or else waits.
    `kept`: its minimum is kept for it, be it in a session or not.
    """

    cp: str
    circuit: str
    minimum_w: int
    wants_w: int
    served: bool
    since: str
    turn: bool = False
    kept: bool = False


class Division(NamedTuple):
    """`limits`: CP -> W, 0 who waits. `guests`: those that are served without a turn."""

    limits: dict[str, int]
    guests: frozenset[str]


class Site:
    """Circuits as a forest; who names one that is not there is in none."""

    def __init__(self, circuits: Iterable[Circuit] = ()) -> None:
        self.circuits = {one.name: one for one in circuits}
        self._paths = {name: path(self.circuits, name) for name in self.circuits}

    def path(self, circuit: str) -> Sequence[str]:
        """The circuit and those above it, up to the root; () for one that is not there."""
        return self._paths.get(circuit, ())

    def rooms(self, loads: Iterable[tuple[str, int]]) -> dict[str, int]:
        """What each circuit has left for askers, in W, once `loads` (circuit, W) are carried.

        Less than 0 where it has not enough for them.
        """
        rooms = {name: one.max_power_w for name, one in self.circuits.items()}
        take(rooms, ((self.path(circuit), power_w) for circuit, power_w in loads))
        return rooms

    def houses(self, loads: Mapping[str, int]) -> dict[str, int]:
        """What each circuit's own house adds to it and those above, of what is said that it takes.

        All houses behind a cable take no more than it carries, or than was declared of its own:
        whoever meters one speaks of nothing above it.
        """
        below = dict.fromkeys(self.circuits, 0)
        found = {}
        for name in sorted(self.circuits, key=lambda name: -len(self._paths[name])):
            one = self.circuits[name]
            most_w = max(one.max_power_w, one.other_load_w)
            carried = min(loads.get(name, 0) + below[name], most_w)
            found[name] = carried - below[name]
            if one.parent in below:
                below[one.parent] += carried
        return found


def divide(site: Site, rooms: Mapping[str, int], askers: Sequence[Asker]) -> Division:
    """A limit for each asker, within every room that is on its path."""
    served, guests = _admit(site, rooms, askers)
    limits = {one.cp: 0 for one in askers}
    limits.update(_fill(site, rooms, served))
    return Division(limits, guests)


def _rank(asker: Asker) -> tuple[int, str, str]:
    place = 0 if asker.kept else 1 if asker.turn else 3 if asker.served else 2
    return place, asker.since, asker.cp


def _in_order(askers: Iterable[Asker]) -> list[Asker]:
    """By whom there is power for first; of those whose turn is over, the latest."""
    ranked = sorted(askers, key=_rank)
    over = [one for one in ranked if one.served and not one.turn and not one.kept]
    return ranked[: len(ranked) - len(over)] + over[::-1]


def _admit(
    site: Site, rooms: Mapping[str, int], askers: Iterable[Asker]
) -> tuple[list[Asker], frozenset[str]]:
    """Whom there is power for, and who of them has no turn."""
    left, blocked = dict(rooms), set[str]()
    served, guests = list[Asker](), set[str]()
    for one in _in_order(askers):
        above = site.path(one.circuit)
        full = [name for name in above if left[name] < one.minimum_w]
        if full:
            blocked.update(full)
            continue
        take(left, [(above, one.minimum_w)])
        served.append(one)
        if not one.turn and not blocked.isdisjoint(above):
            guests.add(one.cp)
    return served, frozenset(guests)


def _fill(site: Site, rooms: Mapping[str, int], askers: Iterable[Asker]) -> dict[str, int]:
    """Raise all shares alike; the circuit that is full first fixes those below it; and again.

    What others fix leaves a circuit more for the rest, so its level never falls: one that was found
    earlier is a bound, and is found anew only where it comes first.
    """
    limits, below = dict[str, int](), dict[str, list[Asker]]()
    for one in askers:
        for name in site.path(one.circuit):
            below.setdefault(name, []).append(one)
    edges = {name: _edges(found) for name, found in below.items()}
    heap = [(0.0, name) for name in below]
    while heap:
        bound, name = heappop(heap)
        level = _level(rooms[name], below[name], edges[name], limits)
        if heap and level > heap[0][0] and level > bound:
            heappush(heap, (level, name))
            continue
        for one in below[name]:
            if one.cp not in limits:
                share = one.wants_w if level >= one.wants_w else int(level)
                limits[one.cp] = max(one.minimum_w, share)
    return limits


class _Edge(NamedTuple):
    """At that level an asker's share begins to grow (1) or stops (-1)."""

    level: int
    step: int
    cp: str


def _edges(askers: Iterable[Asker]) -> list[_Edge]:
    found = [_Edge(one.minimum_w, 1, one.cp) for one in askers if one.minimum_w < one.wants_w]
    found += [_Edge(one.wants_w, -1, one.cp) for one in askers if one.minimum_w < one.wants_w]
    return sorted(found)


def _level(
    room: int, askers: Iterable[Asker], edges: Iterable[_Edge], limits: Mapping[str, int]
) -> float:
    """The equal share at which a circuit is full; infinite where all have what they want.

    A share is never below an asker's least nor above what it wants, so what is given grows with the
    level in straight pieces, between those bounds.
    """
    given, most = 0, 0
    for one in askers:
        fixed = limits.get(one.cp)
        given += one.minimum_w if fixed is None else fixed
        most += one.wants_w if fixed is None else fixed
    if most <= room:
        return inf
    level, growing = 0, 0
    for edge in edges:
        if edge.cp in limits:
            continue
        more = growing * (edge.level - level)
        if given + more > room:
            return level + (room - given) / growing
        given, level, growing = given + more, edge.level, growing + edge.step
    return level


def waits_s(
    site: Site, askers: Sequence[Asker], limits: Mapping[str, int], now: str
) -> dict[str, int]:
    """About how many seconds each will wait: until the turns of those before it are over."""
    ends, waiting = dict[str, list[int]](), dict[str, list[Asker]]()
    for one in sorted(askers, key=lambda one: (one.since, one.cp)):
        for root in site.path(one.circuit)[-1:]:
            if limits[one.cp]:
                ends.setdefault(root, []).append(_left_s(one, now))
            else:
                waiting.setdefault(root, []).append(one)
    found = {}
    for root, those in waiting.items():
        free = sorted(ends.get(root, ())) or [TURN_S]
        for place, one in enumerate(those):
            rounds, turn = divmod(place, len(free))
            found[one.cp] = free[turn] + rounds * TURN_S
    return found


def turns_from(now: str) -> str:
    """RFC 3339: a turn that began before is over."""
    return written(datetime.fromisoformat(now) - timedelta(seconds=TURN_S))


def _left_s(one: Asker, now: str) -> int:
    """For how long one that is served has its turn for itself."""
    if not one.turn:
        return 0 if one.served else TURN_S
    return TURN_S - int(
        (datetime.fromisoformat(now) - datetime.fromisoformat(one.since)).total_seconds()
    )
