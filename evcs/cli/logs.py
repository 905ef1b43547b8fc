"""Logs of programs, as they stand and as they grow."""

from __future__ import annotations

import time
from pathlib import Path

from evcs.cli.common import Call
from evcs.core.errors import NotFound

LOOK_EVERY_S = 0.2


def show_logs(call: Call, names: tuple[str, ...], follow: bool, lines: int) -> None:
    """Print the last lines of each program's log, prefixed where there are several."""
    paths = [path for name in names for path in _log_files(call, name)]
    width = max(len(path.stem) for path in paths) if len(paths) > 1 else 0
    ends = {path: _tail(call, path, lines, width) for path in paths}
    while follow:
        for path in paths:
            ends[path] = _more(call, path, ends[path], width)
        time.sleep(LOOK_EVERY_S)


def _log_files(call: Call, name: str) -> list[Path]:
    folder = call.settings.home.log
    known = {path.stem: path for path in folder.glob("*.log")}
    name = name.replace(":", ".")
    hits = [
        path for stem, path in sorted(known.items()) if stem == name or stem.startswith(f"{name}.")
    ]
    if not hits:
        services = ", ".join(sorted(stem for stem in known if "." not in stem)) or "none yet"
        raise NotFound(f"no log of {name[:60]!a}", f"there are: {services}, and CPs' by their id")
    return hits


def _tail(call: Call, path: Path, lines: int, width: int) -> int:
    raw = path.read_bytes()
    _print_lines(call, path, raw.splitlines()[-lines:] if lines else [], width)
    return len(raw)


def _more(call: Call, path: Path, end: int, width: int) -> int:
    size = path.stat().st_size
    if size < end:
        end = 0
    if size == end:
        return end
    with path.open("rb") as file:
        file.seek(end)
        raw = file.read()
    whole = raw[: raw.rfind(b"\n") + 1]
    _print_lines(call, path, whole.splitlines(), width)
    return end + len(whole)


def _print_lines(call: Call, path: Path, lines: list[bytes], width: int) -> None:
    for line in lines:
        text = line.decode("utf-8", "replace")
        found = {"program": path.stem, "line": text}
        call.out.data(found, f"{path.stem:<{width}}  {text}" if width else text)
