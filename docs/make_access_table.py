"""Draws who may say and hear what into docs/security.md: `docs/make_access_table.py [--check]`.

The table follows from the broker's own access list, conf/mosquitto.acl, and from the topics
that evcs/core/topics.py spells, so it can't say anything else than the two do. With --check
nothing is written, and a stale table makes it exit 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from evcs.core import topics  # noqa: E402

PAGE = ROOT / "docs" / "security.md"
ACL = ROOT / "conf" / "mosquitto.acl"
_BLOCK = re.compile(r"(<!-- access -->\n).*?(<!-- /access -->)", re.DOTALL)

#: Column -> identity: one of each kind.
IDENTITIES = {
    "Registry": "registry",
    "Central": "central",
    "web": "web",
    "manager": "manager/main",
    "gateway": "gateway/main",
    "Engine": "cp/CP-001/engine",
    "Monitor": "cp/CP-001/monitor",
    "driver": "driver/ALICE",
    "meter": "meter/garage",
    "operator": "operator",
    "inspector": "inspector",
}
#: Levels of a topic: the column's own, another's.
OWN = {"cp": "CP-001", "driver": "ALICE", "host": "main", "station": "CP-001",
       "name": "garage"}  # fmt: skip
OTHER = {"cp": "CP-002", "driver": "BOB", "host": "other", "station": "CP-002",
         "name": "house"}  # fmt: skip
ACCESS = ("read", "write", "deny")
#: What is spelled out, in this order.
FIXED = {
    "{asker}": ("operator", "web"),
    "{service}/{host}": ("manager/{host}", "gateway/{host}"),
    "{service}": ("central", "registry", "web"),
}
SHOWN = {"cp": "<CP>", "driver": "<D>", "host": "<host>", "station": "<S>", "name": "<C>"}


class Rule(NamedTuple):
    """A line of the access list. `user` is None for a pattern, which is for all."""

    user: str | None
    access: str
    filter: str


def rules(text: str) -> list[Rule]:
    """The lines of an access list. Raises ValueError for one of another form."""
    found: list[Rule] = []
    user: str | None = None
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "user" and len(words) == 2:
            user = words[1]
        elif words[0] in ("pattern", "topic") and words[1] in ACCESS:
            found.append(Rule(None if words[0] == "pattern" else user, words[1], words[2]))
        else:
            raise ValueError(f"a line that is not understood: {line}")
    return found


def allowed(acl: list[Rule], identity: str, access: str, topic: str) -> bool:
    """Whether the access list lets the identity "read" or "write" the topic.

    As the broker has it: first the user's own lines, then denials for all, then what all may.
    """

    def hit(user: str | None, kind: str) -> bool:
        return any(
            rule.user == user
            and rule.access == kind
            and _matches(rule.filter.replace("%u", identity), topic)
            for rule in acl
        )

    return hit(identity, access) or (hit(None, access) and not hit(None, "deny"))


def _matches(filter_: str, topic: str) -> bool:
    wanted, found = filter_.split("/"), topic.split("/")
    for number, level in enumerate(wanted):
        if level == "#":
            return True
        if number >= len(found) or level not in ("+", found[number]):
            return False
    return len(wanted) == len(found)


def templates() -> Iterator[str]:
    """Every topic of the contract, with services and askers spelled out."""
    for route in topics.ROUTES:
        name = next((one for one in FIXED if one in route.template), "")
        for value in FIXED.get(name, ("",)):
            yield route.template.replace(name, value)


def _cell(acl: list[Rule], identity: str, template: str) -> str:
    letters = ""
    for access, letter in (("read", "r"), ("write", "w")):
        own, other = (
            allowed(acl, identity, access, topics.PREFIX + template.format(**levels))
            for levels in (OWN, OTHER)
        )
        letters += letter.upper() if own and other and "{" in template else letter if own else ""
    return letters


def table() -> str:
    """The table as Markdown."""
    acl = rules(ACL.read_text(encoding="utf-8"))
    lines = [
        "| below `evcs/v1/` | " + " | ".join(IDENTITIES) + " |",
        "|---" * (len(IDENTITIES) + 1) + "|",
    ]
    for template in templates():
        shown = template.format(**SHOWN)
        cells = [_cell(acl, identity, template) for identity in IDENTITIES.values()]
        lines.append(f"| `{shown}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def drawn(page: str) -> str:
    """The page with the table as it is now. Raises ValueError where it has no place for it."""
    if len(_BLOCK.findall(page)) != 1:
        raise ValueError(f"{PAGE.name} has no <!-- access --> block")
    return _BLOCK.sub(lambda m: f"{m[1]}{table()}{m[2]}", page)


def main(arguments: list[str]) -> None:
    """Write the page, or check it."""
    if arguments not in ([], ["--check"]):
        sys.exit("usage: docs/make_access_table.py [--check]")
    before = PAGE.read_text(encoding="utf-8")
    after = drawn(before)
    if arguments and after != before:
        sys.exit(f"{PAGE} is stale; run: .venv/bin/python docs/make_access_table.py")
    if after != before:
        PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
