"""What a charger's register says of a charge: its Wh, or that it can't be."""

from __future__ import annotations

from datetime import datetime

from evcs.core.ocpp import times
from evcs.core.ocpp.room import LONGEST_S, most_wh
from evcs.core.ocpp.transactions import UNTOLD, Transaction

#: A register of more can't be one.
MAX_REGISTER_WH = 10**12


def energy(one: Transaction, register_wh: int, most_wh: int) -> int | None:
    """Wh of a transaction by a reading of its register; None where it can't be.

    Some chargers begin with a register of their lifetime and read from 0 in each charge
    (lbbrhzn/ocpp issue 2093): a reading below the begin counts from 0.
    """
    if one.meter_wh == UNTOLD or not 0 <= register_wh <= MAX_REGISTER_WH:
        return None
    from_wh = one.meter_wh if register_wh >= one.meter_wh else 0
    found = register_wh - from_wh
    return found if one.energy_wh <= found <= most_wh else None


def energy_by(
    one: Transaction, register_wh: int, max_power_w: int, now: datetime, at: datetime | None,
    room_wh: int,
) -> int | None:  # fmt: skip
    """The same, within how long it went on by either clock, or `room_wh` where no clock is set."""
    elapsed_s = now.timestamp() - one.since
    begun = times.parse(one.at)
    is_set = begun is not None and times.is_set(begun) and (at is not None or not one.offline)
    if at is not None and begun is not None and is_set:
        elapsed_s = max(elapsed_s, min((at - begun).total_seconds(), LONGEST_S))
    most = most_wh(max_power_w, elapsed_s)
    return energy(one, register_wh, most if is_set else max(most, room_wh))


def from_register(one: Transaction, register_wh: int) -> Transaction:
    """With a reading as its begin, where none was told."""
    return one._replace(meter_wh=register_wh) if one.meter_wh == UNTOLD else one
