"""The load of a trial: drivers that charge all the time, and a record of every state."""

from __future__ import annotations

import os
import queue
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

from evcs.adapters import mqtt
from evcs.adapters.bus_thread import BusThread
from evcs.adapters.secret_files import SecretFiles
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import ports, topics

ASK_EVERY_S = 1.0


class _Driver:
    """One driver: asks for a charge whenever it has none."""

    def __init__(self, settings: Settings, name: str, cp: str, dice: random.Random) -> None:
        self._name, self._cp, self._dice = name, cp, dice
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        secret = SecretFiles(settings.home).read(f"driver/{name}")
        account = mqtt.Account(settings.home.broker_socket, f"driver/{name}", lambda: secret)
        self._bus = BusThread(
            account, self._events.put, [topics.filter_for(m.DriverEvent, driver=name)]
        )
        self.charging = True
        self.tickets = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._closed = threading.Event()

    def start(self) -> None:
        self._bus.start()
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._bus.stop()

    def _run(self) -> None:
        busy_until = 0.0
        while not self._closed.is_set():
            try:
                event = self._events.get(timeout=ASK_EVERY_S)
            except queue.Empty:
                event = None
            if isinstance(event, ports.Received) and isinstance(event.message, m.DriverEvent):
                self.tickets += event.message.event == "ticket"
                going = event.message.event in ("authorised", "started", "progress")
                busy_until = time.monotonic() + 2 * ASK_EVERY_S if going else 0.0
            if self.charging and self._bus.connected and time.monotonic() >= busy_until:
                energy = self._dice.randint(200, 4000)
                request = os.urandom(8).hex()
                self._bus.publish(m.DriverRequest(self._name, "charge", request, self._cp, energy))
                busy_until = time.monotonic() + ASK_EVERY_S


class Drivers:
    """A driver for each CP of `pairs` (driver -> CP)."""

    def __init__(self, settings: Settings, pairs: Mapping[str, str], seed: int) -> None:
        self._all = [
            _Driver(settings, name, cp, random.Random(f"{seed}/{name}"))
            for name, cp in pairs.items()
        ]
        self._pause = threading.Event()

    def start(self) -> None:
        """Begin to charge."""
        for one in self._all:
            one.start()

    def let_run(self, seconds: float) -> None:
        """Let them charge for a while."""
        self._pause.wait(seconds)

    def stop_charging(self) -> None:
        """Ask for no more; what is under way goes on to its end."""
        for one in self._all:
            one.charging = False

    def close(self) -> None:
        """Leave."""
        for one in self._all:
            one.close()


class StateRecorder:
    """Every state that Central judges of every CP, as `inspector` hears it."""

    def __init__(self, settings: Settings) -> None:
        self._seen: dict[str, set[str]] = {}
        secret = SecretFiles(settings.home).read("inspector")
        account = mqtt.Account(settings.home.broker_socket, "inspector", lambda: secret)
        self._bus = BusThread(account, self._take, [topics.filter_for(m.CpState)])
        self._bus.start()

    def forget(self) -> None:
        """Begin anew."""
        self._seen = {}

    def saw(self, cp: str) -> set[str]:
        """The states heard of a CP since then."""
        return self._seen.get(cp, set())

    def close(self) -> None:
        """Leave."""
        self._bus.stop()

    def _take(self, event: Any) -> None:
        if isinstance(event, ports.Received) and isinstance(event.message, m.CpState):
            self._seen.setdefault(event.message.cp, set()).add(event.message.state)
