"""The Registry's rules: what may be wanted of a CP, driver or circuit, checked for every edge.

CLI, HTTP, page and files all end here. An error names the field, what was given and what
is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sized
from typing import Any, NamedTuple

from evcs.core import back_ends, circuits, stations, units
from evcs.core.errors import BadValue
from evcs.core.ids import FORGOTTEN, MAX_EXPANSION, MAX_LISTED, MAX_TEXT, check_id, same
from evcs.core.messages import Circuit, DesiredCp
from evcs.core.placement import MAIN, OCPP, POOL, PROCESS, is_moving

Rules = Mapping[str, Callable[[object], Any]]

SERVICE = ("in", "out")
HOSTINGS = (PROCESS, POOL, OCPP)


def _location(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
        raise BadValue(
            f"location: {ascii(value)[:60]} is not allowed",
            f"allowed: text of at most {MAX_TEXT} characters, without NUL",
        )
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadValue("location: a lone surrogate is not text", "allowed: any text") from None
    return value


def _service(value: object) -> str:
    if value not in SERVICE:
        raise BadValue(f"service: {ascii(value)[:60]} is not allowed", 'allowed: "in" or "out"')
    return str(value)


def _price(value: object) -> str:
    return str(units.price("price_eur_kwh", value))


def _power(value: object) -> int:
    return units.whole("max_power_w", value, 1, units.MAX_POWER_W)


def _host(value: object) -> str:
    """Whether there is such a host is another matter: the Registry knows which there are."""
    return check_id("host", value)


def _hosting(value: object) -> str:
    if value not in HOSTINGS:
        allowed = f"allowed: {', '.join(HOSTINGS)}"
        raise BadValue(f"hosting: {ascii(value)[:60]} is not allowed", allowed)
    return str(value)


def check_count(cps: Sized) -> None:
    """Whether so many may be made at once: as many as one pattern gives. Raises BadValue."""
    if len(cps) > MAX_EXPANSION:
        raise BadValue("too many CPs at once", f"at most {MAX_EXPANSION}")


#: The fields that may be given, each with its rule.
FIELDS: Rules = {
    "location": _location,
    "price_eur_kwh": _price,
    "max_power_w": _power,
    "service": _service,
    "host": _host,
    "hosting": _hosting,
    "station": stations.station,
    "connector": stations.connector,
    "ocpp_id": stations.ocpp_id,
    "circuit": circuits.name_or_none("circuit"),
    **back_ends.FIELDS,
}


def checked(
    given: object, what: str, extra: tuple[str, ...] = (), fields: Rules = FIELDS
) -> dict[str, Any]:
    """The fields of a JSON object, each by its rule; others than `extra` are refused."""
    if not isinstance(given, Mapping):
        raise BadValue(f"{what}: a JSON object is needed", f"allowed: {', '.join(fields)}")
    unknown = [key for key in given if key not in fields and key not in extra]
    if unknown:
        allowed = ", ".join((*extra, *fields))
        raise BadValue(f"unknown field {ascii(unknown[0])[:60]}", f"allowed: {allowed}")
    return {name: rule(given[name]) for name, rule in fields.items() if name in given}


def new_cp(given: object, host: str = MAIN) -> DesiredCp:
    """The CP that a creation asks for, with defaults. Raises BadValue."""
    fields = checked(given, "a CP", ("id", *back_ends.SECRETS))
    assert isinstance(given, Mapping)
    if "id" not in given:
        raise BadValue("id is missing", 'a CP needs an id, such as "CP-001"')
    cp = check_id("CP", given["id"])
    hosting = fields.get("hosting", PROCESS)
    secrets = {field: given[field] for field in back_ends.SECRETS if field in given}
    back_end = back_ends.placed(cp, hosting, {**fields, **secrets})
    of_charger = {name: one for name, one in fields.items() if name not in back_end}
    return DesiredCp(
        cp=cp,
        id=cp,
        service=fields.get("service", "in"),
        price_eur_kwh=fields.get("price_eur_kwh", units.DEFAULT_PRICE_EUR_KWH),
        max_power_w=fields.get("max_power_w", units.DEFAULT_MAX_POWER_W),
        location=fields.get("location", ""),
        host=fields.get("host", host),
        revoked=False,
        deleted=False,
        revision=0,
        hosting=hosting,
        circuit=fields.get("circuit"),
        **{**stations.placed(cp, hosting, of_charger), **back_end},
    )


def edited(cp: DesiredCp, given: object) -> DesiredCp:
    """The CP after a change of some fields; the same value where nothing changes."""
    after = cp._replace(**checked(given, "a change"))
    stations.check_edit(cp, after)
    back_ends.check_edit(cp, after)
    return after


def new_circuit(given: object) -> Circuit:
    """The circuit that a creation asks for. Raises BadValue."""
    fields = checked(given, "a circuit", ("name",), circuits.FIELDS)
    assert isinstance(given, Mapping)
    if "name" not in given:
        raise BadValue("name is missing", 'a circuit needs one, such as "GARAGE"')
    name = check_id("circuit", given["name"])
    if "max_power_w" not in fields:
        raise BadValue(f"circuit {name}: max_power_w is missing", "say what it carries")
    return Circuit(name, **fields)


def edited_circuit(circuit: Circuit, given: object) -> Circuit:
    """The circuit after a change of some fields."""
    return circuit._replace(**checked(given, "a change", fields=circuits.FIELDS))


def driver_id(given: object) -> str:
    """The driver that a creation asks for. Raises BadValue."""
    if not isinstance(given, Mapping) or set(given) != {"id"}:
        raise BadValue("a driver needs an id and nothing else", 'such as {"id": "ALICE"}')
    return driver_name(given["id"])


def driver_name(value: object) -> str:
    """An id that a driver may have. Raises BadValue."""
    driver = check_id("driver", value)
    if same(driver).startswith(FORGOTTEN):
        raise BadValue(
            f"driver id {driver} is reserved", f"choose one without {FORGOTTEN} in front"
        )
    return driver


_TAG = re.compile(r"[!-~]([ -~]{0,34}[!-~])?")


def tag(value: object) -> str:
    """What a charger reads off a card. Raises BadValue."""
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise BadValue(
            f"tag {ascii(value)[:60]} is not allowed",
            "allowed: 1 to 36 printed ASCII characters, no space at either end, such as 04A1B2C3",
        )
    return value


def tags(value: object) -> tuple[str, ...]:
    """A driver's cards. Raises BadValue."""
    if not isinstance(value, list | tuple) or len(value) > MAX_LISTED:
        raise BadValue("tags: a list is needed", f"allowed: at most {MAX_LISTED} tags")
    return tuple(map(tag, value))


