"""What goes on beside, at a charger's pace; no failure of it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from evcs.core.ports import Log


class Tasks:
    """Those of one owner, which end with it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[object]] = set()

    def do(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin something."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def close(self) -> None:
        """Nothing more is done."""
        for task in self._tasks:
            task.cancel()

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("failed: %r", error)
