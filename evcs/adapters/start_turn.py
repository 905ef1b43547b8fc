"""Pools begin in turn, as many at once as there are processors: all together they take each other's
caches, and Central's and the Registry's time, so that each CP costs twice as much.

It is a lock's, so it goes with its process. Nobody waits long for one that hangs.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from evcs.adapters.files import hold_lock
from evcs.core.errors import Conflict
from evcs.home import Home
from evcs.runtime.loop import Loop

AT_ONCE = os.cpu_count() or 1
WAIT_AT_MOST_S = 20.0
HOLD_AT_MOST_S = 10.0
LOOK_EVERY_S = 0.05


class StartTurn:
    """`begin` is called when the turn has come (`here`); once it is `done` the next one has it."""

    def __init__(
        self, loop: Loop, home: Home, begin: Callable[[], object], done: Callable[[], bool]
    ) -> None:
        self.here = False
        self._loop, self._begin, self._done = loop, begin, done
        self._locks = [home.lock(f"start-{number}") for number in range(AT_ONCE)]
        self._held: int | None = None
        self._until = loop.time() + WAIT_AT_MOST_S
        loop.call_soon(self._look)

    def _look(self) -> None:
        if not self.here:
            self._held = self._take()
            if self._held is not None or self._loop.time() >= self._until:
                self.here = True
                self._until = self._loop.time() + HOLD_AT_MOST_S
                self._begin()
        elif self._held is None:
            return
        elif self._done() or self._loop.time() >= self._until:
            os.close(self._held)
            return
        self._loop.call_later(LOOK_EVERY_S, self._look)

    def _take(self) -> int | None:
        for path in self._locks:
            try:
                return hold_lock(path, "start")
            except Conflict:
                continue
        return None
