"""A bar for what is done to many CPs."""

from __future__ import annotations

from typing import Any, Self

from evcs.cli.common import CommandContext


class ProgressBar:
    """A bar with the time left, on a terminal and for more than one CP alone."""

    def __init__(self, ctx: CommandContext, total: int) -> None:
        self._bar: Any = None
        if ctx.out.on_terminal and total > 1:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=total)

    def advance_to(self, done: int) -> None:
        """So many are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
