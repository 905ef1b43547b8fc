"""Drivers who charge: one that is measured, and many in the background."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from evcs.cli import cp_changes
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.cli.driver_client import DriverClient
from evcs.core import messages as m
from evcs.core import topics

ENERGY_WH = 100_000
EVENT_WITHIN_S = 30.0


def charge_all(call: CommandContext, cps: list[str]) -> None:
    """A driver of its own begins to charge at each CP, for longer than anyone looks."""
    drivers = [f"D-{cp}" for cp in cps]
    cp_changes.each(drivers, call.registry.add_driver)

    def one(cp: str) -> None:
        with DriverClient(call, f"D-{cp}") as talk:
            talk.ask("charge", cp, ENERGY_WH)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, cps))


class Driver:
    """A driver with a connection that stays."""

    def __init__(self, call: CommandContext, name: str) -> None:
        self.name = name
        self._asked = 0
        wanted = [topics.filter_for(m.DriverEvent, driver=name)]
        self._bus = BusProbe(call.settings, wanted, f"driver/{name}")

    def __enter__(self) -> Self:
        self._bus.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.__exit__()

    def ask(self, verb: str, cp: str | None = None) -> float:
        """Send a request; the monotonic second at which it went out."""
        self._asked += 1
        began = time.monotonic()
        energy = ENERGY_WH if verb == "charge" else None
        self._bus.publish(
            m.DriverRequest(self.name, verb, f"{self.name}-{self._asked}", cp, energy)
        )
        return began

    def wait(self, event: str) -> float:
        """The monotonic second at which Central told this."""
        deadline = time.monotonic() + EVENT_WITHIN_S
        while found := self._bus.next(deadline):
            if isinstance(found, m.DriverEvent):
                assert found.event != "denied", found
                if found.event == event:
                    return time.monotonic()
        raise AssertionError(f"{self.name}: no {event} in {EVENT_WITHIN_S:g} s")
