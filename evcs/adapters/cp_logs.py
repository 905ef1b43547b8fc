"""Logs of this host's CPs, in pages that fit into a message on the bus."""

from __future__ import annotations

from evcs.core.ids import plain
from evcs.core.service_ports import LogPage
from evcs.core.topics import MAX_PACKET
from evcs.home import Home

#: A byte that is no UTF-8 becomes three, as does an end of line.
PAGE_BYTES = MAX_PACKET // 4


def page(home: Home, cp: str, role: str, end: int | None) -> LogPage:
    """The last lines of a process's log before the byte `end`; none where there is no log.

    A line that is longer than a page comes in parts.
    """
    try:
        with (home.log / f"{cp}.{role}.log").open("rb") as file:
            size = file.seek(0, 2)
            end = size if end is None else min(end, size)
            begin = file.seek(max(end - PAGE_BYTES, 0))
            raw = file.read(end - begin)
    except FileNotFoundError:
        return LogPage([], 0)
    cut = raw.find(b"\n") + 1 if begin else 0
    if cut == len(raw):
        cut = 0
    lines = raw[cut:].removesuffix(b"\n").split(b"\n") if raw else []
    return LogPage([plain(line.decode("utf-8", "replace")) for line in lines], begin + cut)
