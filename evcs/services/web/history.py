"""What web remembers: of CPs the last minutes, events, restarts; of sessions and circuits more."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from typing import Any, NamedTuple

from evcs.core.messages import CircuitState, CpState
from evcs.core.readings import ALL, Sample
from evcs.core.sections import ROLES
from evcs.services.web.circuit_trace import CircuitTrace
from evcs.services.web.curves import Curves, TotalPower

SECONDS = 600
EVENTS = 40


class Trace:
    """Time, power and energy of one CP, the last ten minutes of supply."""

    def __init__(self) -> None:
        # As wide as what the bus may say: a number that has no room would end web.
        self._at, self._power_w, self._energy_wh = array("q"), array("q"), array("q")

    def add(self, at: int, power_w: int, energy_wh: int) -> None:
        """One sample; it replaces those of the same second, or of later ones."""
        columns = (self._at, self._power_w, self._energy_wh)
        while self._at and self._at[-1] >= at:
            for column in columns:
                column.pop()
        for column, value in zip(columns, (at, power_w, energy_wh), strict=True):
            column.append(value)
        if len(self._at) > 2 * SECONDS:
            for column in columns:
                del column[:SECONDS]

    def since(self, at: int) -> dict[str, list[int]]:
        """The samples that are not older."""
        first = next((i for i, when in enumerate(self._at) if when >= at), len(self._at))
        return {
            "at": self._at[first:].tolist(),
            "power_w": self._power_w[first:].tolist(),
            "energy_wh": self._energy_wh[first:].tolist(),
        }

    def samples(self) -> list[Sample]:
        """All that are kept, the oldest first."""
        return [*map(Sample, self._at, self._power_w, self._energy_wh)]


class Starts(NamedTuple):
    """The id of a process's last start, and how many more came since the first that was seen."""

    boot: str
    restarts: int


class History:
    """Traces, events and restarts of all CPs, since `began`."""

    def __init__(self, began: str) -> None:
        self.began = began
        self.curves, self.power = Curves(), TotalPower()
        self._starts: dict[tuple[str, str], Starts] = {}
        self._traces: dict[str, Trace] = {}
        self._events: dict[str, deque[dict[str, Any]]] = {}
        self._last: dict[str, tuple[str, str, str | None]] = {}
        self._circuits: dict[str, CircuitTrace] = {}

    def judged(self, judged: CpState, at: int, timestamp: str) -> None:
        """Take up what Central said at that time."""
        session = judged.session
        if session is not None:
            trace = self._traces.setdefault(judged.cp, Trace())
            trace.add(at, session.power_w, session.energy_wh)
            self.curves.add(session.session_id, at, session.power_w, session.energy_wh)
        now = (judged.state, judged.reason, session.session_id if session else None)
        if self._last.get(judged.cp) == now:
            return
        before = self._last.get(judged.cp)
        self._last[judged.cp] = now
        if before is not None and before[2] is not None and now[2] is None:
            trace = self._traces.setdefault(judged.cp, Trace())
            trace.add(at + 1, 0, 0)
        self._events.setdefault(judged.cp, deque(maxlen=EVENTS)).append(
            {
                "at": judged.since if before is None or before[0] != now[0] else timestamp,
                "state": judged.state,
                "reason": judged.reason,
                "driver": session.driver if session else None,
            }
        )

    def started(self, cp: str, role: str, boot: str) -> None:
        """A process told the id of its start; a broker that is back has it told again."""
        before = self._starts.get((cp, role))
        if before is None:
            self._starts[cp, role] = Starts(boot, 0)
        elif before.boot != boot:
            self._starts[cp, role] = Starts(boot, before.restarts + 1)

    def restarts(self, cp: str, role: str) -> int:
        """How often the process was started anew."""
        found = self._starts.get((cp, role))
        return found.restarts if found else 0

    def trace(self, cp: str, now: int) -> dict[str, list[int]]:
        """The last ten minutes of a CP."""
        found = self._traces.get(cp)
        return (found or Trace()).since(now - SECONDS)

    def heard(self, cp: str, since: int, until: int) -> list[Sample]:
        """A CP's power in that time (ALL: of all together), and what held as it began."""
        trace = self._traces.get(cp)
        found = self.power.samples() if cp == ALL else trace.samples() if trace else []
        first = max(bisect_right(found, since, key=lambda one: one.at) - 1, 0)
        return found[first : bisect_left(found, until, key=lambda one: one.at)]

    def events(self, cp: str) -> list[dict[str, Any]]:
        """A CP's last changes, the latest first."""
        return list(reversed(self._events.get(cp, ())))

    def circuit(self, state: CircuitState, at: int) -> None:
        """Take up what Central said of a circuit at that time."""
        self._circuits.setdefault(state.name, CircuitTrace()).add(at, state)

    def forget_circuit(self, name: str) -> None:
        """The circuit is gone."""
        self._circuits.pop(name, None)

    def circuit_trace(self, name: str, now: int) -> dict[str, list[int]]:
        """The last hour of a circuit."""
        return self._circuits.get(name, CircuitTrace()).until(now)

    def forget(self, cp: str) -> None:
        """The CP is gone."""
        self._traces.pop(cp, None)
        self._events.pop(cp, None)
        self._last.pop(cp, None)
        for role in ROLES:
            self._starts.pop((cp, role), None)
