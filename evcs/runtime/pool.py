"""CPs that share a loop: each is a value of its own; one that fails ends alone, and comes back.

A process is a pool of one CP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from evcs.core.errors import in_a_line
from evcs.core.ports import Log
from evcs.runtime.loop import LEAVE_WITHIN_S, Loop, Timer

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
NEVER_S = 3_600.0
#: Each takes a ms or two, of a loop that has to answer.
START_AT_ONCE = 10
#: How often one that leaves is looked at.
LEFT_LOOK_S = 0.01

Put = Callable[[Any], None]


class Role(Protocol):
    """An Engine, a Monitor."""

    def handle(self, events: list[Any]) -> float | None:
        """One batch of events; in how many seconds to tick, where that is sooner than asked for."""


class BusConnection(Protocol):
    """A role's connection to the bus (adapters.mqtt)."""

    @property
    def left(self) -> bool:
        """Whether there is no connection, after a `stop`."""

    def start(self) -> None:
        """Connect, and go on trying."""

    def stop(self) -> None:
        """Leave, the will told."""


class Together:
    """Connections that begin and end as one."""

    def __init__(self, *them: BusConnection) -> None:
        self._them = them

    @property
    def left(self) -> bool:
        """Whether there is none, after a `stop`."""
        return all(one.left for one in self._them)

    def start(self) -> None:
        """Connect each."""
        for one in self._them:
            one.start()

    def stop(self) -> None:
        """Leave with each."""
        for one in self._them:
            one.stop()


R = TypeVar("R", bound=Role)
T = TypeVar("T")


class CpParts(NamedTuple, Generic[R]):
    """What one CP is made of here. `tick(now)` returns the seconds to its next call."""

    role: R
    bus: BusConnection
    tick: Callable[[float], float] | None = None
    close: Callable[[], None] = lambda: None


