"""G5: what a client may have the broker keep for it, and for how long."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evcs.adapters import broker_memory
from evcs.home import Home
from tests.adapters.broker import Broker
from tests.security.clients import ALLOWED, MqttClient
from tests.system_under_test import eventually

WHO = {"central": "c", "driver/ALICE": "a", "inspector": "look"}
TOPIC = "evcs/v1/central/driver/ALICE/event"
MIB = 2**20


def text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def packet(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + length(len(body)) + body


def length(number: int) -> bytes:
    """MQTT's variable byte integer."""
    rest, low = divmod(number, 128)
    return bytes([low | 128]) + length(rest) if rest else bytes([low])


@pytest.fixture
def known(broker: Broker, home: Home) -> Broker:
    broker.accounts(WHO)
    eventually("they are known", lambda: _let_in(broker), 10)
    broker_memory.hold(home, 0, lambda: None)
    return broker


def _let_in(broker: Broker) -> bool:
    with MqttClient(broker.port, "central", "c") as client:
        return client.code == 0


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def who_never_reads(broker: Broker, qos: int) -> socket.socket:
    """ALICE, without keepalive, who listens and reads nothing but the two acknowledgements."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", broker.port))
    head = text("MQTT") + b"\x05\xc2\0\0\0"
    sock.sendall(packet(0x10, head + text("") + text("driver/ALICE") + text("a")))
    answer = sock.recv(200)
    assert answer[3] == 0, answer
    # Property 0x13, the server's keepalive: 60 s though none was asked for.
    assert b"\x13\x00\x3c" in answer
    sock.sendall(packet(0x82, b"\0\1\0" + text(TOPIC) + bytes([qos])))
    assert sock.recv(5)[0] == 0x90
    return sock


def rss(broker: Broker) -> int:
    pages = Path(f"/proc/{broker.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def flood(central: MqttClient, megabytes: int) -> None:
    """Tell ALICE so much, or as much as the broker takes."""
    said = 0
    while said < megabytes and not central.dropped.is_set():
        said += 1
        for _ in range(16):
            central.send(TOPIC, b"x" * 62_000)
    eventually("it is taken", lambda: central.dropped.is_set() or central.is_answered(), 60)


def others_go_on(broker: Broker) -> None:
    def probe() -> bool:
        with (
            MqttClient(broker.port, "inspector", "look") as eye,
            MqttClient(broker.port, "central", "c") as central,
        ):
            eye.read("evcs/v1/central/status")
            if central.write("evcs/v1/central/status", b"here") not in ALLOWED:
                return False
            eventually("it is heard", lambda: eye.heard, 5)
            return True

    eventually("others go on", probe, 20)


def test_one_who_never_reads_is_kept_a_bounded_share(known: Broker, sockets: ExitStack) -> None:
    sockets.enter_context(who_never_reads(known, 1))
    before = rss(known)
    with MqttClient(known.port, "central", "c") as central:
        flood(central, 150)
        assert not central.dropped.is_set()
    assert rss(known) - before < 60 * MIB
    others_go_on(known)


def test_many_who_never_read_take_no_more_than_the_broker_may(
    known: Broker, sockets: ExitStack
) -> None:
    for _ in range(20):
        sockets.enter_context(who_never_reads(known, 0))
    with MqttClient(known.port, "central", "c") as central:
        flood(central, 40)
    limit, _ = resource.prlimit(known.pid, resource.RLIMIT_DATA)
    assert rss(known) < limit + 40 * MIB < 600 * MIB
    sockets.close()
    others_go_on(known)


def test_a_broker_whose_memory_is_used_up_is_ended(known: Broker, home: Home) -> None:
    """By sessions that are left behind, an hour each, with a will that is due at their end."""
    hour = (3_600).to_bytes(4, "big")
    head = text("MQTT") + b"\x05\xc6\0\x3c" + b"\x05\x11" + hour
    will = b"\x05\x18" + hour + text("evcs/v1/driver/ALICE/request") + text("x" * 62_000)
    ended: list[int] = []
    for number in range(8_000):
        broker_memory.hold(home, 0, lambda: ended.append(known.pid))
        if ended:
            break
        with socket.create_connection(("127.0.0.1", known.port), 5) as sock:
            body = head + text(f"w{number}") + will + text("driver/ALICE") + text("a")
            sock.sendall(packet(0x10, body))
            assert sock.recv(4)[3] == 0, "it is let in as long as there is room"
    assert ended == [known.pid]
    assert number > 2_000, "not for what is usual"


def test_who_has_no_password_uses_up_no_memory_that_the_broker_counts(known: Broker) -> None:
    properties = (b"\x26" + text("") + text("")) * 12_000
    head = text("MQTT") + b"\x05\2\0\x3c" + length(len(properties)) + properties
    refused = packet(0x10, head + text("anybody"))
    for _ in range(600):
        with socket.create_connection(("127.0.0.1", known.port), 5) as sock:
            sock.sendall(refused)
            sock.recv(10)
    with MqttClient(known.port, "central", "c") as central:
        flood(central, 1)
        assert not central.dropped.is_set()
