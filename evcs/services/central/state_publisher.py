"""States and progress as they go out: what changed at once, figures each second, a summary."""

from __future__ import annotations

import logging
from collections import Counter
from heapq import heappop, heappush
from typing import Any, NamedTuple

from evcs.core import charge_point as states
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.cp_record import CpRecord, changed, state_of
from evcs.core.decisions.events import At
from evcs.core.effects import driver_events, figures
from evcs.core.ports import Bus
from evcs.core.session import Phase, Session
from evcs.services.central.auditor import Auditor
from evcs.services.central.fleet import Fleet
from evcs.services.central.outbox import Outbox
from evcs.services.central.standing import StandingStates

FIGURES_EVERY_S = 1.0
SUMMARY_EVERY_S = 5.0
#: A CP reads out each second; one that does so more often doesn't fill its driver's inbox.
PROGRESS_EVERY_S = 0.5

_log = logging.getLogger("evcs")


class Published(NamedTuple):
    """A CP's state as last published, when and of what record; None: by an earlier run.

    `again`: the broker may have lost it.
    """

    state: m.CpState
    at: float
    record: CpRecord | None = None
    again: bool = False


class StatePublisher:
    """Publishes of CPs that something happened to, at the end of a batch."""

    def __init__(
        self, fleet: Fleet, outbox: Outbox, auditor: Auditor, standing: StandingStates
    ) -> None:  # fmt: skip
        self._fleet, self._outbox, self._auditor = fleet, outbox, auditor
        self._standing = standing
        self._published: dict[str, Published] = {}
        #: How many of these there are of each state.
        self._counts: Counter[str] = Counter()
        # CPs whose figures may not go out yet, by when they may; a heap, and who is in it.
        self._pending: list[tuple[float, str]] = []
        self._later: set[str] = set()
        self._dirty: set[str] = set()
        self._progress: set[str] = set()
        self._progress_at: dict[str, float] = {}
        self._summary: m.Summary | None = None
        self._summary_at = 0.0

    def connected(self) -> None:
        """A new connection: all is published again."""
        self._summary = None
        for cp, published in self._published.items():
            self._published[cp] = published._replace(again=True)

    def found(self, state: m.CpState) -> None:
        """What an earlier run published: `since` goes on from it. Of no CP it is taken away."""
        record = self._fleet.records.get(state.cp)
        if record is None or record.desired is None:
            self._take_away(state.cp)
        elif state.cp not in self._published:
            self._published[state.cp] = Published(state, 0.0, again=True)
            self._standing.found(state)
            self._counts[state.state] += 1
            self._dirty.add(state.cp)

    def judge_all(self) -> None:
        """Every CP is looked at, at the end of this batch."""
        self._dirty.update(self._fleet.records)

    def clear(self, cp: str) -> None:
        """Take the state of a CP that is gone away."""
        self._standing.forget(cp)
        self._auditor.forget(cp)
        self._take_away(cp)

    def _take_away(self, cp: str) -> None:
        if last := self._published.pop(cp, None):
            self._counts[last.state.state] -= 1
        self._outbox.publish(topics.clear(m.CpState, cp=cp))

    def publish_states(self, at: At) -> None:
        """Publish what changed; figures that may not go out yet are looked at when they may."""
        self._dirty |= self._fleet.take_changed()
        while self._pending and self._pending[0][0] <= at.clock:
            _, cp = heappop(self._pending)
            self._later.discard(cp)
            self._dirty.add(cp)
        for cp in self._dirty:
            record = self._fleet.records.get(cp)
            if record is not None and record.desired is not None:
                self._publish(record, record.desired, at)
        self._dirty.clear()

    def publish_progress(self, at: At) -> None:
        """What was read, for each session that goes on; what comes too soon is told later."""
        self._progress |= self._outbox.take_progress()
        for session_id in tuple(self._progress):
            session = self._fleet.open.get(session_id)
            if session is None:
                self._progress.discard(session_id)
            elif at.clock - self._progress_at.get(session.cp, 0.0) >= PROGRESS_EVERY_S:
                for event in driver_events(session, "progress", self._waits(session)):
                    self._outbox.publish(event)
                self._progress_at[session.cp] = at.clock
                self._progress.discard(session_id)

    def _waits(self, session: Session) -> dict[str, Any]:
        """A session's figures; of one that waits for power, for about how long."""
        wait_s = self._fleet.records[session.cp].wait_s
        return {**figures(session), **({} if wait_s is None else {"wait_s": wait_s})}

    def publish_summary(self, bus: Bus, now: float) -> None:
        """The summary, if it changed and is due."""
        if now - self._summary_at < SUMMARY_EVERY_S:
            return
        running = [one for one in self._fleet.open.values() if one.phase != Phase.REQUESTED]
        summary = m.Summary(
            len(running),
            sum(one.power_w for one in running),
            bus.dropped,
            {state: self._counts[state] for state in states.State},
        )
        if summary != self._summary and bus.publish(summary):
            self._summary, self._summary_at = summary, now

    def _publish(self, record: CpRecord, desired: m.DesiredCp, at: At) -> None:
        """A change of state goes out at once, live figures at most once a second."""
        last = self._published.get(record.cp)
        before = last.state if last else None
        held = last if last and not last.again else None
        if held and _same_but_figures(held.record, record) and self._too_soon(held, at.clock):
            return
        state = state_of(record, desired, before, at.wall)
        if before is None or (before.state, before.reason) != (state.state, state.reason):
            state = self._standing.judged(state)
        if held and (
            state == before or (not changed(before, state) and self._too_soon(held, at.clock))
        ):
            return
        if before is None or before.state != state.state:
            _log.info("cp=%s %s", record.cp, f"{state.state} {state.reason}".strip())
        self._auditor.judged(before, state)
        self._outbox.publish(state)
        self._published[record.cp] = Published(state, at.clock, record)
        self._counts[state.state] += 1
        if before is not None:
            self._counts[before.state] -= 1

    def _too_soon(self, last: Published, clock: float) -> bool:
        """Whether figures may not go out yet; then they are looked at when they may."""
        if clock - last.at >= FIGURES_EVERY_S:
            return False
        if last.state.cp not in self._later:
            self._later.add(last.state.cp)
            heappush(self._pending, (last.at + FIGURES_EVERY_S, last.state.cp))
        return True


def _same_but_figures(before: CpRecord | None, now: CpRecord) -> bool:
    """Whether state and reason can't have changed, so that nobody has to judge."""
    return (
        before is not None
        and before.desired is now.desired
        and before.engine is now.engine
        and before.monitor is now.monitor
        and (before.under_way is None) == (now.under_way is None)
    )
