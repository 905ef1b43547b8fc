"""Stand-ins for what services have of their host; they pass the real parts' contracts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import Path

from evcs.core import sections
from evcs.core.back_ends import BackEndOf
from evcs.core.cp_manager_ports import LogPage, Process, Reload
from evcs.core.pools import Members


class FakeSections:
    """Section files in memory, name -> text."""

    def __init__(self) -> None:
        self.files: dict[str, str | None] = {}

    def texts(self, units: Iterable[str] | None = None) -> Mapping[str, str | None]:
        """Of those that have one."""
        wanted = self.files if units is None else units
        return {unit: self.files[unit] for unit in wanted if unit in self.files}

    def unexpected(self) -> Sequence[Path]:
        """Those that we would not write so."""
        return [Path(f"{cp}.conf") for cp in self.files if self.files[cp] != sections.render(cp)]

    def write(self, unit: str) -> None:
        """As it should be."""
        self.files[unit] = sections.render(unit)

    def erase(self, unit: str) -> None:
        """Whether it is there or not."""
        self.files.pop(unit, None)

    def quarantine(self, path: Path) -> Path:
        """It is no longer among them."""
        del self.files[path.stem]
        return path.with_name(f"{path.name}.broken")


class FakeMembers:
    """Member files in memory; None: one that can't be read."""

    def __init__(self) -> None:
        self.files: dict[str, Members | None] = {}

    def members(self) -> Mapping[str, Members | None]:
        """All."""
        return dict(self.files)

    def write(self, pool: str, members: Members) -> None:
        """As it should be."""
        self.files[pool] = dict(members)

    def erase(self, pool: str) -> None:
        """Whether it is there or not."""
        self.files.pop(pool, None)


class FakeCps:
    """CPs that leave nothing behind but what a test says."""

    def __init__(self) -> None:
        self.living: set[str] = set()
        self.begun: list[Mapping[str, str]] = []
        self.back_ends: dict[str, BackEndOf] = {}
        self.removed: list[str] = []

    def held(self, cps: Set[str]) -> Set[str]:
        """Those that live."""
        return self.living & cps

    def unsettled(self, cps: Set[str]) -> Set[str]:
        """None."""
        return set()

    def put_back_ends(self, of: Mapping[str, BackEndOf]) -> None:
        """Note them."""
        self.back_ends.update(of)

    def carry_over(self, places: Mapping[str, str]) -> None:
        """Note it."""
        self.begun.append(places)

    def remove(self, cps: Set[str]) -> None:
        """Note it."""
        self.removed.extend(sorted(cps))


class FakeProcessHost:
    """Runs nothing, but says so: group -> the text by which it was taken up."""

    def __init__(self, files: FakeSections) -> None:
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.hanging: set[str] = set()
        self._files = files
        self._groups: dict[str, str | None] = {}
        self._pids: dict[tuple[str, str], int] = {}
        self._last = 0

    def processes(self) -> list[Process]:
        """Two a group."""
        return [
            Process(group, role, "RUNNING" if pid else "STOPPED", pid, 0, 0, "")
            for group in self._groups
            for role in sections.roles(group)
            for pid in [self._pids.get((group, role), 0)]
        ]

    def reload(self) -> Reload:
        """Files against groups."""
        files, groups = self._files.files, self._groups
        changed = {cp for cp in files.keys() & groups.keys() if files[cp] != groups[cp]}
        added, removed = files.keys() - groups.keys(), groups.keys() - files.keys()
        return Reload(frozenset(added), frozenset(changed), frozenset(removed))

    def add(self, units: Sequence[str]) -> Mapping[str, str]:
        """Those whose section is there."""
        self.calls.append(("add", tuple(units)))
        for unit in units:
            if unit in self._files.files and unit not in self._groups:
                self._groups[unit] = self._files.files[unit]
                self.start([unit])
        return {unit: "no section file" for unit in units if unit not in self._groups}

    def start(self, groups: Collection[str]) -> None:
        """What doesn't run."""
        self.start_anew(f"{p.group}:{p.name}" for p in self._of(groups) if not p.pid)

    def start_anew(self, processes: Iterable[str]) -> None:
        """With new pids."""
        for one in processes:
            group, _, name = one.partition(":")
            self._last += 1
            self._pids[group, name] = self._last

    def begin_stop(self, groups: Collection[str]) -> None:
        """At once, but for those that hang."""
        self.calls.append(("begin_stop", tuple(groups)))
        for one in self._of(groups):
            if one.group not in self.hanging:
                self._pids.pop((one.group, one.name), None)

    def kill(self, process: str) -> None:
        """It is started anew, as supervisord does."""
        group, _, name = process.partition(":")
        if (group, name) in self._pids:
            self.start_anew([process])

    def stop(self, groups: Collection[str]) -> None:
        """At once."""
        self.calls.append(("stop", tuple(groups)))
        for one in self._of(groups):
            self._pids.pop((one.group, one.name), None)

    def remove(self, groups: Iterable[str]) -> None:
        """Those that don't run."""
        running = {one.group for one in self.processes() if one.pid}
        for group in groups:
            if group not in running:
                self._groups.pop(group, None)

    def _of(self, groups: Collection[str]) -> list[Process]:
        return [one for one in self.processes() if one.group in groups]


def no_log(cp: str, role: str, after: str | None) -> LogPage:
    """A host whose CPs log nothing."""
    return LogPage([], None)
