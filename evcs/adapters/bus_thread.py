"""A connection with a loop and a thread of its own, for who waits otherwise: commands, tests."""

from __future__ import annotations

import threading
from typing import Any, Self

from evcs.adapters.mqtt import Bus
from evcs.core.errors import Unreachable
from evcs.runtime.loop import Loop

CONNECT_WITHIN_S = 20.0
STOP_WITHIN_S = 2.0


class BusThread(Bus):
    """A `Bus` whose events come from a thread of its own; connected in a `with` block."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._own, self._there = Loop(), threading.Event()
        super().__init__(self._own, *args, **kwargs)
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)

    def start(self) -> None:
        """Connect, and go on trying."""
        self._own.call_soon(super().start)
        self._thread.start()

    def stop(self) -> None:
        """Leave, and wait until that is done."""
        self._own.call_soon(super().stop)
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)

    def __enter__(self) -> Self:
        self.start()
        if not self._there.wait(CONNECT_WITHIN_S):
            self.stop()
            raise Unreachable("the broker does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _become_ready(self) -> None:
        super()._become_ready()
        self._there.set()

    def _run(self) -> None:
        while not (self._stopping and self.left):
            self._own.turn()
