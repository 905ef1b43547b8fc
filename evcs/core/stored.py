"""What the Registry's store may hold: each record by the rules of core.desired, before its use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from evcs.core import desired
from evcs.core.errors import BadValue
from evcs.core.ids import check_id, same
from evcs.core.messages import DesiredCp
from evcs.core.units import whole

MAX_REVISION = 2**53
TABLES = ("cps", "drivers", "meta")


class Stored(NamedTuple):
    """A store's content. `revision`: the last that was given to any change."""

    cps: dict[str, DesiredCp]
    drivers: list[str]
    revision: int


def _yes_or_no(field: str) -> Callable[[object], bool]:
    def rule(value: object) -> bool:
        if not isinstance(value, bool):
            raise BadValue(f"{field}: {ascii(value)[:60]} is not allowed", "true or false")
        return value

    return rule


def _revision(value: object) -> int:
    return whole("revision", value, 0, MAX_REVISION)


#: A record is kept with its host, be it one that this system does not have: doctor names it.
_CP: dict[str, Callable[[object], Any]] = {
    **desired.FIELDS,
    "host": lambda value: check_id("host", value),
    "id": lambda value: check_id("CP", value),
    "revoked": _yes_or_no("revoked"),
    "deleted": _yes_or_no("deleted"),
    "revision": _revision,
}


def read(tables: object) -> Stored:
    """The content of a store's tables: name -> number -> record. Raises BadValue, naming it."""
    if not isinstance(tables, Mapping) or any(name not in TABLES for name in tables):
        raise BadValue("it does not hold a Registry's tables", f"allowed: {', '.join(TABLES)}")
    cps = [DesiredCp(cp=one["id"], **one) for one in _records(tables, "cps", _CP)]
    drivers = [one["id"] for one in _records(tables, "drivers", {"id": desired.driver_name})]
    meta = _records(tables, "meta", {"revision": _revision})
    _once("cps", [cp.id for cp in cps])
    _once("drivers", drivers)
    revision = max((one["revision"] for one in meta), default=0)
    if any(cp.revision > revision for cp in cps):
        raise BadValue("a CP's revision is above the store's own")
    return Stored({cp.id: cp for cp in cps}, drivers, revision)


def _records(
    tables: Mapping[str, Any], table: str, rules: Mapping[str, Callable[[object], Any]]
) -> list[dict[str, Any]]:
    records = tables.get(table, {})
    if not isinstance(records, Mapping):
        raise BadValue(f"{table} is not a table")
    return [_record(f"{table} {ascii(key)[:20]}", key, one, rules) for key, one in records.items()]


def _record(
    where: str, key: object, record: object, rules: Mapping[str, Callable[[object], Any]]
) -> dict[str, Any]:
    if not (isinstance(key, str) and key.isascii() and key.isdecimal()):
        raise BadValue(f"{where}: its number is not one")
    if not isinstance(record, Mapping):
        raise BadValue(f"{where}: it is not a record")
    if record.keys() != rules.keys():
        odd = min(map(str, record.keys() ^ rules.keys()))
        raise BadValue(f"{where}: {ascii(odd)[:60]} is missing or unknown")
    try:
        return {name: rule(record[name]) for name, rule in rules.items()}
    except BadValue as error:
        raise BadValue(f"{where}: {error.message}", error.hint) from None


def _once(table: str, ids: list[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if same(one) in seen:
            raise BadValue(f"{table}: {one} stands twice")
        seen.add(same(one))
