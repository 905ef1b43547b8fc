"""Desired, actual -> actions: what makes supervisord run exactly the wanted CPs of a host.

Everything is planned before anything runs. Nothing is ever removed because it is absent:
only a record that says so (a tombstone, a revocation, another host) takes a CP away.
What no record explains is left alone and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from evcs.core.messages import DesiredCp


class Actual(NamedTuple):
    """What is there: section files by CP (None: unreadable), groups supervisord holds.

    `changed`: groups that run by an older section than the file's, as supervisord told when
    it last read all files. `busy`: CPs that are supplying now, or have told no end yet; a revoked
    one only while it may still be opening its contactor.
    """

    files: Mapping[str, str | None]
    groups: Set[str]
    changed: Set[str]
    busy: Set[str]


class Plan(NamedTuple):
    """What to do, in this order.

    CPs in `waiting` must finish their supply first.
    """

    write: tuple[str, ...]
    erase: tuple[str, ...]
    stop: tuple[str, ...]
    start: tuple[str, ...]
    waiting: tuple[str, ...]


def wanted_here(desired: DesiredCp, host: str) -> bool:
    """Whether a CP is to run on this host."""
    return not desired.deleted and not desired.revoked and desired.host == host


def plan(
    desired: Mapping[str, DesiredCp], sections: Mapping[str, str], actual: Actual, host: str
) -> Plan:
    """The steps from `actual` to `desired`, for the CPs in `desired` and no others.

    `sections` holds the section text of each wanted CP.
    """
    steps = Plan((), (), (), (), ())
    for cp in sorted(desired):
        if wanted_here(desired[cp], host):
            one = _keep(cp, sections[cp], actual)
        else:
            one = _take_away(cp, actual)
        steps = Plan(*(mine + more for mine, more in zip(steps, one, strict=True)))
    return steps


def _keep(cp: str, section: str, actual: Actual) -> Plan:
    write = (cp,) if actual.files.get(cp) != section else ()
    if cp not in actual.groups:
        return Plan(write, (), (), (cp,), ())
    if cp not in actual.changed:
        return Plan(write, (), (), (), ())
    if cp in actual.busy:
        return Plan(write, (), (), (), (cp,))
    return Plan(write, (), (cp,), (cp,), ())


def _take_away(cp: str, actual: Actual) -> Plan:
    if cp in actual.busy and cp in actual.groups:
        return Plan((), (), (), (), (cp,))
    erase = (cp,) if cp in actual.files else ()
    stop = (cp,) if cp in actual.groups else ()
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
