"""Pools: CPs whose Engines share a process, and whose Monitors share another.

A pool's member file says whom it hosts, each with its placement: at boot it asks nobody else.
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


def number_of(name: str) -> int:
    """The same of a pool. Raises BadValue for another name."""
    found = number(name)
    if found is None:
        raise BadValue(f"{name[:40]!a} is no pool", "such as _pool-1")
    return found


def file_name(pool: str) -> str:
    """The member file of a pool in conf/pools. Raises BadValue."""
    return f"{name(number_of(pool))}.json"


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
