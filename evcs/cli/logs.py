"""Logs of programs, as they stand and as they grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, Protocol

import click

from evcs.adapters import cp_logs
from evcs.adapters.cp_logs import CpLog
from evcs.cli import names
from evcs.cli.common import CommandContext
from evcs.cli.far_logs import FarLog
from evcs.cli.log_lines import LogLine, from_time, lines_of, merged
from evcs.cli.options import since_time
from evcs.core.errors import NotFound
from evcs.core.ids import is_cp_id
from evcs.core.placement import holder
from evcs.core.sections import ROLES
from evcs.home import Home

LOOK_EVERY_S = 0.2
LAST_LINES = 50
#: A log may begin, where a CP changes its hosting.
FILES_EVERY = 10

#: File -> which of its lines are meant.
_Files = dict[Path, Callable[[bytes], bool]]


class Log(Protocol):
    """What one says: the last lines, then what has come since, each time it is asked."""

    name: str

    def last(self, lines: int | None, start: str | None) -> list[bytes]:
        """The last lines; `start`: from that time (RFC 3339 UTC) on."""

    def more(self) -> list[bytes]:
        """The lines that have come."""


def last_lines(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that say how far back."""
    function = click.option("--since", metavar="TIME", help="From 2026-11-22T09:00Z on, or 10m.")(
        function
    )
    return click.option(
        "-n", "--lines", type=click.IntRange(0, 100_000), show_default="50, with --since all"
    )(function)


class _ProgramLog:
    """A program's log."""

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.stem
        self._end = 0

    def last(self, lines: int | None, start: str | None) -> list[bytes]:
        """The last lines."""
        raw = self._path.read_bytes()
        self._end = len(raw)
        found = raw.splitlines()
        if start is not None:
            found = from_time(start, [*_rotated(self._path), *found])
        if lines is not None:
            found = found[-lines:] if lines else []
        return found

    def more(self) -> list[bytes]:
        """The lines that have come."""
        found, self._end = _more(self._path, self._end)
        return found


class _CpLog:
    """What a CP's Engine or Monitor says, whichever its hosting."""

    def __init__(self, home: Home, cp: str, role: str) -> None:
        self._home, self._cp, self._role = home, cp, role
        self.name = f"{cp}.{role}"
        self._ends: dict[Path, int] = {}
        self._files: _Files = {}
        self._looks = 0

    @property
    def is_there(self) -> bool:
        """Whether it has said anything, or may at any moment."""
        logs = self._logs()
        return any(one.who is None for one in logs) or any(cp_logs.newest_first(logs))

    def last(self, lines: int | None, start: str | None) -> list[bytes]:
        """The last lines."""
        logs = self._logs()
        sizes = {one: _size(one.path) for one in logs}
        newest = cp_logs.newest_first(logs, {one.key: size for one, size in sizes.items()})
        if start is not None:
            newest = takewhile(lambda line: line.at.decode() >= start, newest)
        self._ends = {one.path: size for one, size in sizes.items()}
        return [line.text for line in islice(newest, lines)][::-1]

    def more(self) -> list[bytes]:
        """The lines that have come, file by file."""
        if self._looks % FILES_EVERY == 0:
            self._files = {one.path: one.of_cp for one in self._logs() if not one.is_older}
        self._looks += 1
        new: list[bytes] = []
        for path, counts in self._files.items():
            found, self._ends[path] = _more(path, self._ends.get(path, 0))
            new += filter(counts, found)
        return new

    def _logs(self) -> list[CpLog]:
        return cp_logs.logs_of(self._home, self._cp, self._role)


def show_logs(
    ctx: CommandContext,
    programs: tuple[str, ...],
    follow: bool,
    lines: int | None,
    since: str | None,
) -> None:
    """Print the last lines of each program's log, or a CP's, by time; then what comes."""
    start = since_time(since)
    if start is None and lines is None:
        lines = LAST_LINES
    logs = [log for name in programs for log in _logs_of(ctx, name)]
    width = max(len(log.name) for log in logs) if len(logs) > 1 else 0
    told = [one for log in logs for one in lines_of(log.name, log.last(lines, start))]
    _print(ctx, told, width)
    while follow:
        _print(ctx, [one for log in logs for one in lines_of(log.name, log.more())], width)
        time.sleep(LOOK_EVERY_S)


def _logs_of(ctx: CommandContext, name: str) -> Sequence[Log]:
    """By a program's name, a group's, or a CP's with or without its role."""
    home = ctx.settings.home
    name = name.replace(":", ".")
    cp, _, role = name.partition(".")
    roles = [one for one in ROLES if role in ("", one)] if is_cp_id(cp) else []
    stored = names.stored(home)
    record = stored.cps.get(cp) if stored else None
    if roles and record is not None and holder(record).host != ctx.settings.host:
        return [FarLog(ctx, cp, one) for one in roles]
    shown = [log for one in roles if (log := _CpLog(home, cp, one)).is_there]
    own = {f"{cp}.{one}" for one in ROLES}
    # Not glob, which passes over a folder that may not be looked into.
    there = home.log.iterdir() if home.log.exists() else ()
    known = sorted(path for path in there if path.suffix == ".log" and path.stem not in own)
    hits = [_ProgramLog(path) for path in known if f"{path.stem}.".startswith(f"{name}.")]
    if not hits and not shown:
        services = ", ".join(path.stem for path in known if "." not in path.stem) or "none yet"
        there_are = f"there are: {services}, and CPs' by their id"
        near = names.hint(cp, [*services.split(", "), *names.cps(home)], there_are)
        raise NotFound(f"no log of {name[:60]!a}", near)
    return [*hits, *shown]


def _rotated(path: Path) -> list[bytes]:
    """Lines that supervisord has moved on to central.log.1 and so on, the oldest first."""
    older = sorted(path.parent.glob(f"{path.name}.[0-9]"), reverse=True)
    return [line for one in older for line in one.read_bytes().splitlines()]


def _more(path: Path, end: int) -> tuple[list[bytes], int]:
    """The lines that have come since, and where they end."""
    size = _size(path)
    if size < end:
        end = 0
    if size == end:
        return [], end
    with path.open("rb") as file:
        file.seek(end)
        raw = file.read()
    whole = raw[: raw.rfind(b"\n") + 1]
    return whole.splitlines(), end + len(whole)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # being moved on
        return 0


def _print(ctx: CommandContext, lines: list[LogLine], width: int) -> None:
    """By time; in front of each, where there are several programs, whose it is."""
    for one in merged(lines):
        text = f"{ctx.out.time(one.at)} {one.text}" if one.begins else one.line
        ctx.out.data(one.to_json(), f"{one.program:<{width}}  {text}" if width else text)
