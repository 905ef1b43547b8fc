"""Sampled values, as chargers of all kinds tell them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp.readings import ENERGY, ChargerReading, latest, reading


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([{"value": "1500"}], ChargerReading(1_500)),
        ([{"value": "1.5", "unit": "kWh", "measurand": ENERGY}], ChargerReading(1_500)),
        ([{"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}}], ChargerReading(1_500)),
        ([{"value": 2, "unitOfMeasure": {}}], ChargerReading(2)),
        ([{"value": "7.4", "unit": "kW", "measurand": "Power.Active.Import"}],
         ChargerReading(None, 7_400)),
        ([{"value": str(one), "phase": f"L{one}", "measurand": "Power.Active.Import"}
          for one in (1, 2, 3)], ChargerReading(None, 6)),
        ([{"value": "10", "phase": "L1"}, {"value": "25"}], ChargerReading(25)),
        ([{"value": "231", "measurand": "Voltage", "phase": "L1-N"},
          {"value": "16", "measurand": "Current.Import", "phase": "L1"},
          {"value": "15", "measurand": "Current.Import", "phase": "L2"}],
         ChargerReading(None, 31 * 231, 231.0, 16.0)),
        ([{"value": "10", "measurand": "Current.Import"}], ChargerReading(None, 2_300, None, 10.0)),
        ([{"value": "55", "measurand": "SoC", "unit": "Percent"}], ChargerReading()),
        ([{"value": "9", "location": "Inlet"}], ChargerReading()),
        ([{"value": "abc"}], ChargerReading(refused=1)),
        ([{"value": "-5"}], ChargerReading(refused=1)),
        ([{"value": "NaN"}], ChargerReading(refused=1)),
        ([{"value": "1e400"}], ChargerReading(refused=1)),
        ([{"value": 10**400}], ChargerReading(refused=1)),
        ([{"value": "0A12", "format": "SignedData"}], ChargerReading(refused=1)),
        ([{"value": "5", "unit": "varh"}], ChargerReading(refused=1)),
        (
            [{"value": 5, "unitOfMeasure": {"unit": "Wh", "multiplier": 400}}],
            ChargerReading(refused=1),
        ),
    ],
)  # fmt: skip
def test_reading(samples: list[dict[str, Any]], expected: ChargerReading) -> None:
    assert reading(samples) == expected


def test_of_several_the_last_that_was_told_counts() -> None:
    """Some tell each measurand by itself."""
    told = [[{"value": "1500"}], [{"value": "7000", "measurand": "Power.Active.Import"}],
            [{"value": "55", "measurand": "SoC"}], [{"value": "-1"}]]  # fmt: skip
    assert latest(map(reading, told)) == ChargerReading(1_500, 7_000, refused=1)
    assert latest(map(reading, [*told, [{"value": "1600"}]])).register_wh == 1_600
    assert latest([]) == ChargerReading()


_TEXTS = st.none() | st.text()
_UNITS = st.dictionaries(st.sampled_from(["unit", "multiplier"]), _TEXTS | st.integers())


@given(st.lists(st.fixed_dictionaries(
    {"value": _TEXTS | st.floats() | st.integers()},
    optional={"unitOfMeasure": _UNITS,
              **dict.fromkeys(("unit", "format", "phase", "location", "measurand"), _TEXTS)},
)))  # fmt: skip
def test_no_value_breaks_it(samples: list[dict[str, Any]]) -> None:
    found = reading(samples)
    assert found.register_wh is None or found.register_wh >= 0
