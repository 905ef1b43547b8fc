"""Where a connector is, and what it works with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from evcs.core.ports import JournalStore, Log
from evcs.services.gateway.voice import Voice

#: For Central's word, before a charger is told that there is none.
ANSWER_WITHIN_S = 50.0


class Place(NamedTuple):
    """Which connector of which station a CP is. `leaves`: it is being deleted.

    `is_limited`: it is in a circuit.
    """

    cp: str
    station: str
    number: int
    max_power_w: int
    leaves: bool = False
    is_limited: bool = True


class ConnectorOutside(NamedTuple):
    """What a connector works with. `number()`: of the next transaction; `now()`: UTC.

    `steady()`: UTC that goes on evenly, for how long something takes: a clock may be set.
    """

    voice: Voice
    journal: JournalStore
    number: Callable[[], int]
    now: Callable[[], datetime]
    steady: Callable[[], datetime]
    log: Log
    answer_within_s: float = ANSWER_WITHIN_S
