"""Energy, power, money and time as the contract writes them.

Energy is an integer of Wh, power an integer of W, money an exact decimal that is
rounded half-even to cents once, when a ticket is made; times are RFC 3339 UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from evcs.core.errors import BadValue

_MONEY = re.compile(r"\d{1,3}(\.\d{1,4})?", re.ASCII)
_COST = re.compile(r"-?\d{1,16}\.\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_DECIMAL = re.compile(r"\d{1,6}(\.\d{1,3})?", re.ASCII)

DEFAULT_PRICE_EUR_KWH = "0.30"
DEFAULT_MAX_POWER_W = 22_000
MAX_POWER_W = 1_000_000
DEFAULT_ENERGY_WH = 20_000
MAX_ENERGY_WH = 1_000_000


def is_time(text: str) -> bool:
    """Whether it is an RFC 3339 time in UTC, as the contract writes one."""
    try:
        return _TIME.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:  # the 32nd of a month
        return False


def is_cost(text: str) -> bool:
    """Whether it is EUR to the cent, as a ticket or its correction has it."""
    return _COST.fullmatch(text) is not None


def written(moment: datetime) -> str:
    """A moment as the contract writes it, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def or_none(rule: Callable[[object], Any]) -> Callable[[object], Any]:
    """The rule of a field that may have none."""
    return lambda value: None if value is None else rule(value)


def price(field: str, value: object) -> Decimal:
    """EUR a kWh from its string form ("0.30"), at most 999.9999. Raises BadValue."""
    if not isinstance(value, str) or not _MONEY.fullmatch(value):
        raise BadValue(
            f"{field}: {ascii(value)[:60]} is not a price",
            f'{_with_a_point(value, _MONEY)}allowed: a decimal string of EUR such as "0.30", '
            "0 to 999.9999",
        )
    return Decimal(value)


def _with_a_point(value: object, rule: re.Pattern[str]) -> str:
    """How a decimal with a comma is written here; "" for what is none."""
    meant = value.replace(",", ".") if isinstance(value, str) and "," in value else ""
    return f"with a point: {meant}; " if rule.fullmatch(meant) else ""


def cost_eur(energy_wh: int, price_eur_kwh: str) -> str:
    """What `energy_wh` costs, rounded half-even to cents: ("1.24"). A price of "" is none: 0."""
    exact = Decimal(energy_wh) * Decimal(price_eur_kwh or 0) / 1000
    return str(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN))


def difference_eur(cost: str, before: str) -> str:
    """What one cost is more than another, signed: ("-0.05")."""
    return str(Decimal(cost) - Decimal(before))


def thousands(field: str, value: object, highest: int, lowest: int = 1) -> int:
    """An integer of W or Wh from a decimal of kW or kWh ("7.4" gives 7400). Raises BadValue."""
    text = str(value)
    number = int(Decimal(text) * 1000) if _DECIMAL.fullmatch(text) else -1
    if not lowest <= number <= highest:
        raise BadValue(
            f"{field}: {text[:40]!a} is not allowed",
            f"{_with_a_point(text, _DECIMAL)}allowed: a decimal from {lowest / 1000:g} "
            f"to {highest // 1000}",
        )
    return number


def whole(field: str, value: object, lowest: int, highest: int) -> int:
    """An integer within bounds, never a bool or string; 7400.0 is one. Raises BadValue."""
    if type(value) is float and value.is_integer():
        value = int(value)  # JSON knows one kind of number
    if type(value) is not int or not lowest <= value <= highest:
        raise BadValue(
            f"{field}: {ascii(value)[:60]} is not allowed",
            f"allowed: a whole number from {lowest} to {highest}",
        )
    return value
