"""fleet.toml: text to a fleet and back, what to change to get there, and the line of each error.

    [[cp]]
    id = "CP-001"            # or a range: CP-{001..010}
    location = "Car park"
    price_eur_kwh = "0.35"
    max_power_w = 11000
    service = "in"
    circuit = "GARAGE"       # "" takes it out

    [[circuit]]
    name = "GARAGE"
    max_power_w = 44000
    other_load_w = 20000
    parent = "MAINS"

What isn't given of what exists stays as it is.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from evcs.core import circuits, desired
from evcs.core.desired import FIELDS
from evcs.core.errors import BadValue, Conflict
from evcs.core.ids import check_id, expand, same
from evcs.core.placement import PROCESS

MAX_BYTES = 4 * 1024 * 1024
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


class Kind(NamedTuple):
    """What a table of the file is of: its name for people, the key of its id, its other keys."""

    what: str
    key: str
    rules: desired.Rules


CP, CIRCUIT = Kind("CP", "id", FIELDS), Kind("circuit", "name", circuits.FIELDS)
TABLES = {"cp": CP, "circuit": CIRCUIT}
#: Where "" is none: TOML has no other word for it.
_MAY_BE_NONE = ("circuit", "parent")


class Wanted(NamedTuple):
    """A CP or circuit as the file has it: the fields that are given, and the line of its id."""

    id: str
    fields: dict[str, Any]
    where: str


class Changes(NamedTuple):
    """What leads from what is there to the file's. `edit`: id -> field -> (now, then)."""

    create: list[dict[str, Any]]
    edit: dict[str, dict[str, tuple[Any, Any]]]
    remove: list[str]
    same: int

    def __bool__(self) -> bool:
        return bool(self.create or self.edit or self.remove)

    def applied(self, current: Iterable[Mapping[str, Any]], key: str) -> Iterator[dict[str, Any]]:
        """What is there afterwards."""
        for row in current:
            if row[key] not in self.remove:
                edit = self.edit.get(row[key], {})
                yield {**row, **{field: then for field, (_, then) in edit.items()}}
        yield from self.create


class _Lines:
    """Where things stand: tomllib doesn't tell, so heads such as `[[cp]]` are counted."""

    def __init__(self, text: str, table: str, items: int) -> None:
        self._table, self._lines = table, text.splitlines()
        header = re.compile(rf"^[ \t]*\[\[[ \t]*{re.escape(table)}[ \t]*\]\]")
        heads = [n for n, line in enumerate(self._lines) if header.match(line)]
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

    def item(self, index: int, key: str) -> str:
        """Where a key of the n-th table stands, or its head."""
        if not self._heads:
            return f"{self._table} number {index + 1}"
        head = self._heads[index]
        tables = (n for n in range(head + 1, len(self._lines)) if _TABLE.match(self._lines[n]))
        return f"line {self.of_key(key, head, next(tables, None)) or head + 1}"


def parse(raw: bytes) -> dict[str, list[Wanted]]:
    """What a file asks for, by the name of its table. Raises BadValue with line and key."""
    text = _text(raw)
    _refuse_long_keys(text)
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadValue(f"not TOML: {error}", "nothing was applied") from None
    except (ValueError, RecursionError) as error:
        raise BadValue(f"not TOML that we take: {type(error).__name__}") from None
    for key in found:
        if key not in TABLES:
            allowed = "allowed: [[cp]] and [[circuit]] tables"
            raise BadValue(f"{_Lines(text, key, 0).top(key)}: unknown key {_show(key)}", allowed)
    return {table: _wanted(text, table, found.get(table, [])) for table in TABLES}


