"""Lines of logs by time, each as people and as programs read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from evcs.adapters import cp_logs
from evcs.core.sections import ROLES

_BROKERS = re.compile(rb"(\d{10}): ")
_SUPERVISORDS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ?")
_ENTRY = re.compile(rf"([A-Z]+) ([\w-]+(?: (?:{'|'.join(ROLES)}))?) (.*)")
_FIELD = re.compile(r"(\w+)=(\S*)(?: |$)")


class LogLine(NamedTuple):
    """A line of a program. `at`: its time in UTC, or that of the line which it belongs to.

    `text`: what stands behind its time. `line`: all of it.
    """

    program: str
    at: str
    text: str
    line: str

    @property
    def begins(self) -> bool:
        """Whether it is an entry's first line, which has the time."""
        return self.text != self.line

    def to_json(self) -> dict[str, Any]:
        """With the entry's level, who says it, its key=value fields and its text, where known."""
        ours = self.begins and self.line.startswith(self.at)
        found = _ENTRY.fullmatch(self.text) if ours else None
        level, who, text = found.groups() if found else (None, None, self.text)
        fields: dict[str, str] = {}
        while one := _FIELD.match(text):
            fields[one[1]] = one[2]
            text = text[one.end() :]
        return {"program": self.program, "at": self.at or None, "level": level, "who": who,
                "fields": fields, "text": text, "line": self.line}  # fmt: skip


def lines_of(program: str, lines: Iterable[bytes]) -> Iterator[LogLine]:
    """A program's lines in their order; one that bears no time belongs to the line before it."""
    at = ""
    for raw in lines:
        line, text = raw.decode("utf-8", "replace"), raw
        if found := _time(raw):
            at, text = found
        yield LogLine(program, at, text.decode("utf-8", "replace"), line)


def merged(lines: Iterable[LogLine]) -> list[LogLine]:
    """Of several programs, by time; what belongs together stays so."""
    return sorted(lines, key=lambda one: one.at)


def line_time(line: bytes) -> str | None:
    """The time of a line of ours, the broker's or supervisord's, in our form."""
    found = _time(line)
    return found[0] if found else None


def from_time(start: str, lines: list[bytes]) -> list[bytes]:
    """Lines from a time on; one that bears no time belongs to the line before it."""
    for number, line in enumerate(lines):
        at = line_time(line)
        if at is not None and at >= start:
            return lines[number:]
    return []


def _time(line: bytes) -> tuple[str, bytes] | None:
    """That, and what stands behind it."""
    if found := cp_logs.TIME.match(line):
        return found[0].decode(), line[found.end() :].removeprefix(b" ")
    if found := _BROKERS.match(line):
        at = datetime.fromtimestamp(int(found[1]), UTC)
    elif found := _SUPERVISORDS.match(line):
        # supervisord writes the machine's own time.
        local = found[0].decode().strip().replace(",", ".")
        at = datetime.fromisoformat(local).astimezone(UTC)
    else:
        return None
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return stamp, line[found.end() :]
