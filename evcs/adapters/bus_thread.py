"""A connection with a loop and a thread of its own, for who waits otherwise: commands, tests."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Self

from paho.mqtt.reasoncodes import ReasonCode

from evcs.adapters.mqtt import Bus
from evcs.core import topics
from evcs.core.errors import Denied, Unreachable
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
        if not self._thread.is_alive():
            self._own.close()

    def deliver(self, what: topics.Publication, within_s: float) -> None:
        """Publish with QoS 1 or 2, and wait until the broker has it.

        Raises Denied where it may not be, Unreachable where it is not known to have come.
        """
        told: queue.SimpleQueue[tuple[int, ReasonCode]] = queue.SimpleQueue()
        if (client := self._client) is not None:
            client.on_publish = lambda _client, _data, mid, code, _props: told.put((mid, code))
        info = self._hand_over(what)
        if info is None:
            raise Unreachable("the connection to the broker is lost")
        deadline = time.monotonic() + within_s
        mid, code = 0, None
        while mid != info.mid:  # what was said before is acknowledged before
            try:
                mid, code = told.get(timeout=max(deadline - time.monotonic(), 0.0))
            except queue.Empty:
                raise Unreachable(f"the broker has not taken {what.topic}") from None
        if code is not None and code.is_failure:
            raise Denied(f"the broker does not take {what.topic}: {code}")

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
