from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core.charger import MAX_STEP_S, EmulatedCharger, Reading


def supplying(target_wh: int = 20_000, power_w: int = 22_000, scale: float = 1.0,
              from_wh: int = 0) -> EmulatedCharger:  # fmt: skip
    charger = EmulatedCharger(scale)
    charger.plug()
    charger.close_contactor(target_wh, power_w, from_wh)
    return charger


def charge_whole(charger: EmulatedCharger, step_s: float = 1.0) -> list[Reading]:
    """Readings until the car is full."""
    readings = [charger.step(step_s)]
    while not readings[-1].full:
        assert len(readings) < 100_000
        readings.append(charger.step(step_s))
    return readings


@given(
    st.integers(1, 50_000), st.integers(100, 350_000), st.floats(0.1, 500),
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
)  # fmt: skip
def test_energy_never_falls_and_never_passes_the_target(
    target: int, power: int, scale: float, steps: list[float]
) -> None:
    charger = supplying(target, power, scale)
    readings = [charger.step(step) for step in steps]
    energies = [0, *(reading.energy_wh for reading in readings)]
    assert all(one <= two <= target for one, two in itertools.pairwise(energies))
    assert all(0 <= reading.power_w <= power for reading in readings)
    assert all(reading.full == (reading.energy_wh == target) for reading in readings)


@pytest.mark.parametrize("target", [1, 999, 20_000])
@pytest.mark.parametrize("scale", [1, 60, 10_000])
def test_a_charge_ends_exactly_at_what_was_asked(target: int, scale: float) -> None:
    last = charge_whole(supplying(target, scale=scale))[-1]
    assert (last.energy_wh, last.power_w, last.full) == (target, 0, True)


def test_power_ramps_up_stays_and_tapers() -> None:
    powers = [reading.power_w for reading in charge_whole(supplying(20_000, 22_000))]
    assert powers[0] < powers[2] < powers[4] <= 22_000
    assert powers[10] == powers[1_000] == 22_000
    assert powers[-2] < 22_000 / 4
    tapering = powers[powers.index(22_000) :]
    assert all(two <= one for one, two in itertools.pairwise(tapering))


@pytest.mark.parametrize("how", ["unplug", "open_contactor", "fault"])
def test_it_stops_at_once_and_keeps_its_register(how: str) -> None:
    charger = supplying()
    before = [charger.step(1.0) for _ in range(20)][-1]
    if how == "fault":
        charger.set_fault("hot")
    else:
        getattr(charger, how)()
    after = [charger.step(1.0) for _ in range(20)][-1]
    assert (after.energy_wh, after.power_w) == (before.energy_wh, 0)


def test_a_cleared_fault_does_not_close_the_contactor() -> None:
    charger = supplying()
    charger.step(2.0)
    charger.set_fault("hot")
    charger.set_fault(None)
    charger.plug()
    assert charger.step(2.0).power_w == 0


def test_frozen_for_an_hour_it_meters_two_seconds() -> None:
    warm, other = supplying(), supplying()
    for _ in range(30):
        warm.step(1.0), other.step(1.0)
    assert warm.step(3_600.0) == other.step(MAX_STEP_S)
    assert warm.step(0.0).energy_wh <= 22_000 * 32 // 3_600


def test_a_clock_that_runs_backwards_takes_nothing_away() -> None:
    charger = supplying()
    before = [charger.step(1.0) for _ in range(10)][-1]
    assert charger.step(-86_400.0).energy_wh == before.energy_wh


def test_time_scale_fills_faster_at_the_same_power() -> None:
    slow = charge_whole(supplying(scale=1))
    fast = charge_whole(supplying(scale=60))
    assert len(slow) / len(fast) == pytest.approx(60, rel=0.05)
    assert max(r.power_w for r in fast) <= 22_000


def test_it_goes_on_from_what_was_delivered() -> None:
    charger = supplying(10_000, from_wh=9_000)
    assert charger.step(0.0).energy_wh == 9_000
    assert charge_whole(charger)[-1].energy_wh == 10_000


@pytest.mark.parametrize(("power", "phases"), [(3_700, 1), (7_400, 1), (11_000, 3), (22_000, 3)])
def test_current_fits_power_and_voltage(power: int, phases: int) -> None:
    charger = supplying(power_w=power)
    reading = [charger.step(1.0) for _ in range(10)][-1]
    assert reading.current_a * reading.voltage_v * phases == pytest.approx(power, rel=0.01)