def _wanted(text: str, table: str, items: object) -> list[Wanted]:
    lines = _Lines(text, table, len(items) if isinstance(items, list) else 0)
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        hint = f"write [[{table}]] for each {TABLES[table].what}"
        raise BadValue(f"{lines.top(table)}: {table} is not a list of tables", hint)
    wanted = [one for n, item in enumerate(items) for one in _item(TABLES[table], item, n, lines)]
    seen: dict[str, str] = {}
    for one in wanted:
        before = seen.setdefault(same(one.id), one.where)
        if before is not one.where:
            raise BadValue(
                f"{one.where}: {TABLES[table].key} {one.id} stands twice, first in {before}",
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


def _item(kind: Kind, item: dict[str, Any], index: int, lines: _Lines) -> list[Wanted]:
    where = lines.item(index, kind.key)
    if kind.key not in item:
        hint = f'a {kind.what} needs one, such as "{kind.what.upper()}-001"'
        raise BadValue(f"{where}: {kind.key} is missing", hint)
    given = item[kind.key]
    try:
        pattern = given if isinstance(given, str) else ""
        names = [check_id(kind.what, name) for name in expand(pattern)] if pattern else []
        if not names:
            check_id(kind.what, given)
    except BadValue as error:
        raise BadValue(f"{where}: {kind.key}: {error.message}", error.hint) from None
    fields = {}
    for key, value in item.items():
        if key == kind.key:
            continue
        rule = kind.rules.get(key)
        at = f"{lines.item(index, key)}: {_show(str(given))}"
        if rule is None:
            allowed = ", ".join((kind.key, *kind.rules))
            raise BadValue(f"{at}: unknown key {_show(key)}", f"allowed: {allowed}")
        try:
            fields[key] = rule(None if key in _MAY_BE_NONE and value == "" else value)
        except BadValue as error:
            raise BadValue(f"{at}: {error.message}", error.hint) from None
    # One text for all of a range, so that its members don't count as doubled by each other.
    return [Wanted(name, fields, where) for name in names]


def _show(text: str) -> str:
    return ascii(text[:60])


def diff(
    wanted: Iterable[Wanted], current: Iterable[Mapping[str, Any]], prune: bool, key: str = "id"
) -> Changes:
    """What to create, edit and, with `prune`, remove. Raises Conflict."""
    there = {one[key]: one for one in current}
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
            create.append({key: one.id, **one.fields})
            continue
        changed = {k: (now[k], v) for k, v in one.fields.items() if now[k] != v}
        if changed:
            edit[one.id] = changed
        else:
            unchanged += 1
    remove = sorted(there.keys() - named) if prune else []
    return Changes(create, edit, remove, unchanged)


def check_fit(cps: Iterable[Mapping[str, Any]], cables: Iterable[Mapping[str, Any]]) -> None:
    """Whether these circuits are some, and these CPs fit into them. Raises EvcsError."""
    made = [desired.new_circuit(one) for one in cables]
    fields = ("id", "max_power_w", "circuit")
    members = [
        desired.new_cp({field: cp[field] for field in fields if field in cp})
        for cp in cps
        if cp.get("circuit") is not None
    ]
    circuits.check({one.name: one for one in made}, members)


def render(
    cps: Iterable[Mapping[str, Any]], host: str, cables: Iterable[Mapping[str, Any]] = ()
) -> str:
    """The file that asks for these; a place is named where it isn't a process on `host`."""
    usual = {"host": host, "hosting": PROCESS, "other_load_w": 0}
    parts = ["# A fleet of evcs: evcs-cp apply -f THIS_FILE makes it so.\n"]
    cps = list(cps)
    if any(one.get("backend") for one in cps):
        parts.append("# Of back ends it has no passwords and certificates.\n")
    for table, items in (("circuit", cables), ("cp", cps)):
        kind = TABLES[table]
        for item in items:
            rows = [f"{kind.key} = {_string(item[kind.key])}"]
            for key in kind.rules:
                value = item.get(key)
                if value is not None and (key not in usual or value != usual[key]):
                    rows.append(f"{key} = {value if isinstance(value, int) else _string(value)}")
            parts.append(f"\n[[{table}]]\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _string(text: str) -> str:
    """JSON's escapes are TOML's too; what isn't printed may not stand there as it is."""
    found = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in found)
