"""What a station's Engine works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from evcs.core.charger import Charger
from evcs.core.ocpp import back_end as b
from evcs.core.ocpp.ports import Schemas
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Dialect
from evcs.core.ports import Bus, JournalStore, Log


class StationOutside(NamedTuple):
    """What it works with. `boot`: the id of this start; `key`: of a station that is new.

    `max_power_w()`: what its CP can give now, in W. `token`: the card of the car that is plugged in
    by hand, "" where that has none.
    """

    boot: str
    key: str
    bus: Bus
    back_end: b.BackEnd
    journal: JournalStore
    charger: Charger
    schemas: Schemas
    dialect: Dialect
    now: Callable[[], At]
    max_power_w: Callable[[], int]
    log: Log
    token: str = ""
