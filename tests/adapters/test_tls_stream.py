"""The bus over TLS, as from another machine, against a real broker and against what is none."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest

from evcs.adapters import broker_accounts, broker_listeners, certificates, mqtt
from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.config import Endpoint, Settings
from evcs.core import ports, topics
from evcs.core.setting_values import ALWAYS
from evcs.home import Home
from evcs.runtime.loop import Loop
from tests.adapters.broker import Broker, Events
from tests.system_under_test import eventually

ACCOUNTS = {"inspector": "look", "manager/main": "m"}
SUMMARY = topics.PREFIX + "manager/main/cp/CP-1"


@pytest.fixture
def broker(home: Home) -> Iterator[Broker]:
    """One that is reached by TLS alone, with a certificate of the home's CA."""
    made = Broker(home)
    certificates.make_authority(home)
    certificates.make_server(home, ["127.0.0.1"])
    broker_listeners.write(Settings(home, mqtt_port=made.port, mqtt_tls=ALWAYS), 4096, 0)
    broker_accounts.write(home, ACCOUNTS)
    made.start()
    yield made
    made.stop()


def account(broker: Broker, identity: str, ca: Home | None = None) -> Account:
    """Whoever dials it from elsewhere."""
    server = Endpoint("127.0.0.1", broker.port, (ca or broker.home).ca)
    return Account(broker.socket, identity, lambda: ACCOUNTS[identity], server)


def test_what_is_said_is_heard_whole_and_in_order(broker: Broker) -> None:
    heard, count = Events(), 300
    with (
        BusThread(account(broker, "inspector"), heard.put, [topics.subtree()],
                  decode=lambda _, payload: payload),
        BusThread(account(broker, "manager/main"), Events().put, []) as bus,
    ):  # fmt: skip
        wanted = [b"%d:" % n + b"x" * 40_000 for n in range(count)]
        for payload in wanted:
            say = partial(bus.publish, topics.Publication(SUMMARY, payload, 1, False))
            eventually("there is room", say, 20)
        heard.wait(ports.Received, count)
    assert heard.messages() == wanted


def test_a_broker_of_another_ca_is_refused_by_name(broker: Broker, home: Home) -> None:
    other, heard = Home(home.path / "other"), Events()
    certificates.make_authority(other)
    bus = BusThread(account(broker, "manager/main", other), heard.put, [])
    bus.start()
    try:
        (event, *_) = heard.wait(ports.Disconnected)
    finally:
        bus.stop()
    assert "certificate is refused" in event.reason
    assert not event.refused, "with its right certificate it is well: it is tried again"


@pytest.mark.parametrize("who", ["takes nothing", "says nothing", "is not there"])
def test_who_does_not_answer_holds_the_loop_up_for_no_moment(home: Home, who: str) -> None:
    """And takes no CPU: the loop turns for its own timers alone."""
    certificates.make_authority(home)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if who != "is not there":
            server.listen(0)
        port, full = server.getsockname()[1], []
        if who == "takes nothing":
            for _ in range(3):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                full.append(one)
        loop, heard, turns = Loop(), Events(), list[float]()
        of = Account(home.broker_socket, "manager/main", lambda: "m",
                     Endpoint("127.0.0.1", port, home.ca))  # fmt: skip
        bus = mqtt.Bus(loop, of, heard.put, [])

        def turn() -> None:
            turns.append(time.monotonic())
            loop.call_later(0.02, turn)

        loop.call_soon(turn)
        loop.call_soon(bus.start)
        began, cpu = time.monotonic(), time.process_time()
        loop.until(lambda: time.monotonic() - began > 2.0, 5.0)
        assert time.process_time() - cpu < 1.0
        assert max(b - a for a, b in pairwise(turns)) < 0.5
        assert not bus.connected
        bus.stop()
        for one in full:
            one.close()


def test_it_is_back_when_its_broker_is(broker: Broker) -> None:
    heard = Events()
    with BusThread(account(broker, "manager/main"), heard.put, []):
        broker.kill()
        heard.wait(ports.Disconnected)
        broker.start()
        heard.wait(ports.Connected, 2)
