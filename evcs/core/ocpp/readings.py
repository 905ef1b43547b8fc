"""Sampled values of a charger as one reading, whichever version of OCPP they came in.

OCPP 1.6 edition 2, 7.43 SampledValue, and OCPP 2.0.1 part 2, 2.40 SampledValueType: measurand, unit
and location have defaults; a value may be given in total or by phase.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

ENERGY = "Energy.Active.Import.Register"
POWER = "Power.Active.Import"
VOLTAGE = "Voltage"
CURRENT = "Current.Import"
#: Elsewhere than where the car is.
OTHER_PLACES = frozenset({"Inlet", "Body", "Cable", "EV"})
_SCALES = {"Wh": 1.0, "kWh": 1_000.0, "W": 1.0, "kW": 1_000.0, "V": 1.0, "A": 1.0}
_UNITS = {
    ENERGY: ("Wh", "kWh"), POWER: ("W", "kW"), VOLTAGE: ("V",), CURRENT: ("A",),
}  # fmt: skip
#: Of three phases: their sum, or what one of them has.
_SUMMED = frozenset({ENERGY, POWER})
_PHASES = ("L1", "L2", "L3")
MOST = 10**12
#: Where it is not told.
VOLTAGE_V = 230.0


class ChargerReading(NamedTuple):
    """One reading; None for what was not told. `refused`: how many values can't be."""

    register_wh: int | None = None
    power_w: int | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    refused: int = 0


def reading(samples: Iterable[Mapping[str, Any]]) -> ChargerReading:
    """The reading of the sampled values of one moment, of either version."""
    found: dict[str, dict[str, float]] = {}
    refused = 0
    for sample in samples:
        measurand = sample.get("measurand", ENERGY)
        if measurand not in _UNITS or sample.get("location") in OTHER_PLACES:
            continue
        value = _value(measurand, sample)
        if value is None:
            refused += 1
        else:
            phase = str(sample.get("phase", "")).partition("-")[0]
            found.setdefault(measurand, {})[phase] = value
    totals = {measurand: _total(measurand, of) for measurand, of in found.items()}
    power_w = totals.get(POWER)
    if power_w is None:
        power_w = _power(found.get(CURRENT, {}), found.get(VOLTAGE, {}))
    return ChargerReading(
        _whole(totals.get(ENERGY)), _whole(power_w),
        totals.get(VOLTAGE), totals.get(CURRENT), refused,
    )  # fmt: skip


def latest(readings: Iterable[ChargerReading]) -> ChargerReading:
    """Of several, from old to new: of each value the last that was told."""
    found = ChargerReading()
    for one in readings:
        told = {name: value for name, value in one._asdict().items() if value is not None}
        found = found._replace(**{**told, "refused": found.refused + one.refused})
    return found


def _value(measurand: str, sample: Mapping[str, Any]) -> float | None:
    unit, multiplier = sample.get("unit"), 0
    custom = sample.get("unitOfMeasure")
    if isinstance(custom, Mapping):
        unit, multiplier = custom.get("unit"), custom.get("multiplier", 0)
    unit = _UNITS[measurand][0] if unit is None else unit
    if unit not in _UNITS[measurand] or sample.get("format", "Raw") != "Raw":
        return None
    if not isinstance(multiplier, int) or abs(multiplier) > 12:
        return None
    try:
        value = float(sample["value"]) * _SCALES[unit] * 10.0**multiplier
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and 0 <= value <= MOST else None


def _total(measurand: str, of: Mapping[str, float]) -> float | None:
    """In total where that was told, else by the phases."""
    if "" in of:
        return of[""]
    phases = [of[phase] for phase in _PHASES if phase in of]
    if not phases:
        return None
    return sum(phases) if measurand in _SUMMED else max(phases)


def _power(amps: Mapping[str, float], volts: Mapping[str, float]) -> float | None:
    """By the currents, of all phases, where no power was told."""
    told = [phase for phase in ("", *_PHASES) if phase in amps]
    if not told:
        return None
    most_v = max(volts.values(), default=VOLTAGE_V)
    return sum(amps[one] * volts.get(one, most_v) for one in (told[:1] if "" in told else told))


def register_wh(value: float) -> int:
    """A register that is told by itself: whole, and no other number than one can have."""
    return min(max(int(value), 0), MOST)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
