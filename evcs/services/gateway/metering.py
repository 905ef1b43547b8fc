"""What readings make of a charge: its Wh, within what its connector can have delivered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from evcs.core.ocpp import registers
from evcs.core.ocpp import transactions as t
from evcs.core.ports import Log
from evcs.services.gateway.holdings import Holdings
from evcs.services.gateway.register import Register

#: So well it is known after a kill since when a charger is there.
COUNT_EVERY_S = 3_600.0
#: Central has one late charge of a CP at a time; another ends it.
REST_WAITS_S = 600.0
#: Its request is that of the charge with this behind it.
REST = "-rest"


class Around(NamedTuple):
    """`number()`: of the next transaction; `now()`: UTC; `max_power_w()`: the connector's.

    `is_there()`: whether its charger is.
    """

    number: Callable[[], int]
    now: Callable[[], datetime]
    max_power_w: Callable[[], int]
    is_there: Callable[[], bool]


class Metering:
    """Of one connector. What is beyond its room is on a ticket of nobody's, not on a driver's."""

    def __init__(self, holdings: Holdings, register: Register, log: Log, around: Around) -> None:
        self._holdings, self._register = holdings, register
        self._around, self._log = around, log

    def count(self) -> None:
        """To be called before anything changes: its charger, or what is under way."""
        held, around = self._holdings.held, self._around
        idle = around.is_there() and not any(
            one.is_open and one.phase != t.Phase.REMOTE for one in held.transactions
        )
        room = held.room.after(around.now().timestamp(), around.max_power_w(), idle)
        self._holdings.held = held._replace(room=room)

    def keep(self) -> None:
        """Count, and have it written."""
        self.count()
        self._holdings.keep(self._holdings.held, sync=False)

    def look(self) -> None:
        """To be called now and then."""
        if self._around.now().timestamp() - self._holdings.held.room.at > COUNT_EVERY_S:
            self.keep()

    def read(self, one: t.Transaction, register_wh: int, at: datetime | None) -> t.Transaction:
        """After a reading."""
        self.count()
        one = registers.from_register(one, register_wh)
        found = self._energy(one, register_wh, at)
        if found is None:
            return one
        credible, held = found[0], self._holdings.held
        self._holdings.held = held._replace(room=held.room.less(credible - one.energy_wh))
        return t.metered(one, credible)

    def end(
        self, one: t.Transaction, register_wh: int | None, reason: str, at: datetime | None
    ) -> t.Transaction:
        """After its end, and kept. Raises OSError."""
        self.count()
        found = None if register_wh is None else self._energy(one, register_wh, at)
        credible, rest_wh = found or (one.energy_wh, 0)
        ended = t.ended(one, credible, reason)
        held = self._holdings.held
        held = held._replace(room=held.room.less(credible - one.energy_wh)).put(ended)
        if rest_wh:
            self._log.error(
                "transaction=%d energy_wh=%d more than can have flowed by our clock; nobody's",
                one.id, rest_wh,
            )  # fmt: skip
            held = held.put(_rest_of(ended, self._around.number(), rest_wh))
        self._holdings.keep(held)
        return ended

    def may_ask(self, one: t.Transaction) -> bool:
        """Whether whose it is can be asked now: of a rest once no late charge would end by that."""
        waits_s = self._around.now().timestamp() - one.since
        if not one.request_id.endswith(REST) or waits_s > REST_WAITS_S:
            return True
        others = [known for known in self._holdings.held.transactions if known.id != one.id]
        return not any(
            (known.offline if known.is_open else known.id < one.id) for known in others
        )  # fmt: skip

    def _energy(
        self, one: t.Transaction, register_wh: int, at: datetime | None
    ) -> tuple[int, int] | None:  # fmt: skip
        """Its Wh, and what was told beyond; None where that can't be."""
        room_wh = one.energy_wh + int(self._holdings.held.room.wh)
        found = self._register.energy(one, register_wh, at, room_wh)
        if found is None:
            return None
        credible = min(found, max(room_wh, one.energy_wh))
        return credible, found - credible


def _rest_of(ended: t.Transaction, number: int, energy_wh: int) -> t.Transaction:
    """What was told beyond what can have flowed: a charge of nobody's, that has ended."""
    return ended._replace(
        id=number, request_id=ended.request_id + REST, session_id=None, tag="", key="",
        meter_wh=max(ended.meter_wh, 0) + ended.energy_wh, offline=True, live=False, status=None,
        energy_wh=energy_wh, seq=1, target_wh=None,
    )  # fmt: skip
