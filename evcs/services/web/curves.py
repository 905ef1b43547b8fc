"""What web remembers of power: of each session from begin to end, of all CPs the last day."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable

from evcs.core.readings import Sample

#: Of a session at most, and of how many sessions; the oldest give way.
POINTS, SESSIONS = 120, 8_000
#: As a row of a list has it.
COURSE = 24
#: Of all CPs together: how long, and how far apart samples are at least.
DAY_S, EVERY_S = 86_400, 10


class Curve:
    """Samples of a session, as far apart as its length needs."""

    def __init__(self) -> None:
        # As wide as what the bus may say: a number that has no room would end web.
        self._columns = array("q"), array("q"), array("q")
        self._step_s = 1

    def add(self, at: int, power_w: int, energy_wh: int) -> None:
        """One sample; one that is too near to the last is left out."""
        times = self._columns[0]
        if times and at - times[-1] < self._step_s:
            return
        for column, value in zip(self._columns, (at, power_w, energy_wh), strict=True):
            column.append(value)
        if len(times) > POINTS:
            self._step_s *= 2
            times, power, energy = self._columns
            self._columns = times[::2], power[::2], energy[::2]

    def columns(self) -> dict[str, list[int]]:
        """Time (seconds), power (W) and energy (Wh)."""
        at, power_w, energy_wh = (column.tolist() for column in self._columns)
        return {"at": at, "power_w": power_w, "energy_wh": energy_wh}

    def course(self) -> list[int]:
        """Its power at some times from its begin on, W."""
        power_w = self._columns[1]
        return power_w[:: -(-len(power_w) // COURSE) or 1].tolist()


class Curves:
    """Those of the sessions that were seen last."""

    def __init__(self) -> None:
        self._found: dict[str, Curve] = {}

    def add(self, session_id: str, at: int, power_w: int, energy_wh: int) -> None:
        """One sample of a session."""
        curve = self._found.get(session_id)
        if curve is None:
            if len(self._found) >= SESSIONS:
                del self._found[next(iter(self._found))]
            curve = self._found[session_id] = Curve()
        curve.add(at, power_w, energy_wh)

    def of(self, session_id: str) -> dict[str, list[int]]:
        """A session's columns; empty ones where nothing was seen of it."""
        return (self._found.get(session_id) or Curve()).columns()

    def courses(self, session_ids: Iterable[str]) -> dict[str, list[int]]:
        """Of each of these of which something was seen."""
        return {one: self._found[one].course() for one in session_ids if one in self._found}


class TotalPower:
    """What all CPs took together in the last day. It is told only where it is another."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=DAY_S // EVERY_S + 1)

    def add(self, at: int, power_w: int) -> None:
        """One sample; of some that come together the last counts."""
        at -= at % EVERY_S
        while self._samples and self._samples[-1][0] >= at:
            self._samples.pop()
        self._samples.append((at, power_w))

    def samples(self) -> list[Sample]:
        """What is kept, the oldest first."""
        return [Sample(at, power_w, 0) for at, power_w in self._samples]
