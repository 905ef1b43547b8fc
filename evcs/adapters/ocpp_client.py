"""A charging station's connection to its back end, which comes back by itself."""

from __future__ import annotations

import os
from collections.abc import Callable

from evcs.adapters.mqtt_client import Cancellable, EventLoop
from evcs.adapters.ocpp_link import Link, Target
from evcs.core.ocpp.back_end import BackOff, Event, Lost, Said

DEFAULT_BACK_OFF = BackOff()


class Client:
    """A connection that comes back by itself (core.ocpp.back_end.BackEnd).

    Events go to `put`, called from the loop. `random` gives numbers from 0 to 1.
    """

    def __init__(
        self, loop: EventLoop, target: Target, put: Callable[[Event], None],
        back_off: BackOff = DEFAULT_BACK_OFF, ping_s: float = 60.0,
        random: Callable[[], float] = lambda: int.from_bytes(os.urandom(4), "big") / 2**32,
    ) -> None:  # fmt: skip
        """Raises BadValue where the target is none."""
        self._loop, self._target, self._put = loop, target, put
        self._uri = target.uri()
        self._back_off, self._ping_s, self._random = back_off, ping_s, random
        self._link: Link | None = None
        self._timer: Cancellable | None = None
        self._stopping = False
        self._failed = 0

    def start(self) -> None:
        """Connect, and go on trying."""
        self._dial()

    @property
    def left(self) -> bool:
        """Whether there is no connection, after a `stop`."""
        return self._link is None

    def send(self, text: str) -> bool:
        """Hand over a text message. False where there is no connection."""
        return self._link is not None and self._link.send(text)

    def close(self, code: int, reason: str) -> None:
        """Close this connection; a new one is begun as after a loss."""
        if self._link is not None:
            self._link.close(code, reason)

    def set_password(self, password: bytes) -> None:
        """Dial with that from now on."""
        self._target = self._target._replace(password=password)

    def set_ping(self, every_s: float) -> None:
        """Look for a dead connection so often; 0: never."""
        self._ping_s = every_s
        if self._link is not None:
            self._link.set_ping(every_s)

    def set_back_off(self, back_off: BackOff) -> None:
        """Wait like that from the next loss on."""
        self._back_off = back_off

    def stop(self) -> None:
        """Leave, and don't come back."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        self.close(1001, "the station goes")

    def _dial(self) -> None:
        link = Link(self._loop, self._target, self._uri, self._told, self._ping_s)
        self._link = link
        link.start()

    def _told(self, link: Link, event: Event) -> None:
        if link is not self._link:
            return
        if isinstance(event, Said):
            self._failed = 0  # it lets us in and talks: the next loss is another one
        elif isinstance(event, Lost):
            self._link = None
            if self._stopping:
                return
            wait_s = self._back_off.wait_s(self._failed, self._random())
            self._failed += 1
            self._timer = self._loop.call_later(wait_s, self._dial)
        if not self._stopping:
            self._put(event)
