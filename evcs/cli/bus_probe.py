"""The CLI's eyes: reads the bus as `inspector` and waits for what is judged there."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, Self

from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.adapters.supervisord import supervisord_pid
from evcs.cli.common import patience, require_running
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import ports, topics
from evcs.core.errors import Denied, Unreachable
from evcs.core.retained_view import RetainedView
from evcs.home import Home

ONE_TRY_S = 0.5
POLL_S = 0.02
SILENT_CENTRAL_S = 8.0
#: What is retained comes at once.
ENGINE_WITHIN_S = 1.0
#: Each costs the broker a subscription for each kind.
FEW_CPS = 10


class Raw(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes


class BusProbe:
    """A connection to the bus for the length of a `with` block."""

    def __init__(
        self, settings: Settings, subscriptions: Iterable[topics.Subscription],
        identity: str = "inspector", decode: Callable[[str, bytes], Any] = topics.decode,
    ) -> None:  # fmt: skip
        require_running(settings, "the broker")
        self._home = settings.home
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        account = Account.of(settings.home, identity)
        account.secret()  # none is an error at once, not a login that is tried again
        wanted = list(subscriptions)
        if topics.subtree() not in wanted:  # the broker tells overlapping ones twice
            wanted.append(topics.central_status())
        self._bus = BusThread(account, self._events.put, wanted, decode=decode)
        #: Topics where the broker keeps what nobody is to have retained.
        self._strays: list[str] = []
        # It has no birth of its own, but knows which of Central's statuses is the present one.
        self._view = RetainedView("")
        #: That of Central, where it is there.
        self._boot: str | None = None
        self._patience_s = patience(settings)

    def __enter__(self) -> Self:
        self._bus.start()
        deadline = time.monotonic() + max(self._patience_s, ONE_TRY_S)
        refused = False
        while not self._bus.connected:
            event = self._next(deadline)
            if event is None:
                hint = "see: evcs logs mosquitto" if self._patience_s else "start it: evcs up"
                if refused:
                    raise Denied("the broker refused the credentials", "see: evcs status")
                raise Unreachable("the broker does not answer", hint)
            if isinstance(event, ports.Disconnected):
                # An identity that was made just now is known to the broker a moment later.
                refused = refused or event.refused
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.stop()

    def next(self, deadline: float) -> m.Message | m.Cleared | None:
        """The next message, or None at the deadline (monotonic seconds)."""
        event = self.receive(deadline)
        if event is None:
            return None
        found = event.message
        if isinstance(found, m.ServiceStatus):
            self._on_service(found, event.retained)
        return found

    def receive(self, deadline: float) -> ports.Received | None:
        """The same, with whether the broker had kept it."""
        while True:
            event = self._next(deadline)
            if event is None or isinstance(event, ports.Received):
                return event
            if isinstance(event, ports.Stray):
                self._strays.append(event.topic)

    def wait(
        self,
        take: Callable[[m.Message | m.Cleared], bool],
        timeout_s: float,
        needs_central: bool = True,
    ) -> bool:
        """Feed messages to `take` until it says that all is there; False at the timeout."""
        started = time.monotonic()
        deadline = started + timeout_s
        while True:
            now = time.monotonic()
            if needs_central and self._boot is None and now - started > SILENT_CENTRAL_S:
                runs = supervisord_pid(self._home) is not None
                hint = "see: evcs logs central" if runs else "start it: evcs up"
                raise Unreachable("Central does not answer", hint)
            message = self.next(min(deadline, now + 0.5))
            if message is not None and take(message):
                return True
            if time.monotonic() >= deadline:
                return False

    def retained(self, within_s: float) -> dict[str, bytes]:
        """All that the broker keeps: topic -> payload; of a probe of all that decodes to Raw.

        Who only looks has no birth of his own that would come back behind it all. But what is
        subscribed to once more is told once more, in its turn: with that all has come.
        """
        found: dict[str, bytes] = {}
        last = topics.central_status()
        self._bus.subscribe([last])
        deadline = time.monotonic() + within_s
        while (event := self.receive(deadline)) is not None:
            message: Any = event.message
            if event.retained:
                if message.topic == last.filter and last.filter in found:
                    break
                found[message.topic] = message.payload
                deadline = time.monotonic() + within_s
        return found | dict.fromkeys(self._strays, b"")

    def publish(self, what: m.Message | topics.Publication) -> bool:
        """Publish, if there is a connection."""
        return self._bus.publish(what)

    def deliver(self, what: topics.Publication) -> None:
        """Publish, and wait until the broker has it. Raises Denied, Unreachable."""
        self._bus.deliver(what, max(self._patience_s, ONE_TRY_S))

    def ask(
        self, requests: Sequence[m.Message], take: Callable[[m.Message | m.Cleared], bool],
        timeout_s: float,
    ) -> bool:  # fmt: skip
        """Send requests to Central and wait for `take`; False at the timeout.

        A Central that comes back in the meantime is asked again: it knows a request by its id.
        """
        asked = self._boot
        for request in requests if asked is not None else ():
            self._bus.publish(request)

        def step(message: m.Message | m.Cleared) -> bool:
            nonlocal asked
            if isinstance(message, m.ServiceStatus) and message.online and message.boot != asked:
                asked = message.boot
                for request in requests:
                    self._bus.publish(request)
            return take(message)

        return self.wait(step, timeout_s)

    def _on_service(self, status: m.ServiceStatus, retained: bool) -> None:
        if status.service == "central" and self._view.take(status, retained):
            self._boot = status.boot if status.online else None

    def _next(self, deadline: float) -> Any:
        try:
            return self._events.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            return None


def wait_for_broker(home: Home, within_s: float) -> None:
    """Until the broker takes connections, or the time is over: a failed one waits before its next.

    A socket file alone says nothing, since a killed broker leaves its own behind.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(home.broker_socket)) == 0:
                return
        time.sleep(POLL_S)


