"""A connection with a loop and a thread of its own, for who waits otherwise: commands, tests."""

from __future__ import annotations

import threading
from typing import Any

from evcs.adapters.mqtt import Bus
from evcs.runtime.loop import Loop

STOP_WITHIN_S = 2.0


class BusThread(Bus):
    """A `Bus` whose events come from a thread of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._own = Loop()
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

    def _run(self) -> None:
        while not (self._stopping and self.left):
            self._own.turn()