class CpRuntime(Generic[R]):
    """One CP's role: its events, a turn's at once, its tick, and its log.

    An exception ends the role as a crash would, its will told. It is made anew after a pause,
    which grows up to 15 s where it does not last.
    """

    def __init__(self, loop: Loop, make: Callable[[Put], CpParts[R]], log: Log) -> None:
        self.failed = self._stopped = False
        self._loop, self._make, self._log = loop, make, log
        self._parts: CpParts[R] | None = None
        self._events: list[Any] = []
        self._timer: Timer | None = None
        self._began_at = self._pause_s = 0.0

    def start(self) -> None:
        """Make the role, and connect."""
        if self._stopped:
            return
        self._began_at = self._loop.time()
        # What an earlier connection still has to say is not for this one.
        events: list[Any] = []
        self._events = events
        try:
            self._parts = parts = self._make(partial(self._put, events))
            parts.bus.start()
        except Exception as error:  # noqa: BLE001
            self._fail(error)
            return
        self.failed = False
        self._tick()

    def put(self, event: Any) -> None:
        """Have the role handle an event, with all others of this turn."""
        self._put(self._events, event)

    def do(self, act: Callable[[R], T]) -> T | None:
        """Do something with the role; None where it has failed, or fails at that."""
        if self._parts is None:
            return None
        try:
            return act(self._parts.role)
        except Exception as error:  # noqa: BLE001
            self._fail(error)
            return None

    def end(self) -> None:
        """End as a crash would, by somebody's wish; it is made anew after the first pause."""
        if self._parts is not None:
            self._log.warning("ended by hand")
            self._pause_s = 0.0
            self._come_back()

    def stop(self) -> None:
        """Leave the bus, for good."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._parts is not None:
            self._parts.bus.stop()

    def close(self) -> None:
        """Give back what it held, once it has left."""
        if self._parts is not None:
            self._parts.close()
        self._parts = None

    @property
    def left(self) -> bool:
        """Whether it is off the bus, after a `stop`."""
        return self._parts is None or self._parts.bus.left

    def _put(self, events: list[Any], event: Any) -> None:
        if not events:
            self._loop.call_soon(self._handle, events)
        events.append(event)

    def _handle(self, events: list[Any]) -> None:
        batch = events[:]
        events.clear()
        if events is self._events:
            sooner_s = self.do(lambda role: role.handle(batch))
            if sooner_s is not None and self._timer is not None and not self._stopped:
                self._timer.cancel()
                self._timer = self._loop.call_later(sooner_s, self._tick)

    def _tick(self) -> None:
        tick = self._parts.tick if self._parts is not None else None
        if tick is not None:
            pause_s = self.do(lambda _: tick(self._loop.time()))
            if pause_s is not None:
                self._timer = self._loop.call_later(pause_s, self._tick)

    def _fail(self, error: Exception) -> None:
        if known := in_a_line(error):
            self._log.error("%s", known)
        else:
            self._log.exception("failed")
        if self._loop.time() - self._began_at > LONGEST_PAUSE_S:
            self._pause_s = 0.0
        self._come_back()

    def _come_back(self) -> None:
        """End what is there, and begin again after a pause."""
        parts, self._parts, self.failed = self._parts, None, True
        if parts is not None:
            parts.bus.stop()
            parts.close()
        if self._timer is not None:
            self._timer.cancel()
        self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self._timer = self._loop.call_later(self._pause_s, self.start)
        self._loop.put(self)


class Pool(Generic[R]):
    """The CPs of this process, by id, as `members` names them.

    One that comes is begun, one that goes leaves the bus and gives back what it held; where nobody
    can tell who is a member, all stay. `alone`: the process is its one CP's, and ends with it.
    """

    def __init__(
        self, loop: Loop, make: Callable[[str], CpRuntime[R]],
        members: Callable[[], Collection[str] | None], alone: bool = False,
    ) -> None:  # fmt: skip
        self._loop, self._make, self._members, self._alone = loop, make, members, alone
        self._cps: dict[str, CpRuntime[R]] = {}
        self._coming: deque[CpRuntime[R]] = deque()

    @property
    def cps(self) -> Collection[str]:
        """Who is a member, whether it runs or has failed."""
        return self._cps.keys()

    def look(self) -> None:
        """Take up who has come, and let go who has left."""
        members = self._members()
        if members is None:
            return
        for cp in self._cps.keys() - set(members):
            self._leave(self._cps.pop(cp))
        for cp in members:
            if cp not in self._cps:
                self._cps[cp] = one = self._make(cp)
                if not self._coming:
                    self._loop.call_soon(self._start_some)
                self._coming.append(one)

    def _start_some(self) -> None:
        """Begin with some of those that come; the others wait, so that the loop goes on turning."""
        for _ in range(min(START_AT_ONCE, len(self._coming))):
            self._coming.popleft().start()
        if self._coming:
            self._loop.call_soon(self._start_some)
        self._loop.put(self)

    def put(self, cp: str, event: Any) -> None:
        """Have one of them handle an event."""
        self._cps[cp].put(event)

    def end(self, cp: str) -> None:
        """End one of them as a crash would; it comes back."""
        if cp in self._cps:
            self._cps[cp].end()

    def do(self, cp: str, act: Callable[[R], T]) -> T | None:
        """Do something with one of them; None where it is not there, or fails at that."""
        one = self._cps.get(cp)
        return None if one is None else one.do(act)

    def each(self, act: Callable[[R], T]) -> dict[str, T]:
        """Do something with each that runs; its result by CP."""
        found = {cp: one.do(act) for cp, one in self._cps.items()}
        return {cp: result for cp, result in found.items() if result is not None}

    def all(self, is_so: Callable[[R], bool]) -> bool:
        """Whether it is so of each that is a member: who came last, and is ready last, first."""
        return all(one.do(is_so) for one in reversed(self._cps.values()))

    def run(self, tick: Callable[[float], float] = lambda _: NEVER_S) -> None:
        """Until the loop is stopped; then leave. Raises SystemExit where its only CP fails."""
        self.look()
        self._loop.run(self.on_changed, tick)
        self.leave()
        if self._ended:
            raise SystemExit(1)

    def leave(self) -> None:
        """Have all leave the bus, their wills told."""
        for one in self._cps.values():
            one.stop()
        self._loop.until(lambda: all(one.left for one in self._cps.values()), LEAVE_WITHIN_S)

    @property
    def _ended(self) -> bool:
        return self._alone and all(one.failed for one in self._cps.values())

    def on_changed(self, _which: list[Any]) -> float:
        """One has come, or failed: the process's own tick is for that, too."""
        if self._ended:
            self._loop.stop()
        return 0.0

    def _leave(self, one: CpRuntime[R]) -> None:
        one.stop()
        self._let_go(one, self._loop.time() + LEAVE_WITHIN_S)

    def _let_go(self, one: CpRuntime[R], until: float) -> None:
        """Only who is off the bus may be begun elsewhere."""
        if one.left or self._loop.time() >= until:
            one.close()
        else:
            self._loop.call_later(LEFT_LOOK_S, self._let_go, one, until)
