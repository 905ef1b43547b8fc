"""What a CP's energy costs and has cost: a session has the price of the moment it began.

A history is ((since, EUR/kWh), ...), from old to new, by the Registry's clock (RFC 3339 UTC). A
charger that was offline tells of a charge hours later, and then the price of then is asked for.
"""

from __future__ import annotations

from evcs.core import units
from evcs.core.errors import BadValue
from evcs.core.ids import MAX_LISTED, word_pairs
from evcs.core.messages import DesiredCp

History = tuple[tuple[str, str], ...]

#: A record of a CP stays small; the oldest price goes first.
KEPT = MAX_LISTED
#: Since when a price has been, where nobody wrote it down.
ALWAYS = "1970-01-01T00:00:00.000Z"


def priced(before: DesiredCp | None, after: DesiredCp, at: str) -> DesiredCp:
    """`after` with its price in the history, where it is new. A clock set back is no older."""
    history = before.prices if before is not None else ()
    if history and history[-1][1] == after.price_eur_kwh:
        return after._replace(prices=history)
    since = max(at, history[-1][0]) if history else at
    return after._replace(prices=(*history, (since, after.price_eur_kwh))[-KEPT:])


def price_at(cp: DesiredCp, at: str) -> str:
    """The price at a time; that of a time before the history is its first."""
    price = cp.prices[0][1] if cp.prices else cp.price_eur_kwh
    for since, then in cp.prices:
        if since <= at:
            price = then
    return price


def made_at(cp: DesiredCp) -> str:
    """When it was made; ALWAYS where that is not known."""
    return cp.prices[0][0] if 0 < len(cp.prices) < KEPT else ALWAYS


def check(value: object) -> History:
    """A history as it is kept and told: pairs of text, in order. Raises BadValue."""
    found = word_pairs(value)
    if found is None:
        raise BadValue("prices: not pairs of time and price", f"allowed: at most {KEPT} pairs")
    for _, price in found:
        units.price("prices", price)
    if [since for since, _ in found] != sorted(since for since, _ in found):
        raise BadValue("prices: not from old to new")
    return found
