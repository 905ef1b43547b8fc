"""The emulated charger: plug, ramp, constant power, taper, fault.

A car takes what it asked for: power rises for RAMP_S seconds, stays at the CP's
maximum, and from TAPER_FROM of the energy on falls in a straight line with it to
TAPER_TO, as a lithium-ion pack does in its constant-voltage phase. It takes no more than
its limit, and below the least that a car takes (core.limits) nothing. Time is given to
`step`, never read; one step covers at most MAX_STEP_S, so a frozen process meters
nothing for its absence.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple, Protocol

from evcs.core.limits import minimum_power_w, phases

RAMP_S = 5.0
TAPER_FROM = 0.8
TAPER_TO = 0.1
MAX_STEP_S = 2.0
#: Of a step, each as long as this or more: power is taken as constant within one.
SUBSTEPS, SUBSTEP_S = 200, 0.05
VOLTAGE_V = 230.0


class Reading(NamedTuple):
    """The meter: register of this supply in Wh, present power in W."""

    energy_wh: int
    power_w: int
    voltage_v: float
    current_a: float
    full: bool


class Charger(Protocol):
    """What an Engine drives."""

    plugged: bool
    fault: str | None

    def plug(self) -> None:
        """A car is plugged in."""

    def unplug(self) -> None:
        """The car leaves; the contactor opens."""

    def close_contactor(self, energy_wh: int, max_power_w: int, from_wh: int = 0) -> None:
        """Supply up to `energy_wh` in all, `from_wh` of which are delivered already."""

    def open_contactor(self) -> None:
        """Stop the supply."""

    def set_limit(self, limit_w: int | None) -> None:
        """Take no more than that from now on, in this supply and those that follow."""

    def set_fault(self, fault: str | None) -> None:
        """Break down for that reason, or recover with None; a fault opens the contactor."""

    def step(self, seconds: float) -> Reading:
        """Let time pass and read the meter."""


class EmulatedCharger:
    """A charger and its car in arithmetic; `time_scale` 60 fills the car 60 times as fast."""

    def __init__(self, time_scale: float = 1.0) -> None:
        self.plugged = False
        self.fault: str | None = None
        self._scale = time_scale
        self._closed = False
        self._energy_wh = 0.0
        self._target_wh = 0
        self._max_power_w = 0
        self._limit_w: int | None = None
        self._least_w = 0
        self._on_for_s = 0.0

    def plug(self) -> None:
        self.plugged = True

    def unplug(self) -> None:
        self.plugged = False
        self._closed = False

    def close_contactor(self, energy_wh: int, max_power_w: int, from_wh: int = 0) -> None:
        self._closed = True
        self._energy_wh, self._target_wh = float(from_wh), energy_wh
        self._max_power_w, self._on_for_s = max_power_w, 0.0
        self._least_w = minimum_power_w(max_power_w)

    def open_contactor(self) -> None:
        self._closed = False

    def set_limit(self, limit_w: int | None) -> None:
        self._limit_w = limit_w

    def set_fault(self, fault: str | None) -> None:
        self.fault = fault
        if fault is not None:
            self._closed = False

    def step(self, seconds: float) -> Reading:
        if self._closed:
            whole_s = min(max(seconds, 0.0), MAX_STEP_S) * self._scale
            substeps = min(ceil(whole_s / SUBSTEP_S), SUBSTEPS)
            for _ in range(substeps):
                slice_s = whole_s / substeps
                self._on_for_s += slice_s
                self._energy_wh += self._power_w() * slice_s / 3600
                if self._energy_wh >= self._target_wh:
                    self._energy_wh = float(self._target_wh)
                    break
        return self._reading()

    def _power_w(self) -> float:
        ramp = min(self._on_for_s / RAMP_S, 1.0)
        share = self._energy_wh / self._target_wh if self._target_wh else 1.0
        left = max(1.0 - share, 0.0) / (1 - TAPER_FROM)
        taper = TAPER_TO + (1 - TAPER_TO) * min(left, 1.0)
        wanted = self._max_power_w * ramp * taper
        if self._limit_w is None:
            return wanted
        return min(wanted, self._limit_w) if self._limit_w >= self._least_w else 0.0

    def _reading(self) -> Reading:
        full = self._energy_wh >= self._target_wh
        power = int(self._power_w()) if self._closed and not full else 0
        current = round(power / (VOLTAGE_V * phases(self._max_power_w)), 1)
        return Reading(int(self._energy_wh), power, VOLTAGE_V, current, full)
