"""When connections are made: so many of one process at once, and spread in time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from evcs.adapters.mqtt_client import EventLoop

#: Of a process of a pool. The broker's queue has room for 100: those of ten pools.
CONNECT_AT_ONCE = 5


def jitter() -> float:
    """From 0.5 to 1, so that not all come back at once. `random` would be loaded for this alone."""
    return 0.5 + os.urandom(1)[0] / 510


class Gate:
    """Lets so many of a process's connections be made at once; the others wait for their turn.

    What the broker's queue has no room for is tried again and again, by thousands.
    """

    def __init__(self, loop: EventLoop, at_once: int) -> None:
        self._loop, self._free = loop, at_once
        self._waiting: deque[Callable[[], None]] = deque()

    def enter(self, begin: Callable[[], None]) -> None:
        """Have `begin` called, now or later; who entered has to leave, once."""
        if self._free:
            self._free -= 1
            begin()
        else:
            self._waiting.append(begin)

    def leave(self) -> None:
        """The connection is made, or it won't be now."""
        if self._waiting:
            self._loop.call_soon(self._waiting.popleft())
        else:
            self._free += 1
