"""What a connector's register says of a charge; what can't be is left out, counted and logged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from evcs.core.ocpp import registers
from evcs.core.ocpp import transactions as t
from evcs.core.ports import Log


class Register:
    """`most_w()`: of its CP; `now()`: UTC."""

    def __init__(
        self, most_w: Callable[[], int], now: Callable[[], datetime], log: Log
    ) -> None:  # fmt: skip
        self._most_w, self._now, self._log = most_w, now, log
        self._refused = 0

    def energy(
        self, one: t.Transaction, register_wh: int, at: datetime | None, room_wh: int
    ) -> int | None:  # fmt: skip
        """Wh of a charge; None where they can't be. `room_wh`: see core.ocpp.registers."""
        found = registers.energy_by(one, register_wh, self._most_w(), self._now(), at, room_wh)
        if found is None and one.meter_wh != t.UNTOLD:
            self.refuse(one, 1, f"register_wh={register_wh}")
        return found

    def refuse(self, one: t.Transaction, count: int, what: str = "values") -> None:
        """So many values of a charge can't be."""
        if count:
            self._refused += count
            self._log.warning("transaction=%d %s can't be; refused=%d", one.id, what, self._refused)
