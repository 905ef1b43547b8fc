"""An emulated station's readings, and when they are due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_settings import Configuration

PERIODIC, ALIGNED, BEGIN, END, TRIGGERED = (
    "Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End", "Trigger",
)  # fmt: skip
A_DAY_S = 86_400


class Sample(NamedTuple):
    """The meter at a moment: its register in Wh, and the present supply; `offered_w`: at most."""

    register_wh: int
    power_w: int = 0
    voltage_v: float = 0.0
    current_a: float = 0.0
    offered_w: int = 0


def values(sample: Sample, measurands: Iterable[str]) -> list[tuple[str, float, str]]:
    """Of each measurand its name, value and unit."""
    found = {
        "Energy.Active.Import.Register": (sample.register_wh, "Wh"),
        "Power.Active.Import": (sample.power_w, "W"),
        "Current.Import": (round(sample.current_a, 1), "A"),
        "Voltage": (round(sample.voltage_v, 1), "V"),
        "Power.Offered": (sample.offered_w, "W"),
    }
    return [(name, *found[name]) for name in measurands]


class Schedule:
    """When readings are due: each so many seconds of a transaction, and by the clock (9.1)."""

    def __init__(self) -> None:
        self._sample_at: float | None = None
        self._aligned_at: float | None = None

    @property
    def due(self) -> float | None:
        """The next of them, by the monotonic clock."""
        times = [one for one in (self._sample_at, self._aligned_at) if one is not None]
        return min(times, default=None)

    def look(self, keys: Configuration, charging: bool, at: At) -> list[tuple[str, str]]:
        """What is due: the key that names its measurands, and its context."""
        found = []
        every_s = keys.number("MeterValueSampleInterval")
        if not charging or not every_s:
            self._sample_at = None
        elif self._sample_at is None or at.clock >= self._sample_at:
            if self._sample_at is not None:
                found.append(("MeterValuesSampledData", PERIODIC))
            self._sample_at = at.clock + every_s
        aligned_s = keys.number("ClockAlignedDataInterval")
        if not aligned_s:
            self._aligned_at = None
        elif self._aligned_at is None or at.clock >= self._aligned_at:
            if self._aligned_at is not None:
                found.append(("MeterValuesAlignedData", ALIGNED))
            self._aligned_at = at.clock + to_aligned_s(at.wall, aligned_s)
        return found


def to_aligned_s(now: datetime, every_s: int) -> float:
    """Seconds to the clock's next multiple of so many seconds from midnight (UTC); each day begins
    anew, also where they do not divide it."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    past = now - midnight
    then_s = (past // timedelta(seconds=every_s) + 1) * every_s
    return float(min(then_s, A_DAY_S)) - past.total_seconds()
