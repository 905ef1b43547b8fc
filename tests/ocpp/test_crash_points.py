"""The gateway killed at each step of a charge: one ticket, of what the register says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from websockets.exceptions import WebSocketException

from tests.ocpp.conftest import CARD, Site, charger, made
from tests.ocpp.peers import Peer16
from tests.system_under_test import System, eventually

STEPS = (
    "gateway.begin_received", "gateway.begin_kept", "gateway.begin_answered",
    "gateway.reading_kept", "gateway.end_received", "gateway.end_kept", "gateway.settled",
)  # fmt: skip


@pytest.fixture(scope="module")
def armed(new_system: Callable[..., System]) -> Site:
    """A system that can be told to crash."""
    system = new_system()
    system.up(EVCS_CRASH_AT=f"@{system.home}/run/crash_at")
    return charger(made(system))


class Stubborn:
    """A charger that connects anew and tells again, until it is answered."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def tell(self, act: Callable[[Peer16], Any]) -> Any:
        """What comes of it at last."""
        found: list[Any] = []

        def told() -> bool:
            with (
                suppress(OSError, TimeoutError, OCPPError, WebSocketException),
                self._site.peer16() as charger,
            ):
                found.append(act(charger))
            return bool(found)

        eventually("it is answered", told)
        return found[0]


@pytest.mark.parametrize(("number", "step"), list(enumerate(STEPS)))
def test_a_charge_over_a_crash(armed: Site, number: int, step: str) -> None:
    system, peer = armed.system, Stubborn(armed)
    at, register = f"2026-11-30T10:{number:02}:00Z", 1_000 * number
    before = system.processes()["_ocpp:gateway"]
    (system.home / "run" / "crash_at").write_text(step)
    begun = peer.tell(lambda one: one.begin(CARD, register, at=at))
    peer.tell(lambda one: one.meter(begun.transaction_id, register + 100, 7_400))
    peer.tell(lambda one: one.end(begun.transaction_id, register + 300))
    eventually("it crashed", lambda: not (system.home / "run" / "crash_at").exists())
    assert eventually("it is back", lambda: system.processes().get("_ocpp:gateway")) != before
    tickets = armed.tickets(number + 1)
    assert [(row["driver"], row["energy_wh"]) for row in tickets] == [("ALICE", 300)] * (number + 1)
