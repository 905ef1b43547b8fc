"""The one loop of every process: sockets, timers and events in turn, without threads.

`add_reader`, `add_writer`, `call_soon` and `call_later` are those of asyncio's event loop, so
that what runs on this one runs on that one too.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

BEAT_S = 2.0
LONGEST_WAIT_S = 60.0
LATE_KEPT = 1_000
#: For what was said to go out, at the end.
LEAVE_WITHIN_S = 2.0


class Timer:
    """What is to be called later, unless it is cancelled."""

    def __init__(self, call: Callable[..., object], args: tuple[object, ...]) -> None:
        self._call: Callable[..., object] | None = call
        self._args = args

    def cancel(self) -> None:
        """Never call it."""
        self._call = None

    def run(self) -> None:
        """Call it, if it was not cancelled."""
        if self._call is not None:
            self._call(*self._args)


class Loop:
    """`put` and `call_soon` may be called from elsewhere: a signal's handler, another thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        #: What is called by descriptor and event; the selector's own map is slow.
        self._watched: dict[int, dict[int, Callable[[], object]]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._soon: deque[Timer] = deque()
        self._events: list[Any] = []
        self._late: deque[float] = deque(maxlen=LATE_KEPT)
        self._stopped = self._waiting = False
        self._waker, self._wakes = socket.socketpair()
        for end in (self._waker, self._wakes):
            end.setblocking(False)
        self.add_reader(self._wakes.fileno(), self._woken)

    def late_p99_s(self) -> float:
        """How late what was due of late was called: of the last LATE_KEPT calls all but 1 %."""
        found = sorted(self._late)
        return found[len(found) * 99 // 100] if found else 0.0

    def time(self) -> float:
        """Now, in monotonic seconds."""
        return self._clock()

    @property
    def stopped(self) -> bool:
        """Whether it is to end."""
        return self._stopped

    def fileno(self) -> int:
        """For another loop, which calls `turn(0.0)` when it can be read, or after `wait_s`."""
        # gevent's has none, and is not within another.
        assert isinstance(self._selector, selectors.EpollSelector)
        return self._selector.fileno()

    def wait_s(self, longest_s: float) -> float:
        """Seconds for which another loop may wait; what is put in meanwhile is seen at once."""
        self._waiting = True
        return self._wait_s(longest_s)

    def add_reader(self, fd: int, call: Callable[[], object]) -> None:
        """Call whenever there is something to read."""
        self._watch(fd, selectors.EVENT_READ, call)

    def add_writer(self, fd: int, call: Callable[[], object]) -> None:
        """Call whenever something can be written."""
        self._watch(fd, selectors.EVENT_WRITE, call)

    def remove_reader(self, fd: int) -> None:
        """Call no more where there is something to read."""
        self._watch(fd, selectors.EVENT_READ, None)

    def remove_writer(self, fd: int) -> None:
        """Call no more where something can be written."""
        self._watch(fd, selectors.EVENT_WRITE, None)

    def _watch(self, fd: int, event: int, call: Callable[[], object] | None) -> None:
        before = self._watched.get(fd, {})
        calls = {one: then for one, then in before.items() if one != event}
        if call is not None:
            calls[event] = call
        if calls:
            self._watched[fd] = calls
            watch = self._selector.modify if before else self._selector.register
            watch(fd, sum(calls), calls)
        elif before:
            del self._watched[fd]
            self._selector.unregister(fd)

    def call_soon(self, call: Callable[..., object], *args: object) -> Timer:
        """Call in this turn, if it is still under way, else in the next."""
        timer = Timer(call, args)
        self._soon.append(timer)
        self._wake()
        return timer

    def call_first(self, call: Callable[..., object], *args: object) -> Timer:
        """Call in this turn, before what is published in it goes out."""
        timer = Timer(call, args)
        self._soon.appendleft(timer)
        return timer

    def call_later(self, delay_s: float, call: Callable[..., object], *args: object) -> Timer:
        """Call after so many seconds."""
        timer = Timer(call, args)
        heapq.heappush(self._timers, (self._clock() + delay_s, next(self._order), timer))
        return timer

    def put(self, event: Any) -> None:
        """Have the service handle an event, with all others of this turn."""
        self._events.append(event)
        self._wake()

    def stop(self) -> None:
        """End `run`, once what is there is handled."""
        self._stopped = True
        self._wake()

    def stop_on_signals(self) -> None:
        """End in order at SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def turn(self, longest_s: float = LONGEST_WAIT_S) -> list[Any]:
        """Wait until something is due or has come, and do it; the events to be handled.

        Where calls were left from the last turn, they are done and nothing is waited for.
        """
        if self._soon:
            self._run_soon()
            longest_s = 0.0
        self._waiting = True
        ready = self._selector.select(self._wait_s(longest_s))
        self._waiting = False
        for key, mask in ready:
            for event, call in tuple(key.data.items()):
                if event & mask:
                    call()
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            due, _, timer = heapq.heappop(self._timers)
            self._late.append(now - due)
            timer.run()
        self._run_soon()
        events, self._events = self._events, []
        return events

    def run(
        self,
        handle: Callable[[list[Any]], float | None],
        tick: Callable[[float], float],
        beat: Callable[[], None] | None = None,
    ) -> None:
        """Handle events, a turn's at once, until `stop`.

        `tick(now)` returns the seconds to its next call; `handle` may ask for an earlier one.
        `beat` is called at each turn, and every two seconds at least.
        """
        due = self._clock()
        while True:
            wait_s = due - self._clock()
            if beat is not None:
                beat()
                wait_s = min(wait_s, BEAT_S)
            stopping = self._stopped
            events = self.turn(wait_s)
            if events and (earlier := handle(events)) is not None:
                due = min(due, self._clock() + earlier)
            if stopping:
                return
            now = self._clock()
            if now >= due:
                due = now + tick(now)

    def until(self, done: Callable[[], bool], within_s: float) -> None:
        """Turn until that is so, or the time is over."""
        ends_at = self._clock() + within_s
        while not done() and self._clock() < ends_at:
            self.turn(ends_at - self._clock())

    def close(self) -> None:
        """Give the descriptors back."""
        self._selector.close()
        self._waker.close()
        self._wakes.close()

    def _wait_s(self, longest_s: float) -> float:
        if self._events or self._soon or self._stopped:
            return 0.0
        if self._timers:
            longest_s = min(longest_s, self._timers[0][0] - self._clock())
        return max(longest_s, 0.0)

    def _run_soon(self) -> None:
        for _ in range(len(self._soon)):
            self._soon.popleft().run()

    def _wake(self) -> None:
        if self._waiting:
            with suppress(BlockingIOError):
                self._waker.send(b"\0")

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            self._wakes.recv(4096)
