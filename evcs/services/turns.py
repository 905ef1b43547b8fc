"""What anybody may ask for, without a token: one after the other, and made once for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from evcs.core.errors import Unreachable

LONGEST_WAIT_S = 3.0
SHORTEST_S, LOOK_EVERY_S = 1e-6, 0.005
#: What took a second to make is kept for so many, but no longer than KEPT_S.
KEPT_TIMES = 9.0
KEPT_S = 1.0

T = TypeVar("T")
S = TypeVar("S")
K = TypeVar("K", bound=Hashable)


class Turns:
    """Requests go on one by one, and between two of them the loop looks after all else."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._look_at = 0.0

    def wait(self) -> None:
        """Returns when it is the caller's turn. Raises Unreachable where that takes too long."""
        if not self._turn.acquire(timeout=LONGEST_WAIT_S):
            raise Unreachable("too many ask at once", "try again in a moment")
        try:
            # gevent's loop looks at its sockets before the shortest of times is over, and before
            # none is only now and then.
            looked = time.monotonic() >= self._look_at
            time.sleep(SHORTEST_S if looked else 0)
            if looked:
                self._look_at = time.monotonic() + LOOK_EVERY_S
        finally:
            self._turn.release()


class KeptEach(Generic[K, T]):
    """What `make` gives for each of several keys, so that making takes a tenth of the time.

    They are made one at a time, however many ask. Who waits for so long is told, with -1 nobody.
    """

    def __init__(
        self, make: Callable[[K], T], clock: Callable[[], float] = time.monotonic,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:  # fmt: skip
        self._make, self._clock, self._longest_wait_s = make, clock, longest_wait_s
        self._turn = threading.Lock()
        self._found: dict[K, tuple[float, T]] = {}

    def __call__(self, key: K) -> T:
        """Made now or a moment ago; raises what `make` raises, and Unreachable: many wait."""
        if (found := self._kept(key)) is not None:
            return found[1]
        if not self._turn.acquire(timeout=self._longest_wait_s):
            raise Unreachable("too many ask at once", "try again in a moment")
        try:
            if (found := self._kept(key)) is None:
                began = self._clock()
                made = self._make(key)
                now = self._clock()
                found = now + min(KEPT_TIMES * (now - began), KEPT_S), made
                self._found = {k: one for k, one in self._found.items() if one[0] > now}
                self._found[key] = found
            return found[1]
        finally:
            self._turn.release()

    def _kept(self, key: K) -> tuple[float, T] | None:
        found = self._found.get(key)
        return found if found is not None and found[0] > self._clock() else None


class Kept(Generic[T]):
    """The same of one thing."""

    def __init__(self, make: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._only = KeptEach[None, T](lambda _: make(), clock, longest_wait_s=-1)

    def __call__(self) -> T:
        """Made now or a moment ago; raises what `make` raises."""
        return self._only(None)


def made_once(source: Callable[[], S], make: Callable[[S], T]) -> Callable[[], T]:
    """Gives what `make` makes of the source's object, made anew where that is another one."""
    kept: tuple[S, T] | None = None

    def found() -> T:
        nonlocal kept
        now = source()
        if kept is None or kept[0] is not now:
            kept = now, make(now)
        return kept[1]

    return found
