"""What the Registry's store may hold: each record by the rules of core.desired, before its use.

Format 2 has a CP's placement and the history of its price, format 3 its charger's station and the
drivers' tags, format 4 circuits, format 5 back ends, format 6 hosts; `migrated` gives them to what
older formats hold, which is one host's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from evcs.core import back_ends, circuits, desired, hosts, pools, prices, stations
from evcs.core.errors import BadValue, EvcsError
from evcs.core.hosts import Host
from evcs.core.ids import check_id, is_word, same
from evcs.core.messages import Circuit, DesiredCp, DesiredDriver
from evcs.core.placement import OCPP, POOL, PROCESS
from evcs.core.units import MAX_POWER_W, or_none, whole

FORMAT = 6
MAX_REVISION = 2**53
TABLES = ("cps", "drivers", "circuits", "hosts", "meta")


class Stored(NamedTuple):
    """A store's content. `revision`: the last that was given to any change."""

    cps: dict[str, DesiredCp]
    drivers: dict[str, DesiredDriver]
    circuits: dict[str, Circuit]
    hosts: dict[str, Host]
    revision: int


def _yes_or_no(field: str) -> Callable[[object], bool]:
    def rule(value: object) -> bool:
        if not isinstance(value, bool):
            raise BadValue(f"{field}: {ascii(value)[:60]} is not allowed", "true or false")
        return value

    return rule


def _revision(value: object) -> int:
    return whole("revision", value, 0, MAX_REVISION)


def _token(value: object) -> str:
    if not isinstance(value, str) or not value or not is_word(value):
        raise BadValue(f"placement: {ascii(value)[:60]} is no token")
    return value


#: A record is kept with its host, be it one that this system does not have: doctor names it.
_CP: dict[str, Callable[[object], Any]] = {
    **desired.FIELDS,
    **{field: or_none(desired.FIELDS[field]) for field in (*stations.FIELDS, *back_ends.FIELDS)},
    "fallback_w": or_none(lambda value: whole("fallback_w", value, 0, MAX_POWER_W)),
    "prices": prices.check,
    "pool": or_none(lambda value: whole("pool", value, 1, pools.MAX_NUMBER)),
    "placement": _token,
    "previous_host": or_none(lambda value: check_id("host", value)),
    "previous_placement": or_none(_token),
    "host": lambda value: check_id("host", value),
    "id": lambda value: check_id("CP", value),
    "revoked": _yes_or_no("revoked"),
    "deleted": _yes_or_no("deleted"),
    "revision": _revision,
}


_DRIVER: dict[str, Callable[[object], Any]] = {
    "id": desired.driver_name,
    "tags": desired.tags,
}

_CIRCUIT: dict[str, Callable[[object], Any]] = {
    "id": lambda value: check_id("circuit", value),
    **circuits.FIELDS,
}

_HOST: dict[str, Callable[[object], Any]] = {"id": hosts.check_name, **hosts.FIELDS}


def read(tables: object) -> Stored:
    """The content of a store's tables: name -> number -> record. Raises BadValue, naming it."""
    if not isinstance(tables, Mapping) or any(name not in TABLES for name in tables):
        raise BadValue("it does not hold a Registry's tables", f"allowed: {', '.join(TABLES)}")
    cps = [cp_of(one) for one in _records(tables, "cps", _CP)]
    drivers = [driver_of(one) for one in _records(tables, "drivers", _DRIVER)]
    cables = [circuit_of(one) for one in _records(tables, "circuits", _CIRCUIT)]
    there = {one.name: one for one in cables}
    others = [host_of(one) for one in _records(tables, "hosts", _HOST)]
    meta = _records(tables, "meta", {"revision": _revision})
    _once("cps", [cp.id for cp in cps])
    _once("circuits", [one.name for one in cables])
    _once("hosts", [one.name for one in others])
    _once("drivers", [driver.id for driver in drivers])
    _once("tags", [tag for driver in drivers for tag in driver.tags])
    revision = max((one["revision"] for one in meta), default=0)
    if any(cp.revision > revision for cp in cps):
        raise BadValue("a CP's revision is above the store's own")
    connectors = stations.Connectors(())
    try:
        for cp in cps:
            connectors.take(cp)
        circuits.check(there, cps)
    except EvcsError as error:
        raise BadValue(error.message, error.hint) from None
    fallbacks = circuits.fallbacks(there, cps)
    for cp in cps:
        if cp.fallback_w != fallbacks.get(cp.id):
            raise BadValue(f"CP {cp.id}: its fallback does not fit its circuit")
    return Stored(
        {cp.id: cp for cp in cps},
        {driver.id: driver for driver in drivers},
        there,
        {one.name: one for one in others},
        revision,
    )


def driver_of(record: Mapping[str, Any]) -> DesiredDriver:
    """The driver that a record is of."""
    return DesiredDriver(record["id"], record["id"], tuple(record["tags"]))


def circuit_of(record: Mapping[str, Any]) -> Circuit:
    """The circuit that a record is of."""
    return Circuit(name=record["id"], **{field: record[field] for field in circuits.FIELDS})


def host_of(record: Mapping[str, Any]) -> Host:
    """The host that a record is of."""
    return Host(name=record["id"], **{field: record[field] for field in hosts.FIELDS})


def cp_of(record: Mapping[str, Any]) -> DesiredCp:
    """The CP that a checked record is of. Raises BadValue where its fields don't fit each other."""
    history = tuple((since, price) for since, price in record["prices"])
    cp = DesiredCp(cp=record["id"], **{**record, "prices": history})
    if not cp.prices or cp.prices[-1][1] != cp.price_eur_kwh:
        raise BadValue(f"CP {cp.id}: its price is not the last of its prices")
    if (cp.previous_host is None) != (cp.previous_placement is None):
        raise BadValue(f"CP {cp.id}: it moves from a place that is half named")
    if (cp.hosting == POOL) != (cp.pool is not None):
        raise BadValue(f"CP {cp.id}: its pool does not fit its hosting")
    for field in stations.FIELDS:
        has = cp.hosting == OCPP or (field == "ocpp_id" and cp.backend is not None)
        if has != (getattr(cp, field) is not None):
            raise BadValue(f"CP {cp.id}: its {field} does not fit its hosting")
    if (cp.ocpp is None) != (cp.backend is None) or (cp.token and not cp.backend):
        raise BadValue(f"CP {cp.id}: what is said of its back end does not fit")
    return cp


def migrated(tables: Any, kept_format: int) -> Any:
    """The tables of an older format as today's; what isn't a record stays for `read` to name.

    The tokens are the same however often it is read before it is written.
    """
    if kept_format < 2:
        tables = _each(tables, "cps", _placed)
    if kept_format < 3:
        tables = _each(tables, "cps", lambda one: {**one, **dict.fromkeys(stations.FIELDS)})
        tables = _each(tables, "drivers", lambda one: {**one, "tags": []})
    if kept_format < 4:
        tables = _each(tables, "cps", lambda one: {**one, "circuit": None, "fallback_w": None})
    if kept_format < 5:
        tables = _each(tables, "cps", lambda one: {**one, **dict.fromkeys(back_ends.FIELDS)})
    return tables


def _each(tables: Any, table: str, change: Callable[[Any], Any]) -> Any:
    return {**tables, table: {key: change(one) for key, one in tables.get(table, {}).items()}}


def _placed(record: Any) -> Any:
    return {
        **record,
        "prices": [(prices.ALWAYS, record.get("price_eur_kwh"))],
        "hosting": PROCESS,
        "pool": None,
        "placement": f"first-{record.get('revision')}",
        "previous_host": None,
        "previous_placement": None,
    }


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
