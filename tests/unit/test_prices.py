from __future__ import annotations

import pytest

from evcs.core import desired, prices
from evcs.core.messages import DesiredCp

NINE, TEN, ELEVEN = (f"2026-11-22T{hour}:00:00.000Z" for hour in ("09", "10", "11"))


def cp_of(*changes: tuple[str, str]) -> DesiredCp:
    """A CP whose price was set at these times: (at, price)."""
    found: DesiredCp | None = None
    for at, price in changes:
        after = (found or desired.new_cp({"id": "CP-1"}))._replace(price_eur_kwh=price)
        found = prices.priced(found, after, at)
    assert found is not None
    return found


def test_a_price_is_that_of_its_time() -> None:
    cp = cp_of((NINE, "0.30"), (TEN, "0.40"), (ELEVEN, "0.35"))
    assert prices.price_at(cp, "2026-11-22T09:59:59.999Z") == "0.30"
    assert prices.price_at(cp, TEN) == "0.40"
    assert prices.price_at(cp, "2027-01-01T00:00:00.000Z") == "0.35"


def test_before_the_history_the_first_price_holds() -> None:
    assert prices.price_at(cp_of((TEN, "0.30"), (ELEVEN, "0.40")), NINE) == "0.30"


def test_what_is_no_new_price_makes_no_history() -> None:
    assert cp_of((NINE, "0.30"), (TEN, "0.30")).prices == ((NINE, "0.30"),)


def test_a_clock_set_back_keeps_the_order() -> None:
    cp = cp_of((TEN, "0.30"), (NINE, "0.40"))
    assert cp.prices == ((TEN, "0.30"), (TEN, "0.40"))
    assert prices.price_at(cp, TEN) == "0.40"


def test_the_history_is_bounded_and_keeps_the_newest() -> None:
    cp = cp_of(*((f"{NINE[:11]}09:00:{n:02d}.000Z", f"0.{n:02d}") for n in range(50)))
    assert len(cp.prices) == prices.KEPT
    assert cp.prices[-1][1] == cp.price_eur_kwh == "0.49"
    assert prices.check([list(pair) for pair in cp.prices]) == cp.prices


@pytest.mark.parametrize("at", [NINE, ELEVEN])
def test_a_cp_without_a_history_has_its_price(at: str) -> None:
    assert prices.price_at(desired.new_cp({"id": "CP-1"}), at) == "0.30"
