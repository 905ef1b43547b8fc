"""fleet.toml: text to CPs and back, what to change to get there, and the line of each error.

    [[cp]]
    id = "CP-001"            # or a range: CP-{001..010}
    location = "Car park"
    price_eur_kwh = "0.35"
    max_power_w = 11000
    service = "in"

What isn't given of a CP that exists stays as it is.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from evcs.core.desired import FIELDS
from evcs.core.errors import BadValue, Conflict
from evcs.core.ids import check_id, expand, same
from evcs.core.placement import PROCESS

MAX_BYTES = 4 * 1024 * 1024
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*cp[ \t]*\]\]")
# tomllib's time grows with the square of a key's parts, and no key of ours has two. Texts and
# comments are passed over whole.
_STRING = r"""(?:"(?:\\.|[^"\\\n])*+"|'[^'\n]*+')"""
_PART = rf"(?:[A-Za-z0-9_-]++|{_STRING})"
_MOST_PARTS = 4
_LONG_KEY = re.compile(
    rf"(?P<key>{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MOST_PARTS}}})"
    r"|\"{3}(?:\\.|[^\\])*?\"{3}|'{3}.*?'{3}"
    rf"|{_PART}|\#[^\n]*+",
    re.DOTALL,
)
_TABLE = re.compile(r"^[ \t]*\[")


class Wanted(NamedTuple):
    """A CP as the file has it: the fields that are given, and the line of its id."""

    id: str
    fields: dict[str, Any]
    where: str


class Changes(NamedTuple):
    """What leads from the present fleet to the file's. `edit`: id -> field -> (now, then)."""

    create: list[dict[str, Any]]
    edit: dict[str, dict[str, tuple[Any, Any]]]
    remove: list[str]
    same: int


class _Lines:
    """Where things stand: tomllib doesn't tell, so `[[cp]]` heads are counted."""

    def __init__(self, text: str, items: int) -> None:
        self._lines = text.splitlines()
        heads = [n for n, line in enumerate(self._lines) if _HEADER.match(line)]
        # Another way to write tables, or a head within a text: then only the number is known.
        self._heads = heads if len(heads) == items else []

    def of_key(self, key: str, first: int = 0, last: int | None = None) -> int | None:
        """The line of a key between two lines, from 1."""
        spelled = re.compile(rf"[ \t]*([\"']?){re.escape(key)}\1[ \t]*[=.]")
        for number, line in enumerate(self._lines[first:last], first + 1):
            if spelled.match(line):
                return number
        return None

    def top(self, key: str) -> str:
        """Where a key or table stands at the top level."""
        head = re.compile(rf"[ \t]*\[+[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[\].]")
        hits = (n for n, line in enumerate(self._lines, 1) if head.match(line))
        number = self.of_key(key) or next(hits, None)
        return f"line {number}" if number else "somewhere"

    def item(self, index: int, key: str = "id") -> str:
        """Where a key of the n-th CP stands, or the CP's head."""
        if not self._heads:
            return f"cp number {index + 1}"
        head = self._heads[index]
        tables = (n for n in range(head + 1, len(self._lines)) if _TABLE.match(self._lines[n]))
        return f"line {self.of_key(key, head, next(tables, None)) or head + 1}"


def parse(raw: bytes) -> list[Wanted]:
    """The CPs that a file asks for. Raises BadValue with line and key."""
    text = _text(raw)
    _refuse_long_keys(text)
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadValue(f"not TOML: {error}", "nothing was applied") from None
    except (ValueError, RecursionError) as error:
        raise BadValue(f"not TOML that we take: {type(error).__name__}") from None
    items = found.get("cp", [])
    lines = _Lines(text, len(items) if isinstance(items, list) else 0)
    for key in found:
        if key != "cp":
            raise BadValue(f"{lines.top(key)}: unknown key {_show(key)}", "allowed: [[cp]] tables")
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise BadValue(f"{lines.top('cp')}: cp is not a list of tables", "write [[cp]] for each CP")
    wanted = [one for n, item in enumerate(items) for one in _item(item, n, lines)]
    seen: dict[str, str] = {}
    for one in wanted:
        before = seen.setdefault(same(one.id), one.where)
        if before is not one.where:
            raise BadValue(
                f"{one.where}: id {one.id} stands twice, first in {before}",
                "ids are unique whatever their case",
            )
    return wanted


