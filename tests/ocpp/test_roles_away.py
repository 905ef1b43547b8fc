"""A charger is answered only by who knows its charges: none is acknowledged and thrown away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from websockets.exceptions import WebSocketException

from tests.ocpp.conftest import CARD, Site, charger, made
from tests.ocpp.peers import Peer, Peer16, Peer201
from tests.system_under_test import System, eventually

#: So many that their roles take a while to begin; the charger's is among the last.
BESIDE = 200


@pytest.fixture(scope="module")
def last(new_system: Callable[..., System]) -> Site:
    """A charger behind many others."""
    system = new_system()
    system.up()
    made(system)
    system.ok("evcs-cp", "create", f"A-{{001..{BESIDE}}}", "--hosting", "ocpp", "--no-wait")
    return charger(system)


def at_once(make: Callable[[], Peer], act: Callable[[Any], Any]) -> Any:
    """What comes of it at the first moment at which the charger is let in and answered."""
    found: list[Any] = []

    def told() -> bool:
        with (
            suppress(OSError, TimeoutError, OCPPError, WebSocketException), make() as one
        ):  # fmt: skip
            found.append(act(one))
        return bool(found)

    eventually("it is answered", told, every_s=0.01)
    return found[0]


def kill(site: Site) -> None:
    os.kill(site.system.processes()["_ocpp:gateway"], signal.SIGKILL)


def test_an_end_that_is_told_as_soon_as_the_gateway_is_back(last: Site) -> None:
    with last.peer16() as peer:
        last.ready(peer)
        begun = peer.begin(CARD, 1_000)
        url, user, password = last.dial()
        kill(last)
    at_once(lambda: Peer16(url, user, password), lambda one: one.end(begun.transaction_id, 1_777))
    (ticket,) = last.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 777)


def test_a_begin_that_is_told_as_soon_as_the_gateway_is_back(last: Site) -> None:
    before = len(last.system.ok("evcs", "sessions", "--cp", last.cp, "--json").json)
    url, user, password = last.dial()
    with Peer16(url, user, password):
        kill(last)
    begun = at_once(lambda: Peer16(url, user, password), lambda one: one.begin(CARD, 2_000))
    assert begun.id_tag_info["status"] == "Accepted"
    at_once(lambda: Peer16(url, user, password), lambda one: one.end(begun.transaction_id, 2_100))
    assert last.tickets(before + 1)[0]["energy_wh"] == 100


def test_the_same_with_201(last: Site) -> None:
    before = len(last.system.ok("evcs", "sessions", "--cp", last.cp, "--json").json)
    with last.peer201() as peer:
        last.ready(peer)
        peer.event("Started", "tx-1", "Authorized", 5_000, CARD)
        url, user, password = last.dial()
        kill(last)
    at_once(
        lambda: Peer201(url, user, password),
        lambda one: one.event("Ended", "tx-1", "StopAuthorized", 5_555, stopped_reason="Local"),
    )
    assert last.tickets(before + 1)[0]["energy_wh"] == 555


def test_an_end_of_a_connector_that_is_shut_out_is_kept_by_its_charger(last: Site) -> None:
    """Its station has another connector, and so stays."""
    system, site = last.system, charger(last.system)
    second = f"{site.cp}-2"
    system.ok("evcs-cp", "create", second, "--hosting", "ocpp", "--station", site.cp,
              "--connector", "2")  # fmt: skip
    with site.peer16() as peer:
        site.ready(peer)
        peer.status("Available", 2)
        begun = peer.begin(CARD, 0, connector=2)
        peer.meter(begun.transaction_id, 300, 7_400, connector=2)
        system.ok("evcs-cp", "revoke", second)
        eventually("its role is gone", lambda: not is_metered(peer, begun.transaction_id))
        with pytest.raises(OCPPError):
            peer.end(begun.transaction_id, 400)
        system.ok("evcs-cp", "rekey", second)
        eventually("it is taken", lambda: is_taken(peer, begun.transaction_id))
        tickets = Site(system, second).tickets()
    assert [(row["driver"], row["energy_wh"]) for row in tickets] == [("ALICE", 400)]


def is_metered(peer: Peer16, transaction: int) -> bool:
    with suppress(OCPPError):
        peer.meter(transaction, 300, 7_400, connector=2)
        return True
    return False


def is_taken(peer: Peer16, transaction: int) -> bool:
    with suppress(OCPPError):
        peer.end(transaction, 400)
        return True
    return False
