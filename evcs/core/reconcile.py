"""Desired, actual -> actions: what makes supervisord run exactly the wanted units of a host.

A unit is what supervisord runs as one group: the two processes of a CP, or those of a pool or the
gateway, which has a member file beside its section.

Everything is planned before anything runs. Nothing is ever removed because it is absent:
only a record that says so (a tombstone, a revocation, another place) takes a CP away.
What no record explains is left alone and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from evcs.core import placement, pools, sections
from evcs.core.cp_manager_ports import Process
from evcs.core.messages import DesiredCp
from evcs.core.pools import Members


class Actual(NamedTuple):
    """What is there: section files by group (None: unreadable), groups supervisord holds.

    `members`: of each pool that has a member file. `changed`: groups that run by an older section
    than the file's, as supervisord told when it last read all files. `busy`: CPs that supply now,
    or have told no end yet; a revoked one only while it may still be opening its contactor.
    """

    files: Mapping[str, str | None]
    members: Mapping[str, Members]
    groups: Set[str]
    changed: Set[str]
    busy: Set[str]


class Plan(NamedTuple):
    """What to do, in this order; all but `waiting`, which are CPs, are units.

    `members`: pools' member files, without members where the file is to go. CPs in `waiting` must
    finish their supply first.
    """

    members: Mapping[str, Members]
    write: tuple[str, ...]
    erase: tuple[str, ...]
    stop: tuple[str, ...]
    start: tuple[str, ...]
    waiting: tuple[str, ...]

    def begins(self, actual: Actual) -> dict[str, str]:
        """CP -> the unit in which it is to begin, of those that are new there."""
        own = {unit: unit for unit in self.write if not pools.is_shared(unit)}
        return own | {
            cp: unit
            for unit, members in self.members.items()
            for cp in members.keys() - actual.members.get(unit, {}).keys()
        }


class _Steps(NamedTuple):
    """What to do with one unit. `waits`: it supplies, and must not be stopped now."""

    write: bool = False
    erase: bool = False
    stop: bool = False
    start: bool = False
    waits: bool = False


def wanted(desired: Mapping[str, DesiredCp], host: str) -> dict[str, str | None]:
    """CP -> the unit in which it is to run on this host now, None where it is not to."""
    return {
        cp: placement.unit(one) if placement.wanted_here(one, host) else None
        for cp, one in desired.items()
    }


def plan(desired: Mapping[str, DesiredCp], goal: Mapping[str, str | None], actual: Actual) -> Plan:
    """The steps from `actual` to what these CPs are to be (see `wanted`), and for no others."""
    steps, waiting = {}, set()
    for cp, unit in goal.items():
        busy = cp in actual.busy
        steps[cp] = _keep(cp, actual, busy) if unit == cp else _take_away(cp, actual, busy)
        if steps[cp].waits:
            waiting.add(cp)
    members = {}
    for pool in _pools(goal, actual):
        before = actual.members.get(pool, {})
        gone = {cp for cp in before if cp in goal and goal[cp] != pool}
        waiting |= gone & actual.busy
        members[pool] = after = {
            **{cp: token for cp, token in before.items() if cp not in gone - actual.busy},
            **{cp: desired[cp].placement for cp, unit in goal.items() if unit == pool},
        }
        busy = not actual.busy.isdisjoint(after)
        steps[pool] = _keep(pool, actual, busy) if after else _take_away(pool, actual, busy)
    return _plan(steps, members, waiting, actual)


def _pools(goal: Mapping[str, str | None], actual: Actual) -> set[str]:
    """The pools in which one of these CPs is or is to be, and those without any."""
    found = {pool for pool, there in actual.members.items() if not goal.keys().isdisjoint(there)}
    found |= {unit for cp, unit in goal.items() if unit not in (cp, None)}
    return found | {
        unit
        for unit in (*actual.files, *actual.groups)
        if pools.is_shared(unit) and not actual.members.get(unit)
    }


def _plan(
    steps: Mapping[str, _Steps], members: Mapping[str, Members], waiting: Set[str], actual: Actual
) -> Plan:
    def units(field: str) -> tuple[str, ...]:
        return tuple(sorted(unit for unit, one in steps.items() if getattr(one, field)))

    changed = {
        pool: after for pool, after in members.items() if actual.members.get(pool, {}) != after
    }
    return Plan(
        changed, units("write"), units("erase"), units("stop"), units("start"),
        tuple(sorted(waiting)),
    )  # fmt: skip


def _keep(unit: str, actual: Actual, busy: bool) -> _Steps:
    write = actual.files.get(unit) != sections.render(unit)
    if unit not in actual.groups:
        return _Steps(write, start=True)
    if unit not in actual.changed:
        return _Steps(write)
    return _Steps(write, waits=True) if busy else _Steps(write, stop=True, start=True)


def _take_away(unit: str, actual: Actual, busy: bool) -> _Steps:
    if busy and unit in actual.groups:
        return _Steps(waits=True)
    return _Steps(erase=unit in actual.files, stop=unit in actual.groups)


def stalled(processes: Iterable[Process], wanted: Set[str], longest_pause_s: float) -> list[str]:
    """Processes ("CP-001:engine") of wanted units that are to be started anew.

    supervisord waits a second longer after each failed start, without end, and leaves alone
    what was stopped by hand; a wanted unit is tried again at least every `longest_pause_s`.
    """
    return [
        f"{one.group}:{one.name}"
        for one in processes
        if one.group in wanted
        and one.state in ("BACKOFF", "STOPPED", "EXITED", "FATAL")
        and one.idle_s >= longest_pause_s
    ]
