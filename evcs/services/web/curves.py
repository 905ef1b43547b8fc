"""What web remembers of sessions: their power and energy from begin to end, within bounds."""

from __future__ import annotations

from array import array

#: Of a session at most, and of how many sessions; the oldest give way.
POINTS, SESSIONS = 120, 8_000


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
            self._columns = tuple(column[::2] for column in self._columns)  # type: ignore[assignment]

    def columns(self) -> dict[str, list[int]]:
        """Time (seconds), power (W) and energy (Wh)."""
        at, power_w, energy_wh = (column.tolist() for column in self._columns)
        return {"at": at, "power_w": power_w, "energy_wh": energy_wh}


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
