"""Which readings are kept: of each charge one a minute and its end, and of all CPs together."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from evcs.core.ports import Clock
from evcs.core.readings import ALL, EVERY_S, Reading, second_of
from evcs.core.session import Session


class Readings:
    """Says which readings go with what is written of sessions.

    `begun`: those that were under way as Central began.
    """

    def __init__(self, clock: Clock, begun: Iterable[Session]) -> None:
        self._clock = clock
        self._power_w = {one.cp: one.power_w for one in begun if one.power_w}
        self._together_w = sum(self._power_w.values())
        self._due: dict[str, float] = {}

    def due(self, sessions: Collection[Session]) -> list[Reading]:
        """Where nothing flows any more at once, else each minute; of CPs, and of all together."""
        if not sessions:
            return []
        now = self._clock.monotonic()
        second = second_of(self._clock.timestamp())
        found = []
        for one in sessions:
            before_w = self._power_w.pop(one.cp, 0)
            if one.power_w:
                self._power_w[one.cp] = one.power_w
            if self._is_due(one.cp, before_w, one.power_w, now):
                found.append(Reading(one.cp, second, one.power_w, one.energy_wh))
        together_w = sum(self._power_w.values())
        if self._is_due(ALL, self._together_w, together_w, now):
            found.append(Reading(ALL, second, together_w, 0))
        self._together_w = together_w
        return found

    def _is_due(self, of: str, before_w: int, power_w: int, now: float) -> bool:
        if not power_w:
            self._due.pop(of, None)
            return bool(before_w)
        if now < self._due.get(of, 0.0):
            return False
        self._due[of] = now + EVERY_S
        return True
