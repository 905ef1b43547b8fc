"""Logs of programs, as they stand and as they grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any

import click

from evcs.adapters import cp_logs
from evcs.adapters.cp_logs import CpLog
from evcs.cli import names
from evcs.cli.common import CommandContext
from evcs.cli.far_logs import FarLog
from evcs.cli.log_lines import LogLine, from_time, lines_of, merged
from evcs.cli.options import since_time
from evcs.core.errors import Conflict, NotFound
from evcs.core.ids import is_cp_id
from evcs.core.placement import holder
from evcs.core.sections import ROLES
from evcs.home import Home

LOOK_EVERY_S = 0.2
LAST_LINES = 50
#: A log may begin, where a CP changes its hosting.
FILES_EVERY = 10

#: File -> where it was read to; file -> which of its lines are meant.
_Ends = dict[Path, int]
_Files = dict[Path, Callable[[bytes], bool]]


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

    def last(self, lines: int | None, start: str | None) -> tuple[list[bytes], _Ends]:
        """The last lines, and where they end."""
        raw = self._path.read_bytes()
        found = raw.splitlines()
        if start is not None:
            found = from_time(start, [*_rotated(self._path), *found])
        if lines is not None:
            found = found[-lines:] if lines else []
        return found, {self._path: len(raw)}

    def files(self) -> _Files:
        """What grows, and which lines of it count."""
        return {self._path: lambda _: True}


class _CpLog:
    """What a CP's Engine or Monitor says, whichever its hosting."""

    def __init__(self, home: Home, cp: str, role: str) -> None:
        self._home, self._cp, self._role = home, cp, role
        self.name = f"{cp}.{role}"

    @property
    def is_there(self) -> bool:
        """Whether it has said anything, or may at any moment."""
        logs = self._logs()
        return any(one.who is None for one in logs) or any(cp_logs.newest_first(logs))

    def last(self, lines: int | None, start: str | None) -> tuple[list[bytes], _Ends]:
        """The last lines, and where they end."""
        logs = self._logs()
        sizes = {one: _size(one.path) for one in logs}
        newest = cp_logs.newest_first(logs, {one.key: size for one, size in sizes.items()})
        if start is not None:
            newest = takewhile(lambda line: line.at.decode() >= start, newest)
        found = [line.text for line in islice(newest, lines)]
        return found[::-1], {one.path: size for one, size in sizes.items()}

    def files(self) -> _Files:
        """What grows, and which lines of it count."""
        return {one.path: one.of_cp for one in self._logs() if not one.is_older}

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
    logs = [log for name in programs for log in _logs_of(ctx, name, follow)]
    width = max(len(log.name) for log in logs) if len(logs) > 1 else 0
    ends: dict[str, _Ends] = {}
    some: list[LogLine] = []
    for log in logs:
        found, ends[log.name] = log.last(lines, start)
        some += lines_of(log.name, found)
    _print(ctx, some, width)
    for look in count() if follow else ():
        if look % FILES_EVERY == 0:
            files = [(log.name, log.files()) for log in logs]
        some = []
        for name, of_log in files:
            for path, counts in of_log.items():
                found, ends[name][path] = _more(path, ends[name].get(path, 0))
                some += lines_of(name, filter(counts, found))
        _print(ctx, some, width)
        time.sleep(LOOK_EVERY_S)


def _logs_of(
    ctx: CommandContext, name: str, follow: bool
) -> Sequence[_ProgramLog | _CpLog | FarLog]:
    """By a program's name, a group's, or a CP's with or without its role."""
    home = ctx.settings.home
    name = name.replace(":", ".")
    cp, _, role = name.partition(".")
    roles = [one for one in ROLES if role in ("", one)] if is_cp_id(cp) else []
    stored = names.stored(home)
    record = stored.cps.get(cp) if stored else None
    if roles and record is not None and (host := holder(record).host) != ctx.settings.host:
        if follow:
            text = f"CP {cp} runs on host {host}: from here its logs are not followed"
            raise Conflict(text, f"leave -f out; or there: evcs logs {name} -f")
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
