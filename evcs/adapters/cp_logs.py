"""Logs of this host's CPs, whichever their hosting, and in pages that fit into a message.

What a CP's role says is in the log of its own process, or in those of pools that it is or was
in, each of whose lines names its CP. They are read back from their ends, and merged by time.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from evcs.core import pools
from evcs.core.cp_manager_ports import LogPage
from evcs.core.errors import BadValue
from evcs.core.ids import plain
from evcs.core.sections import process
from evcs.core.topics import MAX_PACKET
from evcs.home import Home

#: A byte that is no UTF-8 becomes three, as does an end of line.
PAGE_BYTES = MAX_PACKET // 4
LAST_BYTES = 131_072
#: Of a log that is searched for one CP's lines.
BLOCK_BYTES = 262_144
#: As many fit into an answer's `next`.
MOST_LEFT = 9
TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_LEFT = re.compile(r"(\d{1,6}):([0-9a-f]{1,8})", re.ASCII)


class CpLog(NamedTuple):
    """A file with lines of a CP's role. `key`: says which. `who`: in a pool's, the CP's name."""

    key: int
    path: Path
    who: bytes | None

    @property
    def is_older(self) -> bool:
        """Whether it was moved on."""
        return self.key % 2 == 1

    def of_cp(self, line: bytes) -> bool:
        """Whether a line of it is the CP's."""
        return self.who is None or _is_of(line, self.who)


class TimedLine(NamedTuple):
    """A line, its time (or that of the line before which it belongs to), and where it is."""

    at: bytes
    text: bytes
    key: int
    begin: int


def logs_of(home: Home, cp: str, role: str) -> list[CpLog]:
    """The logs that there are: its process's, and those of all units with members."""
    who = f" {cp} {role} ".encode()
    own = home.log / f"{cp}.{role}.log"
    found: list[tuple[int, Path, bytes | None]] = [(0, own, None)]
    for path in home.log.glob("_*.log"):
        unit, _, name = path.stem.partition(".")
        if pools.is_shared(unit) and name == process(unit, role):
            found.append((pools.number(unit) or pools.MAX_NUMBER + 1, path, who))
    return [
        CpLog(2 * number + older, name, whose)
        for number, path, whose in sorted(found)
        for older, name in enumerate((path, path.with_name(f"{path.name}.1")))
        if name.exists()
    ]


def newest_first(
    logs: Sequence[CpLog], ends: Mapping[int, int] | None = None
) -> Iterator[TimedLine]:
    """All lines of a CP's logs. `ends`: where each ends, by key, else with its file."""
    with ExitStack() as stack:
        yield from _merged(stack, logs, dict(ends or {}))


def last(home: Home, cp: str, role: str, count: int) -> list[str]:
    """The last lines, the oldest first, of at most LAST_BYTES; none where there is no log."""
    found, size = [], 0
    for line in islice(newest_first(logs_of(home, cp, role)), count):
        size += len(line.text) + 1
        if size > LAST_BYTES:
            break
        found.append(line)
    return _shown(found)


def page(home: Home, cp: str, role: str, after: str | None) -> LogPage:
    """The last lines before those of the page that had this as its `next`. Raises BadValue.

    A line that is longer than a page comes in parts.
    """
    ends = None if after is None else _parsed(after)
    logs = [one for one in logs_of(home, cp, role) if ends is None or one.key in ends]
    left = {} if ends is None else ends
    taken: list[TimedLine] = []
    size = 0
    with ExitStack() as stack:
        for line in _merged(stack, logs, left):
            if taken and size + len(line.text) > PAGE_BYTES:
                break
            taken.append(line)
            size += len(line.text) + 1
            left[line.key] = line.begin
        else:
            left.clear()
    more = [f"{key}:{end:x}" for key, end in sorted(left.items()) if end][:MOST_LEFT]
    return LogPage(_shown(taken), " ".join(more) or None)


def _shown(lines: list[TimedLine]) -> list[str]:
    return [plain(line.text.decode("utf-8", "replace")) for line in reversed(lines)]


def _parsed(after: str) -> dict[int, int]:
    found = [_LEFT.fullmatch(one) for one in after.split(" ")]
    ends = {int(one[1]): int(one[2], 16) for one in found if one}
    if len(ends) < len(found):
        raise BadValue(f"after {after[:40]!a} is not allowed", "give an answer's next")
    return ends


def _merged(stack: ExitStack, logs: Sequence[CpLog], left: dict[int, int]) -> Iterator[TimedLine]:
    """Lines of all, the latest first. `left`: where to begin, by key; 0 once a log is read."""
    sources = []
    for log in logs:
        try:
            file = stack.enter_context(log.path.open("rb"))
        except OSError:  # moved on just now, or no file of ours
            left.pop(log.key, None)
            continue
        size = file.seek(0, 2)
        left[log.key] = end = min(left.get(log.key, size), size)
        sources.append(_lines(log, file, end, partial(left.__setitem__, log.key, 0)))
    return heapq.merge(*sources, key=lambda line: line.at, reverse=True)


def _lines(log: CpLog, file: BinaryIO, end: int, done: Callable[[], None]) -> Iterator[TimedLine]:
    """A log's lines, the last first; one without a time belongs to the timed one before it."""
    block = PAGE_BYTES if log.who is None else BLOCK_BYTES
    untimed: list[TimedLine] = []
    for begin, raw in _blocks(file, end, block):
        for start, text in _of_block(raw, log.who):
            untimed.append(TimedLine(b"", text[:PAGE_BYTES], log.key, begin + start))
            if at := TIME.match(text):
                yield from (one._replace(at=at[0]) for one in untimed)
                untimed.clear()
    yield from untimed
    done()


def _blocks(file: BinaryIO, end: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines with where they begin, the last first; a long line comes in parts."""
    while end > 0:
        begin = file.seek(max(end - size, 0))
        raw = file.read(end - begin)
        cut = raw.find(b"\n") + 1 if begin else 0
        if cut == len(raw):
            cut = 0
        end = begin + cut
        yield end, raw[cut:]


def _of_block(raw: bytes, who: bytes | None) -> Iterator[tuple[int, bytes]]:
    """Lines with where they begin, the last first; with `who`, only those of its name."""
    if who is None:
        begin = len(raw.removesuffix(b"\n"))
        for line in reversed(raw[:begin].split(b"\n")):
            begin -= len(line)
            yield begin, line
            begin -= 1
        return
    at = raw.rfind(who)
    while at >= 0:
        begin, end = raw.rfind(b"\n", 0, at) + 1, raw.find(b"\n", at)
        line = raw[begin : end if end >= 0 else len(raw)]
        if _is_of(line, who):
            yield begin, line
        at = raw.rfind(who, 0, begin)


def _is_of(line: bytes, who: bytes) -> bool:
    """Whether a name stands where a line has it: behind time and level."""
    at = line.find(who)
    return at >= 0 and line.count(b" ", 0, at) == 1
