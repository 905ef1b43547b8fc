"""The CP Manager's loop: what is wanted, when it is looked at, and what is told of it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping, Set
from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core import placement, topics
from evcs.core.cp_manager_ports import (
    CpKeys,
    CpStore,
    LogPage,
    MemberStore,
    ProcessHost,
    SectionStore,
)
from evcs.core.errors import EvcsError, OtherFormat
from evcs.core.ports import Bus, Connected, Disconnected, Received
from evcs.runtime.crash_points import crash_point
from evcs.services.cp_manager.actuator import Actuator
from evcs.services.cp_manager.pools import Pools, Probes
from evcs.services.cp_manager.reconciler import Reconciler

RESYNC_S = 10.0
WAITING_S = 1.0
BURST_S = 1.0
GATHER_S = 0.25

_log = logging.getLogger("evcs")


def subscriptions(host: str) -> list[topics.Subscription]:
    """What a CP Manager listens to."""
    return [topics.filter_for(m.DesiredCp), topics.filter_for(m.ManagerCommand, host=host)]


class ManagerPorts(NamedTuple):
    """What the CP Manager works on. `probes(unit, role)` asks that process of a unit.

    `log_page`, `machine`: see Actuator.
    """

    bus: Bus
    supervisord: ProcessHost
    sections: SectionStore
    members: MemberStore
    probes: Probes
    cps: CpStore
    keys: CpKeys
    log_page: Callable[[str, str, str | None], LogPage]
    machine: Callable[[], Mapping[str, str]]
    monotonic: Callable[[], float]


class CpManager:
    """Desired state in memory, files and processes outside, a Reconciler between them."""

    def __init__(self, outside: ManagerPorts, host: str, birth: m.ServiceStatus) -> None:
        self._host, self._birth = host, birth
        self._bus, self._clock, self._cps = outside.bus, outside.monotonic, outside.cps
        self._keys = outside.keys
        self._desired: dict[str, m.DesiredCp] = {}
        self._revoked_at: dict[str, float] = {}
        pools = Pools(outside.members, outside.probes)
        self._actuator = Actuator(
            host, self._desired.get, outside.supervisord, pools, outside.log_page, outside.machine,
            outside.monotonic,
        )  # fmt: skip
        self._reconciler = Reconciler(
            host, outside.supervisord, outside.sections, pools, outside.cps, self._revoked_for
        )
        self._reported: dict[str, m.ReconcileReport] = {}
        self._elsewhere: set[str] = set()
        self._passed_at = self._took_s = 0.0
        self._due_at = self._whole_at = 0.0
        self._touched: set[str] = set()

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
                self._keys.forget_revisions()
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
        desired = {cp: self._desired[cp] for cp in cps}
        try:
            self._keys.fetch({cp: one.revision for cp, one in desired.items() if self._runs(one)})
            outcome = self._reconciler.look(desired, whole)
            self._let_go(desired, outcome.waiting)
            self._report(desired, outcome.waiting, outcome.failed)
            self._touched = {*outcome.waiting, *outcome.failed}
            if whole:
                self._whole_at = now + RESYNC_S
        except OtherFormat as error:
            _log.error("%s", error)
            self._refuse(desired, str(error))
            self._whole_at = now + RESYNC_S
        except EvcsError as error:
            _log.error("%s", error)
            self._again(now, whole)
        except OSError as error:
            what = error.filename or "sections"
            remedy = "make room" if error.errno == errno.ENOSPC else "see: evcs doctor"
            _log.error("%s can't be used: %s; %s", what, error.strerror, remedy)
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

    def _let_go(self, desired: Mapping[str, m.DesiredCp], waiting: Set[str]) -> None:
        """Have nothing any more of what is deleted; no keys of what is another host's now."""
        deleted = {
            cp
            for cp, one in desired.items()
            if one.deleted and cp not in waiting and placement.concerns(one, self._host)
        }
        if deleted:
            self._cps.remove(deleted)
        left = {cp for cp, one in desired.items() if placement.to_release(one, self._host)}
        self._keys.drop(left - waiting)

    def _report(
        self, desired: Mapping[str, m.DesiredCp], waiting: Set[str], failed: Mapping[str, str]
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
            report = m.ReconcileReport(
                self._host, cp, cp not in failed, record.revision, failed.get(cp),
                record.placement if cp not in failed and self._runs(record) else None,
                placement.to_release(record, self._host),
            )  # fmt: skip
            if self._reported.get(cp) != report:
                self._reported[cp] = report
                self._bus.publish(report)
                crash_point("manager.reported")

    def _refuse(self, desired: Mapping[str, m.DesiredCp], why: str) -> None:
        """What is wanted may not mean what it seems to: all stays as it is, and that is told."""
        self._touched = set()
        for cp, record in desired.items():
            report = m.ReconcileReport(self._host, cp, False, record.revision, why)
            if self._runs(record) and self._reported.get(cp) != report:
                self._reported[cp] = report
                self._bus.publish(report)

    def _take_back(self, cp: str) -> None:
        self._reported.pop(cp, None)
        self._bus.publish(topics.clear(m.ReconcileReport, host=self._host, cp=cp))

    def _runs(self, desired: m.DesiredCp) -> bool:
        return placement.wanted_here(desired, self._host)

    def _revoked_for(self, cp: str) -> float | None:
        """Seconds since a CP was revoked, None where it is not."""
        at = self._revoked_at.get(cp)
        return None if at is None else self._clock() - at
