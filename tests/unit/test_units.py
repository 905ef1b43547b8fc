from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import units
from evcs.core.errors import BadValue

NO_NUMBERS = [
    "NaN", "nan", "inf", "-inf", "Infinity", "-1", "-0.01", "+1", "1e308", "1e1", "", " ", " 1",
    "1 ", "1\n", "1,5", "1_0", ".5", "5.", "1.00001", "1000", "0x10", "\u0663", "½", "1" * 5000,
    0.3, 1, float("nan"), float("inf"), True, None, [], {}, b"1", Decimal("0.3"),
]  # fmt: skip


@pytest.mark.parametrize("text", ["0", "0.0", "0.30", "1", "999.9999", "007.5"])
def test_a_price_is_an_exact_decimal_string(text: str) -> None:
    assert units.price("price_eur_kwh", text) == Decimal(text)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: ascii(value)[:20])
def test_no_other_price_is_taken(value: object) -> None:
    with pytest.raises(BadValue, match="price_eur_kwh"):
        units.price("price_eur_kwh", value)


@pytest.mark.parametrize(
    ("energy_wh", "price", "cost"),
    [
        (0, "0.30", "0.00"),
        (4_133, "0.30", "1.24"),
        (50, "0.10", "0.00"),  # 0.005 goes to the even neighbour,
        (150, "0.10", "0.02"),  # 0.015 too
        (250, "0.10", "0.02"),
        (350, "0.10", "0.04"),
        (1_000_000, "999.9999", "999999.90"),
    ],
)
def test_cost_is_rounded_half_even_to_cents(energy_wh: int, price: str, cost: str) -> None:
    assert units.cost_eur(energy_wh, price) == cost


@given(st.integers(0, 10**9), st.integers(0, 9_999_999))
def test_cost_is_within_half_a_cent_of_the_exact_value(energy_wh: int, price: int) -> None:
    exact = Decimal(energy_wh) * price / 10_000 / 1_000
    found = units.cost_eur(energy_wh, str(Decimal(price) / 10_000))
    assert abs(Decimal(found) - exact) <= Decimal("0.005")
    assert Decimal(found) == exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
    assert found.partition(".")[2].isdigit()
    assert len(found.partition(".")[2]) == 2


@pytest.mark.parametrize(
    ("given_", "watts"), [("7.4", 7_400), ("22", 22_000), ("0.001", 1), ("1000", 1_000_000)]
)
def test_kilowatts_become_whole_watts(given_: str, watts: int) -> None:
    assert units.thousands("max_power_kw", given_, units.MAX_POWER_W) == watts


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "0.0001",
        "-1",
        "nan",
        "inf",
        "1e3",
        "1000.001",
        "9999999",
        "",
        "x",
        "\u0663",
        "1\n",
        True,
    ],
)
def test_other_kilowatts_are_refused(value: object) -> None:
    with pytest.raises(BadValue, match="max_power_kw"):
        units.thousands("max_power_kw", value, units.MAX_POWER_W)


def test_what_may_be_nothing_is_0_at_least() -> None:
    assert units.thousands("other_load_kw", "0", units.MAX_POWER_W, lowest=0) == 0
    with pytest.raises(BadValue, match="other_load_kw"):
        units.thousands("other_load_kw", "-1", units.MAX_POWER_W, lowest=0)


@pytest.mark.parametrize("value", [0, 11, -1, 10**400, True, False, "5", 5.5, 1e400, None, [5]])
def test_a_whole_number_is_an_int_within_bounds_and_nothing_else(value: object) -> None:
    with pytest.raises(BadValue, match="max_power_w"):
        units.whole("max_power_w", value, 1, 10)


def test_both_bounds_of_a_whole_number_are_allowed() -> None:
    assert [units.whole("x", value, 1, 10) for value in (1, 10)] == [1, 10]


def test_a_number_without_a_fraction_is_whole_however_it_is_written() -> None:
    found = units.whole("x", 5.0, 1, 10)
    assert (found, type(found)) == (5, int)
