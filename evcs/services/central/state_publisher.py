"""Judged states as they go out: what changed at once, figures each second, a summary."""

from __future__ import annotations

import logging
from collections import Counter
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from evcs.adapters.clock import timestamp
from evcs.core import charge_point as states
from evcs.core import messages as m
from evcs.core import session as s
from evcs.core.ports import Bus
from evcs.services.central import fleet
from evcs.services.central.auditor import Auditor
from evcs.services.central.outbox import Outbox

if TYPE_CHECKING:
    from evcs.services.central.service import Central

SUMMARY_EVERY_S = 5.0

_log = logging.getLogger("evcs")


class StatePublisher:
    """CPs that something happened to are judged together, at the end of a batch."""

    def __init__(self, central: Central, outbox: Outbox, auditor: Auditor) -> None:
        self._central, self._outbox, self._auditor = central, outbox, auditor
        self._touched: set[str] = set()
        # CPs whose figures may not go out yet, by when they may; a heap, and who is in it.
        self._due: list[tuple[float, str]] = []
        self._later: set[str] = set()
        self._summary: m.Summary | None = None
        self._summary_at = 0.0

    def mark_dirty(self, *cps: str) -> None:
        """Have CPs judged at the end of this batch."""
        self._touched.update(cps)

    def begin_anew(self) -> None:
        """A new connection: the summary is told again."""
        self._summary = None

    def state_of(self, cp: str) -> m.CpState | None:
        """A CP's judged state as it is now."""
        known = self._central.fleet.get(cp)
        if known is None or known.desired is None:
            return None
        return fleet.judged(known, known.desired, self._view(cp), timestamp())

    def tell(self, clock: float) -> None:
        """Judge what was touched; figures that may not go out yet are looked at when they may."""
        while self._due and self._due[0][0] <= clock:
            _, cp = heappop(self._due)
            self._later.discard(cp)
            self._touched.add(cp)
        at = timestamp()
        for cp in self._touched:
            self._tell_one(cp, clock, at)
        self._touched.clear()

    def tell_summary(self, bus: Bus, now: float) -> None:
        """The summary, if it changed and is due."""
        if now - self._summary_at < SUMMARY_EVERY_S:
            return
        fleet_now = self._central.fleet.values()
        counts = Counter(known.told.state for known in fleet_now if known.told)
        running = [one for one in self._central.sessions.open.values() if one.phase != s.REQUESTED]
        summary = m.Summary(
            len(running),
            sum(one.power_w for one in running),
            bus.dropped,
            {state: counts[state] for state in states.STATES},
        )
        if summary != self._summary and bus.publish(summary):
            self._summary, self._summary_at = summary, now

    def _tell_one(self, cp: str, clock: float, at: str) -> None:
        """Judge one CP, and tell it or keep it for later."""
        known = self._central.fleet.get(cp)
        if known is None or known.desired is None:
            return
        state = fleet.judged(known, known.desired, self._view(cp), at)
        if not fleet.to_be_told(known, state, clock):
            if known.told != state and cp not in self._later:
                self._later.add(cp)
                heappush(self._due, (known.told_at + fleet.FIGURES_EVERY_S, cp))
            return
        if known.told is None or known.told.state != state.state:
            _log.info("cp=%s %s", cp, f"{state.state} {state.reason}".strip())
        self._auditor.judged(known.told, state)
        self._outbox.publish(state)
        self._central.fleet[cp] = known._replace(told=state, told_at=clock, tell_again=False)

    def _view(self, cp: str) -> m.SessionView | None:
        session = self._central.sessions.at_cp(cp)
        if session is None or session.phase == s.REQUESTED:
            return None
        return m.SessionView(
            session.session_id,
            session.driver,
            session.energy_wh,
            session.power_w,
            session.cost_so_far,
        )
