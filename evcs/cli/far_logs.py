"""Logs of CPs on other hosts: read there by their CP Manager, told over the bus page by page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evcs.cli.common import CommandContext
from evcs.cli.log_lines import from_time
from evcs.cli.operator import ask_operator


class FarLog:
    """What a CP's Engine or Monitor has said there; times are by that host's clock."""

    def __init__(self, ctx: CommandContext, cp: str, role: str) -> None:
        self._ctx, self._cp, self._role = ctx, cp, role
        self.name = f"{cp}.{role}"

    def files(self) -> dict[Path, Callable[[bytes], bool]]:
        """None that grows here."""
        return {}

    def last(self, lines: int | None, start: str | None) -> tuple[list[bytes], dict[Path, int]]:
        """The last lines, and where files of ours end. Raises Unreachable: its host is away."""
        found: list[bytes] = []
        after: str | None = None
        while lines is None or len(found) < lines:
            page = ask_operator(self._ctx, "log", self._cp, role=self._role, after=after)
            older = [line.encode() for line in page["lines"]]
            found, after = [*older, *found], page["next"]
            if start is not None and len(since := from_time(start, found)) < len(found):
                found = since
                break
            if after is None:
                break
        return found if lines is None else found[max(len(found) - lines, 0) :], {}
