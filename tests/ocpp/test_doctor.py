"""What `evcs doctor` says of real chargers, and `evcs up` of their port."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.ocpp.conftest import Site, charger
from tests.ocpp.peers import Peer16, Peer201, now
from tests.system_under_test import System, eventually


def look(system: System, check: str) -> dict[str, Any]:
    """What doctor finds."""
    found = system.run("evcs", "doctor", "--json", timeout=60.0).json["checks"]
    (one,) = (one for one in found if one["check"] == check)
    return dict(one)


def status(site: Site) -> dict[str, Any]:
    """Of its station."""
    topic = f"evcs/v1/gateway/main/station/{site.cp}/status"
    return dict(site.system.retained(topic).get(topic) or {})


@pytest.mark.parametrize(
    "off_s",
    [7_200, -3_600, None],
    ids=["local time as Z", "an hour behind", "never set"],
)
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_clock_that_is_wrong(site: Site, version: str, off_s: int | None) -> None:
    peer: Peer16 | Peer201 = site.peer16() if version == "1.6" else site.peer201()
    with peer:
        site.ready(peer)
        assert status(site).get("clock_off_s") in (None, 0)
        peer.call("Heartbeat")
        tell(peer, "1970-01-01T00:00:05Z" if off_s is None else now(-off_s))
        told = eventually("it is told", lambda: status(site).get("clock_off_s"))
        assert abs(told - off_s) < 300 if off_s is not None else told < -1_000_000_000
        found = look(site.system, "chargers")
        assert found["level"] == "warn"
        assert f"{site.cp}'s clock is {abs(told)} s" in found["text"]
        # It has been told the time, and sets its clock.
        peer.call("Heartbeat")
        tell(peer, now())
        eventually("it is right", lambda: status(site)["clock_off_s"] == 0)
    eventually("it is well", lambda: look(site.system, "chargers")["level"] == "ok")


def tell(peer: Peer16 | Peer201, at: str) -> None:
    """Something with that time."""
    if isinstance(peer, Peer16):
        peer.call("StatusNotification", connector_id=1, error_code="NoError", status="Available",
                  timestamp=at)  # fmt: skip
    else:
        peer.call("StatusNotification", timestamp=at, connector_status="Available", evse_id=1,
                  connector_id=1)  # fmt: skip


def test_a_version_that_is_not_spoken(site: Site) -> None:
    url, user, password = site.dial()

    class Old(Peer16):
        """A charger of another time."""

        async def _open(self) -> None:
            before, _, rest = self._url.partition("://")
            url = f"{before}://{self._user}:{self._password}@{rest}"
            async with connect(url, subprotocols=["ocpp1.5", "soap"]) as connection:  # type: ignore[list-item]
                await connection.wait_closed()

        async def _close(self) -> None:
            return

    with Old(url, user, password):
        told = eventually("it is told", lambda: status(site).get("offered"))
    assert told.startswith("ocpp1.5")
    found = look(site.system, "chargers")
    assert (found["level"], site.cp in found["text"]) == ("warn", True)
    assert "ocpp1.5" in found["text"]
    with site.peer16() as peer:
        peer.boot()
        eventually("that is over", lambda: status(site).get("offered") is None)


def test_a_password_that_waits(site: Site) -> None:
    site.system.ok("evcs-cp", "rekey", site.cp)
    found = look(site.system, "chargers")
    assert f"{site.cp} has not taken its new password" in found["text"]
    with site.peer16() as peer:
        peer.boot()
    eventually("it has", lambda: look(site.system, "chargers")["level"] == "ok")


def test_the_port_of_chargers(new_system: Callable[..., System]) -> None:
    system = new_system()
    system.up()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", system.ocpp_port))
        other.listen()
        assert look(system, "ports")["level"] == "ok", "nobody needs it yet"
        system.ok("evcs-cp", "create", "WALLBOX", "--hosting", "ocpp")
        eventually("it is held", lambda: look(system, "ports")["level"] == "fail")
        found = look(system, "ports")
        assert str(system.ocpp_port) in found["text"]
        assert f"pid {os.getpid()}" in found["text"]
        log = (system.home / "log" / "_ocpp.gateway.log").read_text()
        assert f"{system.ocpp_port}" in log
        assert "Traceback" not in log
        system.ok("evcs", "down")
        refused = system.run("evcs", "up", "--json")
        assert (refused.code, refused.json["error"]["code"]) == (5, "conflict")
        assert "EVCS_OCPP_PORT" in refused.json["error"]["hint"]
    system.up()
    assert look(system, "ports")["level"] == "ok"
    site = charger(system)
    with site.peer16() as peer:
        peer.boot()


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ("", "ok", "on this machine alone"),
        ('[ocpp]\nlisten = "127.0.0.3"\nplain = true\n', "warn", "passwords can be read"),
        ('[ocpp]\nlisten = "127.0.0.3"\n', "warn", "RSA"),
    ],
)
def test_how_chargers_dial_in(
    new_system: Callable[..., System], settings: str, level: str, words: str
) -> None:
    system = new_system()
    (system.home / "conf").mkdir(parents=True)
    (system.home / "conf/evcs.toml").write_text(settings)
    found = look(system, "chargers' listener")
    assert (found["level"], words in found["text"]) == (level, True), found
    system.ok("evcs", "tls", "init")
    assert look(system, "chargers' listener")["level"] == ("ok" if "RSA" in words else level)
