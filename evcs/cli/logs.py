"""Logs of programs, as they stand and as they grow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from evcs.cli.common import CommandContext
from evcs.cli.options import since_time
from evcs.core.errors import NotFound

LOOK_EVERY_S = 0.2
LAST_LINES = 50
_OURS = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_BROKERS = re.compile(rb"(\d{10}): ")
_SUPERVISORDS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}")


def last_lines(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that say how far back."""
    function = click.option("--since", metavar="TIME", help="From 2026-11-22T09:00Z on, or 10m.")(
        function
    )
    return click.option(
        "-n", "--lines", type=click.IntRange(0, 100_000), show_default="50, with --since all"
    )(function)


def show_logs(
    ctx: CommandContext, names: tuple[str, ...], follow: bool, lines: int | None, since: str | None
) -> None:
    """Print the last lines of each program's log, prefixed where there are several."""
    start = since_time(since)
    paths = [path for name in names for path in _log_files(ctx, name)]
    width = max(len(path.stem) for path in paths) if len(paths) > 1 else 0
    ends = {path: _tail(ctx, path, lines, start, width) for path in paths}
    while follow:
        for path in paths:
            ends[path] = _more(ctx, path, ends[path], width)
        time.sleep(LOOK_EVERY_S)


def _log_files(ctx: CommandContext, name: str) -> list[Path]:
    folder = ctx.settings.home.log
    found = folder.iterdir() if folder.exists() else ()
    known = {path.stem: path for path in found if path.suffix == ".log"}
    name = name.replace(":", ".")
    hits = [
        path for stem, path in sorted(known.items()) if stem == name or stem.startswith(f"{name}.")
    ]
    if not hits:
        services = ", ".join(sorted(stem for stem in known if "." not in stem)) or "none yet"
        raise NotFound(f"no log of {name[:60]!a}", f"there are: {services}, and CPs' by their id")
    return hits


def _tail(ctx: CommandContext, path: Path, lines: int | None, start: str | None, width: int) -> int:
    raw = path.read_bytes()
    found = raw.splitlines()
    if start is not None:
        found = _from(start, [*_rotated(path), *found])
    elif lines is None:
        lines = LAST_LINES
    if lines is not None:
        found = found[-lines:] if lines else []
    _print_lines(ctx, path, found, width)
    return len(raw)


def _rotated(path: Path) -> list[bytes]:
    """Lines that supervisord has moved on to central.log.1 and so on, the oldest first."""
    older = sorted(path.parent.glob(f"{path.name}.[0-9]"), reverse=True)
    return [line for one in older for line in one.read_bytes().splitlines()]


def _from(start: str, lines: list[bytes]) -> list[bytes]:
    """Lines from a time on; one that bears no time belongs to the line before it."""
    for number, line in enumerate(lines):
        at = line_time(line)
        if at is not None and at >= start:
            return lines[number:]
    return []


def line_time(line: bytes) -> str | None:
    """The time of a line of ours, the broker's or supervisord's, in our form."""
    if found := _OURS.match(line):
        return found[0].decode()
    if found := _BROKERS.match(line):
        at = datetime.fromtimestamp(int(found[1]), UTC)
    elif found := _SUPERVISORDS.match(line):
        # supervisord writes the machine's own time.
        at = datetime.fromisoformat(found[0].decode().replace(",", ".")).astimezone(UTC)
    else:
        return None
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _more(ctx: CommandContext, path: Path, end: int, width: int) -> int:
    size = path.stat().st_size
    if size < end:
        end = 0
    if size == end:
        return end
    with path.open("rb") as file:
        file.seek(end)
        raw = file.read()
    whole = raw[: raw.rfind(b"\n") + 1]
    _print_lines(ctx, path, whole.splitlines(), width)
    return end + len(whole)


def _print_lines(ctx: CommandContext, path: Path, lines: list[bytes], width: int) -> None:
    for line in lines:
        text = line.decode("utf-8", "replace")
        found = {"program": path.stem, "line": text}
        ctx.out.data(found, f"{path.stem:<{width}}  {text}" if width else text)
