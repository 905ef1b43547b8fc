"""Ids, words and texts from outside: the rules that make them safe wherever they go.

An id may be a file's name, a level of a topic, a section. A word (a request's id, a session's) is
kept as it is or refused. A text (a reason, a fault) is for people: what would steer a terminal or
begin a line of its own becomes a space, and what is too long is cut.
"""

from __future__ import annotations

import re
from itertools import product
from math import prod

from evcs.core.errors import BadValue

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
ALLOWED = "1 to 32 of A-Z a-z 0-9 _ -, the first a letter or digit"
#: What one looks like.
SUCH_AS = {"CP": "CP-001", "driver": "ALICE", "circuit": "GARAGE", "host": "h2"}

MAX_WORD = 128
#: The ids of a session's commands begin with its own, and are words.
MAX_SESSION_ID = 64
MAX_LISTED = 32
MAX_TEXT = 200
#: They join letters and emoji, though Python doesn't count them among what is printed.
_JOINERS = "\u200c\u200d"

#: Programs that supervisord runs beside the CPs; a CP of that name would be one of them.
RESERVED = frozenset({"mosquitto", "registry", "central", "cp-manager", "web"})

#: Words that supervisorctl gives a meaning of their own.
TAKEN = RESERVED | {"all"}

#: A driver who was forgotten is this and something random; no other may be named so.
FORGOTTEN = "removed-"

MAX_EXPANSION = 10_000
#: Characters of all names together: an id's worth for each, and what is too long for an id.
MAX_SPELLED = 50 * MAX_EXPANSION
#: With an id's worth of ranges, and what is too long for an id.
MAX_PATTERN = 400
_RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}", re.ASCII)
#: What is written for a range by who doesn't know how: CP-1..40, CP-[1-40], CP-{1..40.
_NEARLY = re.compile(
    r"([\w-]*?)([\[({]?)(\d{1,9})(\.{2,3}|-|:)(\d{1,9})([\])}]?)([\w-]*)", re.ASCII
)


def is_id(value: object) -> bool:
    """Whether `value` is a well-formed id."""
    return isinstance(value, str) and ID.fullmatch(value) is not None


def is_cp_id(value: object) -> bool:
    """Whether a CP may have this id."""
    return is_id(value) and str(value).lower() not in TAKEN


def check_id(what: str, value: object) -> str:
    """Give `value` back if it is an id; `what` ("CP", "driver") goes into the error.

    Raises BadValue.
    """
    if not is_id(value):
        shown = ascii(value if len(str(value)) <= 60 else str(value)[:57] + "...")
        meant = range_meant(value) if what == "CP" and isinstance(value, str) else None
        hint = f"did you mean '{meant}'? " if meant else ""
        example = f", such as {SUCH_AS[what]}" if what in SUCH_AS else ""
        raise BadValue(f"{what} id {shown} is not allowed", f"{hint}allowed: {ALLOWED}{example}")
    if what == "CP" and str(value).lower() in TAKEN:
        raise BadValue(f"CP id {value} is reserved", "it names a service; choose another id")
    return str(value)


def is_word(value: str) -> bool:
    """Whether `value` may be told on and kept as it is."""
    return len(value) <= MAX_WORD and value.isprintable()


def is_session_id(value: str) -> bool:
    """Whether a session may have this id."""
    return len(value) <= MAX_SESSION_ID and is_word(value)


def printed(text: str) -> str:
    """What somebody else wrote as a word of ours: what is not printed is a question mark."""
    return "".join(one if one.isprintable() else "?" for one in text)[:MAX_WORD]


def words(value: object) -> tuple[str, ...] | None:
    """A list of at most MAX_LISTED words, as JSON has it; None where it is none."""
    if not isinstance(value, list | tuple) or len(value) > MAX_LISTED:
        return None
    return tuple(value) if all(isinstance(one, str) and is_word(one) for one in value) else None


def word_pairs(value: object) -> tuple[tuple[str, str], ...] | None:
    """A list of at most MAX_LISTED pairs of words."""
    if not isinstance(value, list | tuple) or len(value) > MAX_LISTED:
        return None
    found = [pair for one in value if (pair := words(one)) is not None and len(pair) == 2]
    return tuple((one, other) for one, other in found) if len(found) == len(value) else None


def plain(text: str, instead: str = " ") -> str:
    """A text without what would steer a terminal: controls, line ends, changes of direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else instead for c in text)


def short(text: str) -> str:
    """The same, of at most MAX_TEXT characters; one that is cut ends with an ellipsis."""
    text = plain(text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"


def same(one: str) -> str:
    """The form in which ids are compared: they are unique whatever their case."""
    return one.casefold()


def range_meant(text: str) -> str | None:
    """The range that was meant by what is nearly one: CP-{1..40} by CP-1..40; else None."""
    found = _NEARLY.fullmatch(text) if len(text) <= MAX_PATTERN else None
    if found is None:
        return None
    before, opened, low, between, high, closed, after = found.groups()
    meant = f"{before}{{{low}..{high}}}{after}"
    is_range = between.startswith(".") or (opened and closed)
    return meant if is_range and meant != text and int(low) <= int(high) else None


def expand(pattern: str) -> list[str]:
    """Spell a pattern out: `CP-{001..003}` gives CP-001, CP-002, CP-003; an id gives itself.

    A leading zero in the first bound keeps the width. Raises BadValue.
    """
    if len(pattern) > MAX_PATTERN:
        raise BadValue("that is too long", f"allowed: at most {MAX_PATTERN} characters")
    parts: list[list[str]] = []
    end = 0
    for found in _RANGE.finditer(pattern):
        low, high = int(found[1]), int(found[2])
        if high < low:
            raise BadValue(f"range {found[0]} runs backwards", f"write {{{found[2]}..{found[1]}}}")
        if (high - low + 1) * prod(map(len, parts)) > MAX_EXPANSION:
            raise BadValue(f"range {found[0]} is too long", f"at most {MAX_EXPANSION} at once")
        width = len(found[1]) if found[1].startswith("0") else 0
        parts += [pattern[end : found.start()]], [f"{n:0{width}d}" for n in range(low, high + 1)]
        end = found.end()
    parts.append([pattern[end:]])
    # The last of a range is its longest.
    if prod(map(len, parts)) * sum(len(part[-1]) for part in parts) > MAX_SPELLED:
        raise BadValue("those names are too long", f"allowed: {ALLOWED}")
    return ["".join(one) for one in product(*parts)]
