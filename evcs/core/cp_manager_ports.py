"""What a CP Manager needs beside a bus and a clock: Protocols, and what they give.

As in core.ports: adapters implement these, tests have fakes, errors are those of core.errors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple, Protocol

from evcs.core.back_ends import BackEndOf
from evcs.core.pools import Members


class Process(NamedTuple):
    """One process as its host sees it; `pid` 0 where there is none.

    `started`: seconds of the epoch. `idle_s`: seconds since its last start or end, none before its
    first. `error`: why it could not be started.
    """

    group: str
    name: str
    state: str
    pid: int
    started: int
    idle_s: int
    error: str
    exit_code: int = 0


class LogPage(NamedTuple):
    """Lines of a log, the oldest first. `next`: asks for those before; None: there are none."""

    lines: list[str]
    next: str | None


class Reload(NamedTuple):
    """What a process host found on reading its files: groups new, different, and vanished."""

    added: frozenset[str]
    changed: frozenset[str]
    removed: frozenset[str]


class ProcessHost(Protocol):
    """Runs the CPs' processes, a group a unit (adapters.supervisord).

    Each call raises Unreachable where it isn't there.
    """

    def processes(self) -> list[Process]:
        """All processes of all groups."""

    def reload(self) -> Reload:
        """Have the files read again; acts on nothing."""

    def add(self, units: Sequence[str]) -> Mapping[str, str]:
        """Take up units by their section files and start them; why not, of those that failed."""

    def start(self, groups: Collection[str]) -> None:
        """Start the stopped processes of these groups, without waiting."""

    def start_anew(self, processes: Iterable[str]) -> None:
        """Start processes ("CP-001:engine") now, whatever their host is waiting for."""

    def begin_stop(self, groups: Collection[str]) -> None:
        """Have all processes of these groups end, without waiting; a hung one takes 10 s."""

    def stop(self, groups: Collection[str]) -> None:
        """The same, and wait for their end. Raises TimedOut."""

    def kill(self, process: str) -> None:
        """End a process ("CP-001:engine") at once, as a crash would; none there is well."""

    def remove(self, groups: Iterable[str]) -> None:
        """Forget stopped groups."""


class SectionStore(Protocol):
    """The files by which the process host runs units, one a unit (adapters.section_files).

    May raise OSError.
    """

    def texts(self, units: Iterable[str] | None = None) -> Mapping[str, str | None]:
        """Unit -> text of its file, None where it can't be read; of these, or of all that have one.

        Units without a file are left out.
        """

    def unexpected(self) -> Sequence[Path]:
        """Files that the process host would read and that are not what we would write."""

    def write(self, unit: str) -> None:
        """Put the unit's section in place."""

    def erase(self, unit: str) -> None:
        """Remove the unit's section."""

    def quarantine(self, path: Path) -> Path:
        """Rename a file so that it is not read; its new place."""


class MemberStore(Protocol):
    """Whom each pool hosts, a file a pool (adapters.pool_files). May raise OSError."""

    def members(self) -> Mapping[str, Members | None]:
        """Pool -> its members, None where its file can't be read; of pools that have a file."""

    def write(self, pool: str, members: Members) -> None:
        """Put a pool's file in place."""

    def erase(self, pool: str) -> None:
        """Remove a pool's file."""


class CpStore(Protocol):
    """What CPs have on their host beside a place (adapters.cp_traces). May raise OSError."""

    def held(self, cps: Set[str]) -> Set[str]:
        """Those of which an Engine or a Monitor lives here, in whichever place, hung ones too.

        Who is just about to let go is waited for, some tenths of a second.
        """

    def unsettled(self, cps: Set[str]) -> Set[str]:
        """Those that have a charge in what is kept of them here, of which somebody has to hear."""

    def carry_over(self, places: Mapping[str, str]) -> None:
        """CP -> the unit in which it is to begin: what another place has kept of it goes there."""

    def put_back_ends(self, of: Mapping[str, BackEndOf]) -> None:
        """What the Engines of these CPs have to know of their back ends."""

    def remove(self, cps: Set[str]) -> None:
        """CPs made later under the same ids must not find these ones' journals."""


class CpKeys(Protocol):
    """The secrets of a host's CPs, which the Registry gives them (adapters.cp_keys)."""

    def fetch(self, revisions: Mapping[str, int]) -> None:
        """Have those of these CPs, as of these revisions of theirs.

        Raises EvcsError, OtherFormat of them where the centre is not understood; OSError.
        """

    def forget_revisions(self) -> None:
        """Those that were fetched for say nothing: the Registry may come from a backup."""

    def drop(self, cps: Set[str]) -> None:
        """These CPs are here no more."""
