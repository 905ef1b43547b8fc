"""Logs of CPs on other hosts: read there by their CP Manager, told over the bus page by page."""

from __future__ import annotations

import time

from evcs.cli.common import CommandContext
from evcs.cli.log_lines import from_time, line_time
from evcs.cli.operator import ask_operator

#: Each look is a connection and a request to Central.
LOOK_EVERY_S = 1.0
#: More than any log has, so that its end is in no other host's hand.
MOST_PAGES = 10_000


class FarLog:
    """What a CP's Engine or Monitor has said there; times are by that host's clock."""

    def __init__(self, ctx: CommandContext, cp: str, role: str) -> None:
        self._ctx, self._cp, self._role = ctx, cp, role
        self.name = f"{cp}.{role}"
        #: The time of the last line that was told, and all lines from that time on.
        self._at, self._known = "", list[bytes]()
        self._look_at = 0.0

    def last(self, lines: int | None, start: str | None) -> list[bytes]:
        """The last lines. Raises Unreachable: its host is away."""
        found = self._pages(lines, start)
        self._know(found)
        return found if lines is None else found[max(len(found) - lines, 0) :]

    def more(self) -> list[bytes]:
        """The lines that have come, once a second. Raises Unreachable."""
        if time.monotonic() < self._look_at:
            return []
        found = self._pages(None, self._at)
        known = len(self._known) if found[: len(self._known)] == self._known else 0
        self._know(found)
        return found[known:]

    def _know(self, found: list[bytes]) -> None:
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._at = next(filter(None, map(line_time, reversed(found))), self._at)
        self._known = from_time(self._at, found)

    def _pages(self, lines: int | None, start: str | None) -> list[bytes]:
        """As many pages as it takes, one at least."""
        found: list[bytes] = []
        after: str | None = None
        for _ in range(MOST_PAGES):
            page = ask_operator(self._ctx, "log", self._cp, role=self._role, after=after)
            found, after = [*map(str.encode, page["lines"]), *found], page["next"]
            if start is not None and len(since := from_time(start, found)) < len(found):
                return since
            if after is None or (lines is not None and len(found) >= lines):
                break
        return found
