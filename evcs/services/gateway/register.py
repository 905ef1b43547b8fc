"""What a connector's register says of a charge; what can't be is left out, counted and logged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from evcs.core.ocpp import flow, registers, times
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.readings import ChargerReading
from evcs.core.ocpp.room import TOLERANCE
from evcs.core.ports import Log


class Register:
    """`most_w()`: of its CP; `now()`: UTC."""

    def __init__(
        self, most_w: Callable[[], int], now: Callable[[], datetime], log: Log
    ) -> None:  # fmt: skip
        self._most_w, self._now, self._log = most_w, now, log
        self._refused = 0
        self._flows: dict[int, flow.Flow] = {}

    def energy(
        self, one: t.Transaction, register_wh: int, at: datetime | None, room_wh: int
    ) -> int | None:  # fmt: skip
        """Wh of a charge; None where they can't be. `room_wh`: see core.ocpp.registers."""
        most_w = max(one.max_power_w, self._most_w())
        found = registers.energy_by(one, register_wh, most_w, self._now(), at, room_wh)
        if found is None and one.meter_wh != t.UNTOLD:
            self.refuse(one, 1, f"register_wh={register_wh}")
        return found

    def flow(
        self, one: t.Transaction, reading: ChargerReading, at: datetime | None, limit_w: int | None
    ) -> tuple[ChargerReading, int | None]:
        """With what flows, where that is not told, and the limit that this is of."""
        if reading.power_w is not None or reading.register_wh is None:
            return reading, limit_w
        at_s = at.timestamp() if at is not None and times.is_set(at) else None
        point = flow.Point(reading.register_wh, at_s, self._now().timestamp())
        most_w = int(TOLERANCE * self._most_w())
        found = flow.read(self._flows.get(one.id), point, limit_w, most_w)
        self._flows = {one.id: found}  # of one charge at a time
        return reading._replace(power_w=found.power_w), found.limit_w

    def limited(self, limit_w: int | None) -> None:
        """Another limit holds."""
        self._flows = {key: flow.limited(one, limit_w) for key, one in self._flows.items()}

    def refuse(self, one: t.Transaction, count: int, what: str = "values") -> None:
        """So many values of a charge can't be."""
        if count:
            self._refused += count
            self._log.warning("transaction=%d %s can't be; refused=%d", one.id, what, self._refused)
