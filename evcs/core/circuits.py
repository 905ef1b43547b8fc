"""Circuits: which trees of them there may be, and what fits below each.

A circuit of 0 W is off: nothing below it charges. Of any other each CP below can have at least its
minimum, beside all other loads, when no other CP has more. What a CP takes when nobody tells it
more is its fallback: its minimum, or 0 where the fallbacks and other loads below a circuit would be
more than it carries. A real charger's is kept for it also while it stands idle, so those have at
most half of what a circuit carries beside other loads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evcs.core import units
from evcs.core.errors import Conflict, NotFound
from evcs.core.ids import check_id
from evcs.core.limits import minimum_power_w
from evcs.core.messages import Circuit as Circuit
from evcs.core.messages import CircuitState, DesiredCp
from evcs.core.placement import OCPP

LIST = "list them with: evcs circuit list"

Circuits = Mapping[str, Circuit]


def name_or_none(field: str) -> Callable[[object], Any]:
    """The rule of a field that names a circuit, or none."""
    return units.or_none(lambda value: check_id(field, value))


def _power(field: str) -> Callable[[object], int]:
    return lambda value: units.whole(field, value, 0, units.MAX_POWER_W)


#: What may be given of a circuit besides its name, each with its rule.
FIELDS: dict[str, Callable[[object], Any]] = {
    "max_power_w": _power("max_power_w"),
    "parent": name_or_none("parent"),
    "other_load_w": _power("other_load_w"),
}


def path(circuits: Circuits, name: str | None) -> tuple[str, ...]:
    """A circuit and those that feed it, from it to the root; () of one that is not there."""
    found: list[str] = []
    while name is not None and name in circuits and name not in found:
        found.append(name)
        name = circuits[name].parent
    return tuple(found)


def take(rooms: dict[str, int], loads: Iterable[tuple[Sequence[str], int]]) -> None:
    """Take loads (path, W) out of rooms."""
    for above, power_w in loads:
        for name in above:
            rooms[name] -= power_w


def rooms(circuits: Circuits) -> dict[str, int]:
    """What each circuit carries beside all other loads below it, in W; may be negative."""
    found = {name: one.max_power_w for name, one in circuits.items()}
    take(found, ((path(circuits, one.name), one.other_load_w) for one in circuits.values()))
    return found


def check(circuits: Circuits, cps: Iterable[DesiredCp]) -> None:
    """Whether that is a forest, and each CP fits into its circuits. Raises NotFound, Conflict."""
    for one in circuits.values():
        _check_parents(circuits, one)
    room = rooms(circuits)
    for cp in cps:
        check_cp(circuits, room, cp)


def _check_parents(circuits: Circuits, circuit: Circuit) -> None:
    above = circuits[path(circuits, circuit.name)[-1]].parent
    if above is None:
        return
    if above not in circuits:
        raise NotFound(f"circuit {circuit.name}: there is no circuit {above}", LIST)
    raise Conflict(f"circuit {circuit.name} would feed itself", LIST)


def check_cp(circuits: Circuits, room: Mapping[str, int], cp: DesiredCp) -> None:
    """Whether each of its circuits carries the CP at its minimum. Raises NotFound, Conflict."""
    if cp.circuit is not None and cp.circuit not in circuits:
        raise NotFound(f"CP {cp.id}: there is no circuit {cp.circuit}", LIST)
    least = minimum_power_w(cp.max_power_w)
    for name in path(circuits, cp.circuit):
        one = circuits[name]
        if one.max_power_w and room[name] < least:
            other = one.max_power_w - room[name]
            beside = f" less {other} W of other loads" if other else ""
            raise Conflict(
                f"circuit {name} is too small: {one.max_power_w} W{beside} does not carry "
                f"CP {cp.id} at its minimum of {least} W",
                "give the circuit more, or the CP another one",
            )


def fallbacks(circuits: Circuits, cps: Iterable[DesiredCp]) -> dict[str, int]:
    """The fallback of each CP in a circuit, in W: first of those that have one, then by id.

    So who comes takes none away; it is always the same of the same records.
    """
    room = rooms(circuits)
    idle = {name: power_w // 2 for name, power_w in room.items()}
    paths = {name: path(circuits, name) for name in circuits}
    found: dict[str, int] = {}
    members = [cp for cp in cps if cp.circuit is not None]
    for cp in sorted(members, key=lambda cp: (not cp.fallback_w, cp.id)):
        least = minimum_power_w(cp.max_power_w)
        assert cp.circuit is not None
        above, limits = paths[cp.circuit], (room, idle) if cp.hosting == OCPP else (room,)
        fits = all(limit[name] >= least for limit in limits for name in above)
        for limit in limits if fits else ():
            take(limit, [(above, least)])
        found[cp.id] = least if fits else 0
    return found


def row(wanted: Mapping[str, Any], state: CircuitState | None) -> dict[str, Any]:
    """A circuit as it is shown: as it is wanted, and its `state`, null where none is known."""
    told = None
    if state is not None:
        told = {name: value for name, value in state._asdict().items() if name != "name"}
    return {**wanted, "state": told}
