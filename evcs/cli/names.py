"""Names as they are typed: those that there are, and the nearest to one that there isn't."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from evcs.adapters import registry_db
from evcs.core.errors import EvcsError, NotFound
from evcs.core.ids import is_id, range_meant, same
from evcs.core.stored import Stored
from evcs.home import Home


def stored(home: Home) -> Stored | None:
    """What the Registry keeps, straight from its store: quick, and needs nothing that runs."""
    with suppress(EvcsError, OSError):
        return registry_db.peek(home.registry_json)[0]
    return None


def cps(home: Home) -> list[str]:
    """The CPs that the Registry knows."""
    found = stored(home)
    return list(found.cps) if found else []


def drivers(home: Home) -> list[str]:
    """The drivers that the Registry knows."""
    found = stored(home)
    return list(found.drivers) if found else []


def no_cp(name: str, known: Iterable[str]) -> NotFound:
    """No such CP, with the nearest name."""
    return _missing("CP", name, known, "list them with: evcs-cp list")


def no_cps(missing: Sequence[str], known: Iterable[str]) -> NotFound:
    """The same of several: the first, and how many there are not."""
    first = no_cp(missing[0], known)
    more = len(missing) - 1
    return NotFound(f"{first.message}, nor {more} more of these", first.hint) if more else first


def no_driver(name: str, known: Iterable[str], otherwise: str = "") -> NotFound:
    """No such driver, with the nearest name."""
    return _missing("driver", name, known, otherwise or f"add it: evcs driver add {name}")


def missing(home: Home, cp: str | None, driver: str | None = None) -> NotFound | None:
    """What is wrong where nothing is found of these: one is not there."""
    found = stored(home)
    if found is None:
        return None
    if cp is not None and cp not in found.cps:
        return no_cp(cp, found.cps)
    if driver is not None and driver not in found.drivers:
        return no_driver(driver, found.drivers, "list them with: evcs driver list")
    return None


def hint(name: str, known: Iterable[str], otherwise: str) -> str:
    """What may have been meant; where nothing is near, what else to do."""
    near = _nearest(name, list(known))
    return f"did you mean {near}?" if near else otherwise


def _missing(what: str, name: str, known: Iterable[str], otherwise: str) -> NotFound:
    named = name if is_id(name) else ascii(name[:60])
    meant = range_meant(name) if what == "CP" else None
    found = f"did you mean '{meant}'?" if meant else hint(name, known, otherwise)
    return NotFound(f"no {what} {named}", found)


def _nearest(name: str, known: list[str]) -> str | None:
    """The name that was meant. Another number is another CP, not a slip of the finger."""
    import difflib

    by_form = {same(one): one for one in reversed(known)}
    if same(name) in by_form:
        return by_form[same(name)]
    shape = _shape(name)
    others = [form for form in by_form if _shape(form) != shape]
    near = difflib.get_close_matches(same(name), others, 1, 0.6)
    return by_form[near[0]] if near else None


def _shape(name: str) -> str:
    return re.sub("[0-9]", "0", same(name))
