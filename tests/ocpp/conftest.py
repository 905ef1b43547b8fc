"""A real system with a charger's CP for each test, and a driver with a card."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.ocpp.peers import Peer16, Peer201
from tests.system_under_test import System, eventually

#: ALICE's, as a charger reads it.
CARD = "04a1b2c3"

_numbers = itertools.count(1)


class Site(NamedTuple):
    """A CP that is a charger of its own, in a system that others may use, too."""

    system: System
    cp: str

    def dial(self) -> tuple[str, str, str]:
        """URL, user and password of its charger."""
        told = self.system.ok("evcs-cp", "connect", self.cp, "--json").json
        return told["url"], told["user"], told["password"]

    def peer16(self) -> Peer16:
        """A charger of OCPP 1.6 that is to dial in."""
        return Peer16(*self.dial())

    def peer201(self) -> Peer201:
        """One of OCPP 2.0.1."""
        return Peer201(*self.dial())

    def state(self) -> str:
        """The CP's state."""
        return str(self.system.ok("evcs-cp", "show", self.cp, "--json").json["state"])

    def until(self, state: str) -> None:
        """Until the CP is so."""
        eventually(f"{self.cp} is {state}", lambda: self.state() == state)

    def ready(self, charger: Peer16 | Peer201) -> None:
        """Until its charger has said that it is free."""
        charger.boot()
        charger.status("Available")
        self.until("ACTIVATED")

    def charge(self, kwh: str = "5") -> None:
        """ALICE charges from afar."""
        self.system.ok("evcs-driver", "charge", self.cp, "--driver", "ALICE", "--kwh", kwh,
                       "--no-watch")  # fmt: skip

    def tickets(self, count: int = 1) -> list[dict[str, object]]:
        """So many settled sessions, the latest first."""

        def settled() -> list[dict[str, object]] | None:
            rows = self.system.ok("evcs", "sessions", "--cp", self.cp, "--json").json
            found = [row for row in rows if row["state"] == "settled"]
            return found if len(found) == count else None

        found: list[dict[str, object]] = eventually(f"{count} tickets", settled)
        return found


def made(system: System) -> System:
    """A system that runs, with ALICE."""
    system.ok("evcs", "driver", "add", "ALICE")
    system.ok("evcs", "driver", "tag", "ALICE", "add", CARD.upper())
    return system


def charger(system: System, host: str = "127.0.0.1") -> Site:
    """One more CP, which its charger can dial in for."""
    cp = f"WALLBOX-{next(_numbers)}"
    system.ok("evcs-cp", "create", cp, "--hosting", "ocpp")
    eventually("the gateway listens", lambda: listens(system.ocpp_port, host))
    # What the Registry told before, the driver's card, Central knows then, too.
    state = f"evcs/v1/central/cp/{cp}/state"
    eventually("Central knows it", lambda: system.retained(state))
    return Site(system, cp)


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody does."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.fixture(scope="module")
def system(new_system: Callable[..., System]) -> System:
    """A system of a module's tests."""
    found = new_system()
    found.up()
    return made(found)


@pytest.fixture
def site(system: System) -> Site:
    """A charger's CP, which is not connected."""
    return charger(system)
