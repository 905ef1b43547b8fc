"""The one loop of every service: an inbox, its events in batches, a tick."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Callable
from typing import Any

MAX_BATCH = 1000
#: A batch of so many is a flood: the next ones are gathered for a moment first. Else the two
#: threads take the interpreter from each other at every message, and both stand still.
FLOOD = 20
GATHER_S = 0.005
BEAT_S = 2.0


class Stop:
    """Put into an inbox, it ends the loop."""


class Inbox:
    """Where other threads and signal handlers put events for the loop."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put = self._events.put
        self._flooded = False

    def batch(self, timeout_s: float) -> list[Any]:
        """Wait for an event; give it and those that came with it. Empty after the timeout."""
        try:
            found = [self._events.get(timeout=max(timeout_s, 0.0))]
        except queue.Empty:
            return []
        if self._flooded:
            time.sleep(GATHER_S)
        while len(found) < MAX_BATCH:
            try:
                found.append(self._events.get_nowait())
            except queue.Empty:
                break
        self._flooded = len(found) >= FLOOD
        return found

    def stop_on_signals(self) -> None:
        """End the loop in order at SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.put(Stop()))


def run(
    inbox: Inbox,
    handle: Callable[[list[Any]], float | None],
    tick: Callable[[float], float],
    clock: Callable[[], float],
    beat: Callable[[], None] | None = None,
) -> None:
    """Handle batches until a Stop comes.

    `tick(now)` returns the seconds to its next call; `handle` may ask for an earlier one.
    `beat` is called at each turn, and every two seconds at least.
    """
    due = clock()
    while True:
        wait = due - clock()
        if beat is not None:
            beat()
            wait = min(wait, BEAT_S)
        events = inbox.batch(wait)
        stopping = any(isinstance(event, Stop) for event in events)
        events = [event for event in events if not isinstance(event, Stop)]
        if events:
            earlier = handle(events)
            if earlier is not None:
                due = min(due, clock() + earlier)
        if stopping:
            return
        now = clock()
        if now >= due:
            due = now + tick(now)
