"""The CP Manager process: makes supervisord run exactly the CPs that are wanted on this host."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core import placement, reconcile, topics
from evcs.core.errors import EvcsError
from evcs.core.ids import RESERVED
from evcs.core.ports import Bus, Connected, Disconnected, HealthProbe, Received
from evcs.core.service_ports import LogPage, Process, ProcessHost, SectionStore
from evcs.runtime.crash_points import crash_point
from evcs.services.actuator import Actuator

RESYNC_S = 10.0
WAITING_S = 1.0
BURST_S = 1.0
GATHER_S = 0.25
MAX_PAUSE_S = 15.0
REVOKED_WITHIN_S = 3.0
ANSWER_WITHIN_S = 0.5
#: The files that one call names are read in one turn of supervisord's loop.
ADD_AT_ONCE = 50

_log = logging.getLogger("evcs")


def subscriptions(host: str) -> list[topics.Subscription]:
    """What a CP Manager listens to."""
    return [topics.filter_for(m.DesiredCp), topics.filter_for(m.ManagerCommand, host=host)]


class ManagerPorts(NamedTuple):
    """What the CP Manager works on. `probe` gives that of a CP's Engine.

    `remove_traces`: a CP made later under the same id must not find this one's journal.
    `log_page`: see Actuator.
    """

    bus: Bus
    supervisord: ProcessHost
    sections: SectionStore
    probe: Callable[[str], HealthProbe]
    remove_traces: Callable[[str], object]
    log_page: Callable[[str, str, int | None], LogPage]
    monotonic: Callable[[], float]


class CpManager:
    """Desired state in memory, files and processes outside, `reconcile.plan` between them."""

    def __init__(self, outside: ManagerPorts, host: str, birth: m.ServiceStatus) -> None:
        self._host, self._birth = host, birth
        self._bus, self._clock = outside.bus, outside.monotonic
        self._supervisord, self._files = outside.supervisord, outside.sections
        self._probe, self._remove_traces = outside.probe, outside.remove_traces
        self._desired: dict[str, m.DesiredCp] = {}
        self._actuator = Actuator(
            host, self._desired, self._supervisord, outside.log_page, outside.monotonic
        )
        self._revoked_at: dict[str, float] = {}
        self._reported: dict[str, m.ReconcileReport] = {}
        self._elsewhere: set[str] = set()
        self._changed: frozenset[str] = frozenset()
        self._reloaded = False
        self._passed_at = self._took_s = 0.0
        self._due_at = self._whole_at = 0.0
        self._touched: set[str] = set()
        self._unexplained: frozenset[str] = frozenset()

    def handle(self, events: list[Any]) -> float:
        """One batch of events; in how many seconds to act on it."""
        commands: list[m.ManagerCommand] = []
        for event in events:
            if isinstance(event, Received) and isinstance(event.message, m.ManagerCommand):
                commands.append(event.message)
            elif isinstance(event, Received):
                self._on_message(event.message)
            elif isinstance(event, Connected):
                for report in self._reported.values():
                    self._bus.publish(report)
                self._bus.publish(self._birth)
                # All that is wanted is being told: a moment later there is a whole to look at.
                self._whole_at = min(self._whole_at, self._clock() + WAITING_S)
                self._due_at = min(self._due_at, self._whole_at)
            elif isinstance(event, Disconnected):
                _log.warning("bus: %s", event.reason)
        for reply in self._actuator.carry_out(commands):
            self._bus.publish(reply)
        return min(self._due_at, self._actuator.due_at) - self._clock()

    def tick(self, now: float) -> float:
        """Make it so, where something changed; now and then of the whole fleet."""
        self._actuator.look(now)
        due_s = self._make_so(now)
        return min(due_s, self._actuator.due_at - now)

    def _make_so(self, now: float) -> float:
        if now < self._due_at:
            return self._due_at - now
        whole = now >= self._whole_at
        cps = self._desired.keys() if whole else self._touched & self._desired.keys()
        try:
            self._touched = self._pass({cp: self._desired[cp] for cp in cps}, whole)
            if whole:
                self._whole_at = now + RESYNC_S
        except EvcsError as error:
            _log.error("%s", error)
            self._again(now, whole)
        except OSError as error:
            _log.error("sections can't be written: %s; make room", error.strerror)
            self._again(now, whole)
        self._passed_at = self._clock()
        self._took_s = self._passed_at - now
        soon = self._passed_at + WAITING_S if self._touched else self._whole_at
        self._due_at = min(soon, self._whole_at)
        return max(self._due_at - self._passed_at, 0.0)

    def _again(self, now: float, whole: bool) -> None:
        """After a failure all is looked at soon; changes that keep coming don't put it off."""
        soon = now + WAITING_S
        self._whole_at = soon if whole else min(self._whole_at, soon)

    def _on_message(self, message: m.Message | m.Cleared) -> None:
        if isinstance(message, m.DesiredCp):
            if self._desired.get(message.cp) == message:
                return  # told again, at a connection: the whole is looked at then
            self._desired[message.cp] = message
            if message.revoked:
                self._revoked_at.setdefault(message.cp, self._clock())
            else:
                self._revoked_at.pop(message.cp, None)
        elif isinstance(message, m.Cleared) and message.kind is m.DesiredCp:
            cp = message.key["cp"]
            self._desired.pop(cp, None)
            self._revoked_at.pop(cp, None)
            self._elsewhere.discard(cp)
            self._take_back(cp)
            return
        else:
            return
        # Alone, a change is made at once; in a burst many are gathered for as long as the last
        # pass took.
        self._touched.add(message.cp)
        now = self._clock()
        gather = min(self._took_s, GATHER_S) if now - self._passed_at < BURST_S else 0.0
        self._due_at = min(self._due_at, now + gather)

    def _pass(self, desired: dict[str, m.DesiredCp], whole: bool) -> set[str]:
        """One look at these CPs and what it calls for; those that have to wait.

        With the whole fleet, a look at what is nobody's, too. CPs that are to run need no look
        at what runs: taking up a group that is there changes nothing.
        """
        looking = whole or self._changed or not all(map(self._wanted, desired.values()))
        seen = self._supervisord.processes() if looking else []
        groups = frozenset(one.group for one in seen) - RESERVED
        first = steps = self._plan(desired, groups)
        if whole:
            self._tell_unexplained(groups - desired.keys())
            self._quarantine_unexpected(first)
        for cp in first.write:
            self._files.write(cp)
            crash_point("manager.section_written")
        for cp in first.erase:
            self._files.erase(cp)
            crash_point("manager.section_erased")
        self._take_down(first.stop)
        if whole and desired and not self._reloaded:
            self._changed = self._outdated(first)
            self._reloaded = True
        if self._changed:
            steps = self._plan(desired, groups - set(first.stop))
            self._take_down(steps.stop)
            self._changed -= {*first.stop, *steps.stop}
        failed = self._start(steps.start)
        waiting = {*steps.waiting, *first.waiting}
        if whole:
            gone = {*first.stop, *steps.stop}
            self._restart_stalled([one for one in seen if one.group not in gone])
        self._report(desired, waiting, failed)
        return waiting | failed.keys()

    def _wanted(self, desired: m.DesiredCp) -> bool:
        return placement.wanted_here(desired, self._host)

    def _plan(self, desired: dict[str, m.DesiredCp], groups: frozenset[str]) -> reconcile.Plan:
        doubtful = (self._changed & desired.keys()) | {
            cp for cp, record in desired.items() if cp in groups and not self._wanted(record)
        }
        files = self._files.texts(desired)
        actual = reconcile.Actual(files, groups, self._changed, self._busy(doubtful))
        return reconcile.plan(reconcile.units(desired, self._host), actual)

    def _busy(self, cps: Iterable[str]) -> frozenset[str]:
        """Those that supply now, by their own word.

        A revoked one can't tell its end to anybody: it has a moment to open its contactor.
        """
        found = set()
        for cp in cps:
            answer = self._probe(cp).ask(ANSWER_WITHIN_S).get(cp)
            if answer is None or not answer.session_id:
                continue
            revoked_at = self._revoked_at.get(cp)
            if revoked_at is None or (
                answer.supplying and self._clock() - revoked_at < REVOKED_WITHIN_S
            ):
                found.add(cp)
        return frozenset(found)

    def _quarantine_unexpected(self, steps: reconcile.Plan) -> None:
        """What isn't ours must not be in the folder when supervisord reads it."""
        for path in self._files.unexpected():
            if path.stem not in steps.write:
                goal = self._files.quarantine(path)
                _log.error("file=%s is not a section of ours; set aside as %s", path, goal.name)

    def _outdated(self, steps: reconcile.Plan) -> frozenset[str]:
        """CPs that run by an older section than their file's; only an earlier version wrote those.

        Speaks up about whatever else supervisord finds on reading all files.
        """
        found = self._supervisord.reload()
        meant = set(steps.start) | set(steps.erase) | self._desired.keys()
        for word, names in found._asdict().items():
            odd = sorted(names - meant)
            if odd:
                _log.error("supervisord sees %s=%s, which nothing here asked for", word, odd)
        crash_point("manager.reloaded")
        return found.changed - RESERVED

    def _take_down(self, cps: tuple[str, ...]) -> None:
        if not cps:
            return
        self._supervisord.stop(cps)
        crash_point("manager.group_stopped")
        self._supervisord.remove(cps)
        crash_point("manager.group_removed")
        _log.info("cps=%s stopped", ",".join(cps))

    def _start(self, cps: tuple[str, ...]) -> dict[str, str]:
        if not cps:
            return {}
        failed: dict[str, str] = {}
        for first in range(0, len(cps), ADD_AT_ONCE):
            failed |= self._supervisord.add(cps[first : first + ADD_AT_ONCE])
        _log.info("cps=%s taken up by supervisord, or there already", ",".join(cps))
        crash_point("manager.group_added")
        for cp in cps:
            if cp in failed:
                _log.error("cp=%s can't be started: %s", cp, failed[cp])
        return failed

    def _restart_stalled(self, processes: Iterable[Process]) -> None:
        wanted = {cp for cp, desired in self._desired.items() if self._wanted(desired)}
        seen = [(p.group, p.name, p.state, p.idle_s) for p in processes]
        stuck = [f"{one.group}:{one.name}" for one in reconcile.stuck(seen, wanted, MAX_PAUSE_S)]
        if stuck:
            _log.warning("processes=%s don't stay up; tried again", ",".join(stuck))
            self._supervisord.start_anew(stuck)

    def _report(
        self, desired: dict[str, m.DesiredCp], waiting: set[str], failed: dict[str, str]
    ) -> None:
        for cp, record in desired.items():
            if cp in waiting:
                continue
            if not placement.concerns(record, self._host):
                if cp not in self._elsewhere:  # an earlier start may have reported it
                    self._elsewhere.add(cp)
                    self._take_back(cp)
                continue
            self._elsewhere.discard(cp)
            if record.deleted:
                self._remove_traces(cp)
            report = m.ReconcileReport(
                self._host, cp, cp not in failed, record.revision, failed.get(cp),
                record.placement if self._wanted(record) and cp not in failed else None,
                placement.to_release(record, self._host),
            )  # fmt: skip
            if self._reported.get(cp) != report:
                self._reported[cp] = report
                self._bus.publish(report)
                crash_point("manager.reported")

    def _take_back(self, cp: str) -> None:
        self._reported.pop(cp, None)
        self._bus.publish(topics.clear(m.ReconcileReport, host=self._host, cp=cp))

    def _tell_unexplained(self, groups: frozenset[str]) -> None:
        if not self._desired:
            return
        new = groups - self._unexplained
        self._unexplained = groups
        if new:
            _log.warning("groups=%s run, and no record explains them; left alone", sorted(new))
