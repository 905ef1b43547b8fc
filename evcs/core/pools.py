"""Pools: CPs whose Engines share a process, and whose Monitors share another.

A pool's member file says whom it hosts, each with its placement: at boot it asks nobody else. The
gateway, which plays both roles of each real charger's CP, is one of them by its files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from evcs.core.errors import BadValue
from evcs.core.ids import is_cp_id, is_word
from evcs.core.strict_json import NotJson
from evcs.core.strict_json import parse as parse_json

#: CPs of a pool, at most.
SIZE = 500
MAX_NUMBER = 10_000
ENGINES, MONITORS = "engines", "monitors"
ROLES = (ENGINES, MONITORS)
#: The unit of all real chargers, and its one process.
OCPP, GATEWAY = "_ocpp", "gateway"
#: No id begins so.
_NAME = re.compile(r"_pool-([1-9][0-9]{0,4})", re.ASCII)

#: CP -> the token of its placement.
Members = Mapping[str, str]


def name(number: int) -> str:
    """The pool's name, which its group, its files and its locks have."""
    return f"_pool-{number}"


def number(name: str) -> int | None:
    """The number of the pool of that name; None where it names none."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found is not None and int(found[1]) <= MAX_NUMBER else None


def is_shared(unit: str) -> bool:
    """Whether the unit of that name hosts many CPs, by a member file."""
    return unit == OCPP or number(unit) is not None


def checked(unit: str) -> str:
    """Give the name of such a unit back. Raises BadValue for another."""
    if not is_shared(unit):
        raise BadValue(f"{unit[:40]!a} is no pool", "such as _pool-1")
    return unit


def roles(unit: str) -> tuple[str, ...]:
    """The processes of such a unit, by their names in its group."""
    return (GATEWAY,) if unit == OCPP else ROLES


def file_name(unit: str) -> str:
    """The member file of such a unit in conf/pools. Raises BadValue."""
    return f"{checked(unit)}.json"


def render(members: Members) -> str:
    """The whole member file."""
    return json.dumps({"members": dict(sorted(members.items()))}, indent=0) + "\n"


def parse(raw: bytes) -> dict[str, str]:
    """The members of a file. Raises BadValue where it isn't one."""
    try:
        found = parse_json(raw, unique=True)
    except NotJson as error:
        raise BadValue(str(error)) from None
    members = found.get("members") if isinstance(found, dict) else None
    if not isinstance(members, dict):
        raise BadValue("it has no members")
    for cp, token in members.items():
        if not (is_cp_id(cp) and isinstance(token, str) and is_word(token)):
            raise BadValue(f"{cp[:40]!a} is no member")
    return members
