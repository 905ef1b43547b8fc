"""One look at CPs: files, supervisord's groups and pools against what is wanted, and made so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Set
from typing import NamedTuple

from evcs.core import back_ends, placement, reconcile
from evcs.core import pools as p
from evcs.core.back_ends import BackEndOf
from evcs.core.cp_manager_ports import CpStore, Process, ProcessHost, SectionStore
from evcs.core.health import EngineAnswer
from evcs.core.ids import RESERVED
from evcs.core.messages import DesiredCp
from evcs.runtime.crash_points import crash_point
from evcs.services.cp_manager.pools import Pools

MAX_PAUSE_S = 15.0
REVOKED_WITHIN_S = 3.0
#: The files that one call names are read in one turn of supervisord's loop.
ADD_AT_ONCE = 50

_log = logging.getLogger("evcs")


class LookOutcome(NamedTuple):
    """What one look came to: CPs that have to wait, and why those that failed did."""

    waiting: set[str]
    failed: dict[str, str]


class Reconciler:
    """`revoked_for(cp)`: seconds since it was revoked, None where it is not."""

    def __init__(
        self, host: str, supervisord: ProcessHost, files: SectionStore, pools: Pools, cps: CpStore,
        revoked_for: Callable[[str], float | None],
    ) -> None:  # fmt: skip
        self._host, self._supervisord, self._files = host, supervisord, files
        self._pools, self._cps, self._revoked_for = pools, cps, revoked_for
        self._changed: frozenset[str] = frozenset()
        self._reloaded = False
        self._unexplained: frozenset[str] = frozenset()

    def look(self, desired: Mapping[str, DesiredCp], whole: bool) -> LookOutcome:
        """Make these CPs so.

        With the whole fleet, a look at what is nobody's, too. CPs that are to run need no look
        at what runs: taking up a group that is there changes nothing.
        """
        goal = reconcile.wanted(desired, self._host)
        looking = whole or self._changed or not all(goal.values())
        seen = self._supervisord.processes() if looking else []
        groups = frozenset(one.group for one in seen) - RESERVED
        actual = self._actual(desired, goal, groups)
        steps = reconcile.plan(desired, goal, actual)
        if whole:
            self._tell_unexplained(desired, groups - desired.keys())
            self._quarantine_unexpected(steps)
        self._write(steps, actual, desired)
        self._take_down(steps.stop)
        stopped, waiting = set(steps.stop), set(steps.waiting)
        if whole and desired:
            self._reload_once(steps, desired)
        if self._changed:
            steps = reconcile.plan(desired, goal, self._actual(desired, goal, groups - stopped))
            self._take_down(steps.stop)
            stopped.update(steps.stop)
            waiting.update(steps.waiting)
            self._changed -= stopped
        failed = self._start(steps.start)
        if whole:
            self._restart_stalled([one for one in seen if one.group not in stopped], goal)
        waiting |= self._held(desired, waiting)
        return LookOutcome(
            waiting, {cp: failed[unit] for cp, unit in goal.items() if unit in failed}
        )

    def _actual(
        self, desired: Mapping[str, DesiredCp], goal: Mapping[str, str | None],
        groups: frozenset[str],
    ) -> reconcile.Actual:  # fmt: skip
        pools = {unit for unit in (*goal.values(), *groups) if unit and p.is_shared(unit)}
        members = self._pools.members(pools)
        files = self._files.texts({*desired, *members})
        busy = self._busy(desired, goal, members, groups)
        return reconcile.Actual(files, members, groups, self._changed, busy)

    def _busy(
        self, desired: Mapping[str, DesiredCp], goal: Mapping[str, str | None],
        members: Mapping[str, p.Members], groups: frozenset[str],
    ) -> frozenset[str]:  # fmt: skip
        """Those that supply now, by their own word, of those that may have to stop.

        A revoked one can't tell its end to anybody: it has a moment to open its contactor.
        """
        doubtful = {
            *(cp for cp in desired if cp in groups and goal[cp] != cp),
            *(self._changed & {*desired, *members}),
            *(
                pool
                for pool, there in members.items()
                if any(cp in goal and goal[cp] != pool for cp in there)
            ),
        }
        told = {unit: self._pools.engines(unit) for unit in doubtful}
        busy = {
            cp
            for answers in told.values()
            for cp, answer in answers.items()
            if self._is_busy(cp, answer)
        }
        # Another host has nothing of what is kept here: of an Engine that is just being started
        # anew its journal says whether it has to tell an end.
        silent = {
            cp
            for unit, answers in told.items()
            for cp in ({unit, *members.get(unit, {})} & desired.keys()) - answers.keys()
            if desired[cp].host != self._host and self._revoked_for(cp) is None
        }
        return frozenset(busy | (self._cps.unsettled(silent) if silent else set()))

    def _is_busy(self, cp: str, answer: EngineAnswer) -> bool:
        revoked_for_s = self._revoked_for(cp)
        if not answer.session_id or revoked_for_s is None:
            return bool(answer.session_id)
        return answer.supplying and revoked_for_s < REVOKED_WITHIN_S

    def _back_end(self, cp: DesiredCp) -> BackEndOf | None:
        return back_ends.of(cp) if placement.wanted_here(cp, self._host) else None

    def _write(
        self, steps: reconcile.Plan, actual: reconcile.Actual, desired: Mapping[str, DesiredCp]
    ) -> None:
        """All files as they should be. What another place kept of a CP is there before it is."""
        if of := {cp: found for cp in desired if (found := self._back_end(desired[cp]))}:
            self._cps.put_back_ends(of)
        if begins := steps.begins(actual):
            self._cps.carry_over(begins)
            crash_point("manager.carried_over")
        self._pools.write(steps.members)
        for unit in steps.write:
            self._files.write(unit)
            crash_point("manager.section_written")
        for unit in steps.erase:
            self._files.erase(unit)
            crash_point("manager.section_erased")

    def _quarantine_unexpected(self, steps: reconcile.Plan) -> None:
        """What isn't ours must not be in the folder when supervisord reads it."""
        for path in self._files.unexpected():
            if path.stem not in steps.write:
                goal = self._files.quarantine(path)
                _log.error("file=%s is not a section of ours; set aside as %s", path, goal.name)

    def _reload_once(self, steps: reconcile.Plan, desired: Mapping[str, DesiredCp]) -> None:
        """Units that run by another section than their file's: an earlier version wrote those.

        Speaks up about whatever else supervisord finds on reading all files.
        """
        if self._reloaded:
            return
        found = self._supervisord.reload()
        meant = {*steps.start, *steps.erase, *desired}
        for word, names in found._asdict().items():
            odd = sorted(name for name in names - meant if not p.is_shared(name))
            if odd:
                _log.error("supervisord sees %s=%s, which nothing here asked for", word, odd)
        crash_point("manager.reloaded")
        self._changed, self._reloaded = found.changed - RESERVED, True

    def _take_down(self, units: tuple[str, ...]) -> None:
        if not units:
            return
        self._supervisord.stop(units)
        crash_point("manager.group_stopped")
        self._supervisord.remove(units)
        crash_point("manager.group_removed")
        _log.info("units=%s stopped", ",".join(units))

    def _start(self, units: tuple[str, ...]) -> dict[str, str]:
        if not units:
            return {}
        failed: dict[str, str] = {}
        for first in range(0, len(units), ADD_AT_ONCE):
            failed |= self._supervisord.add(units[first : first + ADD_AT_ONCE])
        _log.info("units=%s taken up by supervisord, or there already", ",".join(units))
        crash_point("manager.group_added")
        for unit in units:
            if unit in failed:
                _log.error("unit=%s can't be started: %s", unit, failed[unit])
        return failed

    def _restart_stalled(
        self, processes: Iterable[Process], goal: Mapping[str, str | None]
    ) -> None:
        units = {unit for unit in goal.values() if unit is not None}
        stalled = reconcile.stalled(processes, units, MAX_PAUSE_S)
        if stalled:
            _log.warning("processes=%s don't stay up; tried again", ",".join(stalled))
            self._supervisord.start_anew(stalled)

    def _held(self, desired: Mapping[str, DesiredCp], waiting: set[str]) -> Set[str]:
        """Those that this host is to let go of, and of which something lives all the same."""
        leaving = {
            cp
            for cp, one in desired.items()
            if cp not in waiting and placement.to_release(one, self._host) is not None
        }
        return self._cps.held(leaving)

    def _tell_unexplained(self, desired: Mapping[str, DesiredCp], groups: frozenset[str]) -> None:
        if not desired:
            return
        found = frozenset(group for group in groups if not p.is_shared(group))
        new, self._unexplained = found - self._unexplained, found
        if new:
            _log.warning("groups=%s run, and no record explains them; left alone", sorted(new))
