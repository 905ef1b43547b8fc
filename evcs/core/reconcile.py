"""Desired, actual -> actions: what makes supervisord run exactly the wanted units of a host.

A unit is what supervisord runs as one group: the two processes of a CP.

Everything is planned before anything runs. Nothing is ever removed because it is absent:
only a record that says so (a tombstone, a revocation, another host) takes a CP away.
What no record explains is left alone and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from evcs.core import sections
from evcs.core.messages import DesiredCp
from evcs.core.placement import PROCESS, wanted_here


class Actual(NamedTuple):
    """What is there: section files by group (None: unreadable), groups supervisord holds.

    `changed`: groups that run by an older section than the file's, as supervisord told when
    it last read all files. `busy`: groups that supply now, or have told no end yet; a revoked
    one only while it may still be opening its contactor.
    """

    files: Mapping[str, str | None]
    groups: Set[str]
    changed: Set[str]
    busy: Set[str]


class Plan(NamedTuple):
    """What to do, in this order.

    Groups in `waiting` must finish their supply first.
    """

    write: tuple[str, ...]
    erase: tuple[str, ...]
    stop: tuple[str, ...]
    start: tuple[str, ...]
    waiting: tuple[str, ...]


def units(desired: Mapping[str, DesiredCp], host: str) -> dict[str, str | None]:
    """Group -> its section's text, None where it is to be taken away, of what these CPs need."""
    return {
        cp: sections.render(cp) if wanted_here(one, host) and one.hosting == PROCESS else None
        for cp, one in desired.items()
    }


def plan(wanted: Mapping[str, str | None], actual: Actual) -> Plan:
    """The steps from `actual` to the `wanted` units (see `units`), and for no others."""
    steps = Plan((), (), (), (), ())
    for group, section in sorted(wanted.items()):
        one = _take_away(group, actual) if section is None else _keep(group, section, actual)
        steps = Plan(*(mine + more for mine, more in zip(steps, one, strict=True)))
    return steps


def _keep(group: str, section: str, actual: Actual) -> Plan:
    write = (group,) if actual.files.get(group) != section else ()
    if group not in actual.groups:
        return Plan(write, (), (), (group,), ())
    if group not in actual.changed:
        return Plan(write, (), (), (), ())
    if group in actual.busy:
        return Plan(write, (), (), (), (group,))
    return Plan(write, (), (group,), (group,), ())


def _take_away(group: str, actual: Actual) -> Plan:
    if group in actual.busy and group in actual.groups:
        return Plan((), (), (), (), (group,))
    erase = (group,) if group in actual.files else ()
    stop = (group,) if group in actual.groups else ()
    return Plan((), erase, stop, (), ())


class Stuck(NamedTuple):
    """A process of a wanted CP that supervisord has not started for a while."""

    group: str
    name: str


def stuck(
    processes: Iterable[tuple[str, str, str, float]], wanted: Set[str], longest_pause_s: float
) -> list[Stuck]:
    """Processes (group, name, state, seconds since their last start or end) to be started anew.

    supervisord waits a second longer after each failed start, without end, and leaves alone
    what was stopped by hand; a wanted CP is tried again at least every `longest_pause_s`.
    """
    return [
        Stuck(group, name)
        for group, name, state, idle_s in processes
        if group in wanted
        and state in ("BACKOFF", "STOPPED", "EXITED", "FATAL")
        and idle_s >= longest_pause_s
    ]
