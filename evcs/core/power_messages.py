"""What travels on the bus of circuits and their power; part of core.messages."""

from __future__ import annotations

from typing import NamedTuple


class Circuit(NamedTuple):
    """Registry: a cable that CPs share. Powers in W.

    `parent`: the circuit that feeds it, None of one that none does. `other_load_w`: the most that a
    house behind the same cable takes.
    """

    name: str
    max_power_w: int
    parent: str | None = None
    other_load_w: int = 0


class MeterPower(NamedTuple):
    """A circuit's meter: what the house behind its cable takes now, in W."""

    name: str
    power_w: float