def of_cps(kinds: Iterable[type], cps: Collection[str]) -> list[topics.Subscription]:
    """The filters for these kinds; of few CPs for theirs alone, so that no others are told."""
    if len(cps) > FEW_CPS:
        return [topics.filter_for(kind) for kind in kinds]
    return [topics.filter_for(kind, cp=cp) for kind in kinds for cp in cps]


def states(settings: Settings, cps: set[str]) -> dict[str, m.CpState]:
    """The judged states of these CPs, as far as Central has told them."""
    return _told(settings, of_cps((m.CpState,), cps), cps, lambda state: state.cp)[0]


def circuit_states(settings: Settings, names: set[str]) -> dict[str, m.CircuitState] | None:
    """What these circuits carry, as far as Central has told it; None where it is away."""
    subscriptions = [topics.filter_for(m.CircuitState)]
    found, central = _told(settings, subscriptions, names, lambda state: state.name)
    return found if central else None


def engine_status(settings: Settings, cp: str) -> m.EngineStatus | None:
    """What a CP's Engine says of itself; None where it has not spoken."""
    subscriptions = of_cps((m.EngineStatus,), [cp])
    found = _told(settings, subscriptions, {cp}, lambda status: status.cp, ENGINE_WITHIN_S)[0]
    return found.get(cp)


def _told(
    settings: Settings, subscriptions: list[topics.Subscription], names: set[str],
    name_of: Callable[[Any], str], timeout_s: float = 3.0,
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    """By name what Central has told; and whether it is there."""
    found: dict[str, Any] = {}
    central: list[m.ServiceStatus] = []
    all_there = threading.Event()

    def note(topic: str, payload: bytes) -> m.Message | m.Cleared:
        """In the connection's thread: to wake the other at each of thousands takes longer."""
        message = topics.decode(topic, payload)
        if isinstance(message, m.CpState | m.CircuitState | m.EngineStatus):
            found[name_of(message)] = message
        elif isinstance(message, m.ServiceStatus):
            central.append(message)
        if central and names <= found.keys():
            all_there.set()
        return message

    if names:
        with BusProbe(settings, subscriptions, decode=note):
            all_there.wait(timeout_s)
    return found, bool(central) and central[-1].online
