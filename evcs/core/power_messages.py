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


class CircuitState(NamedTuple):
    """Central: what a circuit carries. W, but for how many sessions there are, and how many wait.

    `other_load_w`: of all houses behind it. `power_w`: what its CPs take; `limit_w`: what they may.
    """

    name: str
    max_power_w: int
    other_load_w: int
    power_w: int
    limit_w: int
    sessions: int
    waiting: int