def _refuse_long_keys(text: str) -> None:
    for found in _LONG_KEY.finditer(text):
        if found["key"]:
            line = text.count("\n", 0, found.start()) + 1
            raise BadValue(
                f"line {line}: a key of more than {_MOST_PARTS} parts", "nothing was applied"
            )


def _text(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        line = raw[:MAX_BYTES].count(b"\n") + 1
        key = raw[:MAX_BYTES].rpartition(b"\n")[2][:40].partition(b"=")[0].strip()
        raise BadValue(
            f"line {line}, at {key.decode('ascii', 'replace')!a}: the file is too large",
            f"allowed: {MAX_BYTES >> 20} MiB",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadValue(f"line {line}: not UTF-8", "save the file as UTF-8") from None


def _item(item: dict[str, Any], index: int, lines: _Lines) -> list[Wanted]:
    where = lines.item(index)
    if "id" not in item:
        raise BadValue(f"{where}: id is missing", 'a CP needs an id, such as "CP-001"')
    given = item["id"]
    try:
        pattern = given if isinstance(given, str) else ""
        names = [check_id("CP", name) for name in expand(pattern)] if pattern else []
        if not names:
            check_id("CP", given)
    except BadValue as error:
        raise BadValue(f"{where}: id: {error.message}", error.hint) from None
    fields = {}
    for key, value in item.items():
        if key == "id":
            continue
        rule = FIELDS.get(key)
        at = f"{lines.item(index, key)}: {_show(str(given))}"
        if rule is None:
            allowed = ", ".join(("id", *FIELDS))
            raise BadValue(f"{at}: unknown key {_show(key)}", f"allowed: {allowed}")
        try:
            fields[key] = rule(value)
        except BadValue as error:
            raise BadValue(f"{at}: {error.message}", error.hint) from None
    # One text for all of a range, so that its members don't count as doubled by each other.
    return [Wanted(name, fields, where) for name in names]


def _show(text: str) -> str:
    return ascii(text[:60])


def diff(wanted: Iterable[Wanted], current: Iterable[Mapping[str, Any]], prune: bool) -> Changes:
    """What to create, edit and, with `prune`, remove. Raises Conflict."""
    there = {cp["id"]: cp for cp in current}
    by_case = {same(cp): cp for cp in there}
    create: list[dict[str, Any]] = []
    edit: dict[str, dict[str, tuple[Any, Any]]] = {}
    unchanged = 0
    named = set()
    for one in wanted:
        named.add(one.id)
        now = there.get(one.id)
        if now is None:
            other = by_case.get(same(one.id))
            if other is not None:
                raise Conflict(f"{one.where}: {one.id} exists as {other}", "write it like that")
            create.append({"id": one.id, **one.fields})
            continue
        changed = {k: (now[k], v) for k, v in one.fields.items() if now[k] != v}
        if changed:
            edit[one.id] = changed
        else:
            unchanged += 1
    remove = sorted(there.keys() - named) if prune else []
    return Changes(create, edit, remove, unchanged)


def render(cps: Iterable[Mapping[str, Any]], host: str) -> str:
    """The file that asks for these CPs; a place is named where it isn't a process on `host`."""
    usual = {"host": host, "hosting": PROCESS}
    parts = ["# A fleet of evcs: evcs-cp apply -f THIS_FILE makes it so.\n"]
    for cp in cps:
        rows = [f"id = {_string(cp['id'])}"]
        for key in FIELDS:
            value = cp.get(key)
            if value is not None and (key not in usual or value != usual[key]):
                rows.append(f"{key} = {value if isinstance(value, int) else _string(value)}")
        parts.append("\n[[cp]]\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _string(text: str) -> str:
    """JSON's escapes are TOML's too; what isn't printed may not stand there as it is."""
    found = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in found)
