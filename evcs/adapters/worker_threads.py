"""Threads for what would hold up gevent's loop, and how many may wait for one.

gevent's own threads are for its look-ups of names: who waits for the ledger must not wait there,
or a connection to the Registry would stand behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gevent.threadpool import ThreadPool

from evcs.core.errors import Unreachable

T = TypeVar("T")


class WorkerThreads:
    """So many at work, and so many that are at work or wait."""

    def __init__(self, threads: int, most: int) -> None:
        self._pool, self._most = ThreadPool(threads), most
        self._under_way = 0

    def run(self, work: Callable[[], T], goes_on: bool = False) -> T:
        """Have it done, and give its result. Raises Unreachable where too many wait.

        What `goes_on` was begun before, and waits however many do.
        """
        if self._under_way >= self._most and not goes_on:
            raise Unreachable("too many ask at once", "try again in a moment")
        self._under_way += 1
        try:
            found: T = self._pool.apply(work)
        finally:
            self._under_way -= 1
        return found