class TagChange(NamedTuple):
    """Tags that a driver is to have, and those that he is not to have any more."""

    add: tuple[str, ...]
    remove: tuple[str, ...]

    def applied(self, before: tuple[str, ...]) -> tuple[str, ...]:
        """The tags after it. Raises BadValue where they are too many."""
        gone = set(map(same, self.remove))
        found = {same(one): one for one in (*self.add, *before) if same(one) not in gone}
        return tags(sorted(found.values()))


def tag_change(given: object) -> TagChange:
    """What is asked for of a driver's tags. Raises BadValue."""
    if not isinstance(given, Mapping) or not given or not set(given) <= {"add_tags", "remove_tags"}:
        raise BadValue("a JSON object is needed", 'such as {"add_tags": ["04A224D2"]}')
    return TagChange(tags(given.get("add_tags", ())), tags(given.get("remove_tags", ())))


#: Of a record what whoever may look is shown, and what the operator is: who knows a card can charge
#: with it. What is between Registry and places is for nobody else.
FOR_ALL = frozenset({
    "id", "service", "price_eur_kwh", "max_power_w", "location", "host", "revoked", "deleted",
    "revision", "hosting", "pool", "station", "connector", "ocpp_id", "circuit", "fallback_w",
    "backend", "ocpp",
})  # fmt: skip
FOR_OPERATOR = FOR_ALL | {"token"}


def to_json(cp: DesiredCp, shown: frozenset[str] = FOR_ALL) -> dict[str, Any]:
    """A CP as the HTTP interfaces give it."""
    found = {name: value for name, value in cp._asdict().items() if name in shown}
    return {**found, "moving": is_moving(cp)}
