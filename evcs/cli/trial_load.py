"""The load of a trial: drivers that charge all the time, and a record of every state."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Mapping

from evcs.cli.bus_probe import BusProbe
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import topics

ASK_EVERY_S = 1.0


class _Driver:
    """One driver: asks for a charge whenever it has none."""

    def __init__(self, settings: Settings, name: str, cp: str, dice: random.Random) -> None:
        self._name, self._cp, self._dice = name, cp, dice
        wanted = [topics.filter_for(m.DriverEvent, driver=name)]
        self._bus = BusProbe(settings, wanted, f"driver/{name}")
        self.charging = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._closed = threading.Event()

    def start(self) -> None:
        self._bus.__enter__()
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._bus.__exit__()

    def _run(self) -> None:
        busy_until = 0.0
        while not self._closed.is_set():
            event = self._bus.next(time.monotonic() + ASK_EVERY_S)
            if isinstance(event, m.DriverEvent):
                going = event.event in ("authorised", "started", "progress")
                busy_until = time.monotonic() + 2 * ASK_EVERY_S if going else 0.0
            if self.charging and time.monotonic() >= busy_until:
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
        self._bus = BusProbe(settings, [topics.filter_for(m.CpState)])
        self._bus.__enter__()

    def forget(self) -> None:
        """Begin anew."""
        self._take_all()
        self._seen = {}

    def saw(self, cp: str) -> set[str]:
        """The states heard of a CP since then."""
        self._take_all()
        return self._seen.get(cp, set())

    def close(self) -> None:
        """Leave."""
        self._bus.__exit__()

    def _take_all(self) -> None:
        while (message := self._bus.next(0.0)) is not None:
            if isinstance(message, m.CpState):
                self._seen.setdefault(message.cp, set()).add(message.state)
