from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from evcs.adapters import mqtt, mqtt_client
from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.adapters.connection_gate import Gate
from evcs.core import messages as m
from evcs.core import ports, topics
from evcs.core.errors import Denied, Unreachable
from evcs.runtime.loop import Loop
from tests.adapters.broker import Broker, Events, Listeners
from tests.adapters.steps import steps
from tests.system_under_test import ROOT, eventually

CP1, CP2 = "cp/CP-1/engine", "cp/CP-2/engine"
ACCOUNTS = {"inspector": "look", "central": "c", "registry": "r", CP1: "e1", CP2: "e2",
            "driver/ALICE": "a", "driver/BOB": "b", "operator": "o"}  # fmt: skip
ALL = [topics.subtree()]


@pytest.fixture
def known(broker: Broker) -> Broker:
    """The broker with these accounts."""
    broker.accounts(ACCOUNTS)
    with BusThread(Account(broker.socket, CP2, lambda: "e2"), Events().put, []):
        return broker


def status(cp: str, online: bool = True, boot: str = "b1") -> m.EngineStatus:
    return m.EngineStatus(cp, online, boot)


def test_a_message_arrives_as_it_was_said(known: Broker, listeners: Listeners) -> None:
    _, heard = listeners.add("central", "c", ALL)
    bus, _ = listeners.add(CP1, "e1")
    event = m.SessionEvent("CP-1", "started", "S", 1, 0, 'é "🔌"')
    assert bus.publish(event)
    assert heard.wait(ports.Received)[0] == ports.Received(event, retained=False)


def of_its_sender(count: int) -> Properties:
    found = Properties(PacketTypes.PUBLISH)
    found.UserProperty = [("", "")] * count
    return found


def test_properties_of_a_message_are_passed_over(known: Broker, listeners: Listeners) -> None:
    _, heard = listeners.add("central", "c", ALL)
    client = mqtt_client.new_client(CP1, "e1", None)
    client.connect(str(known.socket))
    eventually("connected", lambda: client.loop() == 0 and client.is_connected())
    said = topics.encode(status("CP-1"), "2026-01-01T00:00:00Z")
    for count in (0, 25, 26, 3_277, 13_000):  # lengths of one, two and three bytes
        client.publish(said.topic, said.payload, 1, False, of_its_sender(count))
    eventually("all is sent", lambda: client.loop() == 0 and not client._out_messages)
    assert heard.wait(ports.Received, 5) == [ports.Received(status("CP-1"), retained=False)] * 5


def test_properties_of_a_message_cost_nothing() -> None:
    client, heard = mqtt_client.new_client(CP1, "e1", None), list[bytes | bytearray]()
    client.on_message = lambda _client, _data, message: heard.append(message.payload)

    def cost(count: int) -> int:
        packet = b"\0\1t" + of_its_sender(count).pack() + b"{}"
        client._in_packet |= {"command": 0x30, "packet": packet}
        return steps(client._handle_publish)

    assert cost(13_000) < cost(0) + 100
    assert heard == [b"{}", b"{}"]


def test_what_is_kept_is_told_to_who_comes_later(known: Broker, listeners: Listeners) -> None:
    bus, _ = listeners.add(CP1, "e1")
    bus.deliver(topics.encode(status("CP-1"), "2026-01-01T00:00:00Z"), 10)
    _, heard = listeners.add("central", "c", ALL)
    assert heard.wait(ports.Received)[0] == ports.Received(status("CP-1"), retained=True)
    bus.publish(topics.clear(m.EngineStatus, cp="CP-1"))
    assert heard.wait(ports.Received, 2)[1].message == m.Cleared(m.EngineStatus, {"cp": "CP-1"})


def test_who_waits_for_the_broker_is_told_whether_it_took_what_was_said(known: Broker) -> None:
    mine = topics.encode(status("CP-1"), "2026-01-01T00:00:00Z")
    with BusThread(Account(known.socket, CP1, lambda: "e1"), Events().put, []) as bus:
        bus.publish(status("CP-2"))
        bus.deliver(mine, 10)
        with pytest.raises(Denied, match="CP-2"):
            bus.deliver(topics.encode(status("CP-2"), "2026-01-01T00:00:00Z"), 10)
        os.kill(known.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Unreachable, match="CP-1"):
                bus.deliver(mine, 0.1)
        finally:
            os.kill(known.pid, signal.SIGCONT)
    with pytest.raises(Unreachable, match="lost"):
        bus.deliver(mine, 10)


def test_a_queue_that_is_full_is_no_loss_and_is_tried_again_soon(short_tmp: Path) -> None:
    path, heard = short_tmp / f"{os.urandom(3).hex()}.sock", Events()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(path))
        server.listen(0)
        first.connect(str(path))
        loop = Loop()
        bus = mqtt.Bus(loop, Account(path, CP1, lambda: "e1"), heard.put, [])
        bus.start()
        loop.put("it holds nothing up")
        assert loop.turn() == ["it holds nothing up"]
        loop.until(lambda: False, 3 * mqtt.FULL_RETRY_S)
        server.accept()[0].close()
        server.setblocking(False)
        served: list[socket.socket] = []

        def is_there() -> bool:
            with suppress(BlockingIOError):
                served.append(server.accept()[0])
            return bool(served)

        loop.until(is_there, 10)
        loop.until(lambda: False, mqtt.FULL_RETRY_S)
        assert served[0].recv(1) == b"\x10", "CONNECT"
        assert heard.all == []
        served[0].close()
        loop.until(lambda: bool(heard.all), 10)


def test_one_that_is_stopped_in_a_full_queue_gives_its_place_to_the_next(short_tmp: Path) -> None:
    path = short_tmp / f"{os.urandom(3).hex()}.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(str(path))
        server.listen(0)
        first.connect(str(path))
        loop = Loop()
        gate, begun = Gate(loop, 1), list[str]()
        account = Account(path, CP1, lambda: "e1")
        bus = mqtt.Bus(loop, account, Events().put, [], gate=gate)
        bus.start()
        gate.enter(lambda: begun.append("the next"))
        bus.stop()
        loop.turn(0.0)
        assert begun == ["the next"]
        loop.close()


def test_after_a_restart_of_the_broker_it_connects_and_subscribes_again(
    known: Broker, listeners: Listeners
) -> None:
    _, heard = listeners.add("central", "c", ALL)
    bus, told = listeners.add(CP1, "e1")
    for times in (2, 3):
        known.kill()
        told.wait(ports.Disconnected, times - 1)
        assert not bus.publish(status("CP-1"))
        known.start()
        told.wait(ports.Connected, times)
        heard.wait(ports.Connected, times)
        before = len(heard.messages())
        assert bus.publish(status("CP-1", boot=f"b{times}"))
        heard.wait(ports.Received, before + 1)
        assert heard.messages()[-1].boot == f"b{times}"


def test_a_loss_is_told_once_however_often_it_tries(known: Broker, listeners: Listeners) -> None:
    bus, told = listeners.add(CP1, "e1")
    known.kill()
    told.wait(ports.Disconnected)
    tries = Events()
    other = BusThread(Account(known.socket, CP2, lambda: count(tries)), Events().put, [])
    other.start()
    tries.wait(int, 4)
    other.stop()
    assert [type(event) for event in told.all] == [ports.Connected, ports.Disconnected]
    assert not bus.connected
    known.start()
    told.wait(ports.Connected, 2)


def count(tries: Events) -> str:
    """A secret that tells how often it was asked for."""
    tries.put(1)
    return "e2"


def test_the_secret_is_read_again_at_each_connection(known: Broker) -> None:
    secret, events = ["old"], Events()
    bus = BusThread(Account(known.socket, CP1, lambda: secret[0]), events.put, [])
    bus.start()
    assert events.wait(ports.Disconnected)[0].refused
    secret[0] = "e1"
    events.wait(ports.Connected)
    known.accounts({**ACCOUNTS, CP1: "e1-new"})
    lost = events.wait(ports.Disconnected, 2)[1]
    assert not lost.refused, "a renewed secret is no refusal"
    secret[0] = "e1-new"
    events.wait(ports.Connected, 2)
    bus.stop()


def test_a_refusal_is_told_as_such(known: Broker, listeners: Listeners) -> None:
    _, told = listeners.add(CP1, "e1")
    known.accounts({who: word for who, word in ACCOUNTS.items() if who != CP1})
    refused = told.wait(ports.Disconnected, 2)
    assert [one.refused for one in refused[:2]] == [False, True]


def test_a_missing_secret_is_waited_for(known: Broker) -> None:
    events, secret = Events(), dict[str, str]()

    def read() -> str:
        events.put("asked")
        if "it" not in secret:
            raise OSError("no such file")
        return secret["it"]

    bus = BusThread(Account(known.socket, CP1, read), events.put, [])
    bus.start()
    events.wait(str, 2)
    secret["it"] = "e1"
    events.wait(ports.Connected)
    bus.stop()


def test_what_can_not_be_read_is_counted_and_dropped_and_the_next_is_heard(
    known: Broker, listeners: Listeners
) -> None:
    bus, heard = listeners.add("central", "c", ALL)
    meter = "evcs/v1/cp/CP-1/engine/meter"
    good = json.dumps({"session_id": "S", "seq": 1, "energy_wh": 2, "power_w": 3,
                       "voltage_v": 230, "current_a": 1}).encode()  # fmt: skip
    bad = [
        b"\xff",
        b"[" * 60_000,
        b"NaN",
        b'{"online":1}',
        good.replace(b": 2,", b": 1e400,"),
        good.replace(b": 2,", b": 1" + b"0" * 400 + b","),
        good.replace(b'"S"', b'"\\ud800"'),
    ]
    assert len({good, *bad}) == 8
    for payload in bad:
        known.publish(CP1, "e1", meter, payload)
    known.publish("registry", "r", "evcs/v1/registry/cp/no.id", good)
    known.publish(CP1, "e1", meter, good)
    heard.wait(ports.Received)
    assert bus.dropped == len(bad) + 1
    assert heard.messages() == [m.Meter("CP-1", "S", 1, 2, 3, 230, 1)]
    assert heard.of(ports.Disconnected) == []


def test_what_the_broker_would_not_take_is_not_sent(
    known: Broker, listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    _, heard = listeners.add("central", "c", ALL)
    bus, told = listeners.add(CP1, "e1")
    topic = "evcs/v1/cp/CP-1/engine/reply"
    text = b'{"id":"%s","ok":true,"error":null}'
    room = topics.MAX_PACKET - mqtt_client.PACKET_FRAME - len(topic) - len(text % b"")
    for more in (1, 2, 60_000):
        big = topics.Publication(topic, text % (b"x" * (room + more)), 1, False, 30)
        assert not bus.publish(big)
    assert bus.unsendable == 3
    assert [r.levelname for r in caplog.records if "unsendable=" in r.message] == ["ERROR"] * 2
    assert bus.publish(topics.Publication(topic, b" " * (room + len(text % b"")), 1, False, 30))
    assert bus.publish(status("CP-1"))
    assert heard.wait(ports.Received)[0].message == status("CP-1")
    assert told.of(ports.Disconnected) == []


def test_a_broker_that_takes_nothing_more_is_left_and_found_again(
    known: Broker, listeners: Listeners
) -> None:
    bus, events = listeners.add(CP1, "e1")
    os.kill(known.pid, signal.SIGSTOP)
    taken = 0
    while bus.publish(status("CP-1")):
        taken += 1
    assert mqtt_client.MAX_WAITING_MESSAGES <= taken < 2 * mqtt_client.MAX_WAITING_MESSAGES
    os.kill(known.pid, signal.SIGCONT)
    events.wait(ports.Connected, 2)
    assert bus.publish(status("CP-1"))


def test_the_bound_is_the_brokers() -> None:
    assert f"max_packet_size {topics.MAX_PACKET}\n" in (ROOT / "mosquitto.conf").read_text()


def test_a_client_id_is_of_use_for_one_connection(known: Broker, listeners: Listeners) -> None:
    _, told = listeners.add(CP1, "e1")
    known.kill()
    told.wait(ports.Disconnected)
    known.start()
    told.wait(ports.Connected, 2)
    ids = re.findall(r"connected from \S+ as (\w+) .*u'cp/CP-1/engine'", known.log())
    assert len(ids) == len(set(ids)) == 2


def test_leaving_tells_the_will_and_what_was_said_before(
    known: Broker, listeners: Listeners
) -> None:
    _, heard = listeners.add("central", "c", ALL)
    will = topics.encode(status("CP-1", online=False), None)
    bus, told = listeners.add(CP1, "e1", will=will)
    bus.publish(status("CP-1"))
    bus.stop()
    heard.wait(ports.Received, 2)
    assert heard.messages() == [status("CP-1"), status("CP-1", online=False)]
    assert told.of(ports.Disconnected) == [], "who leaves is not told that it is gone"


def test_an_identity_speaks_and_hears_only_in_its_own_branch(
    known: Broker, listeners: Listeners
) -> None:
    _, everything = listeners.add("inspector", "look", ALL)
    central, _ = listeners.add("central", "c", ALL)
    _, of_one = listeners.add(CP1, "e1", ALL)
    _, of_two = listeners.add(CP2, "e2", ALL)
    _, of_alice = listeners.add("driver/ALICE", "a", ALL)
    # Others on the same accounts, for the broker may drop who says what it must not.
    one, two, alice = (
        listeners.add(identity, ACCOUNTS[identity])[0] for identity in (CP1, CP2, "driver/ALICE")
    )
    command = m.Command("CP-1", "stop", "1", "S")
    for forger in (one, two, alice):
        forger.publish(command)
        forger.publish(m.CpState("CP-1", "ACTIVATED", "", "", "Available", None))
        forger.publish(m.ServiceStatus("central", True, "forged", "1"))
        forger.publish(m.DriverRequest("BOB", "charge", "1", "CP-1"))
        forger.publish(m.MonitorStatus("CP-1", True, "forged", "ok"))
    two.publish(status("CP-1", boot="forged"))
    alice.publish(status("CP-1", boot="forged"))
    central.publish(command)
    central.publish(m.DriverEvent("ALICE", "answer", "1", None, {"text": "to Alice"}))
    central.publish(m.DriverEvent("BOB", "answer", "1", None, {"text": "to Bob"}))
    central.publish(m.ServiceStatus("central", True, "real", "1"))
    for events in (of_one, of_two, of_alice, everything):
        eventually("the last word", lambda: events.messages()[-1:] and  # noqa: B023
                   isinstance(events.messages()[-1], m.ServiceStatus), 10)  # noqa: B023  # fmt: skip
    real = m.ServiceStatus("central", True, "real", "1")
    to_alice = m.DriverEvent("ALICE", "answer", "1", None, {"text": "to Alice"})
    to_bob = m.DriverEvent("BOB", "answer", "1", None, {"text": "to Bob"})
    assert of_one.messages() == [command, real]
    assert of_two.messages() == [real]
    assert of_alice.messages() == [to_alice, real]
    assert everything.messages() == [command, to_alice, to_bob, real]


def test_the_registry_takes_away_what_a_deleted_cp_left(
    known: Broker, listeners: Listeners
) -> None:
    engine, _ = listeners.add(CP1, "e1")
    engine.publish(status("CP-1"))
    registry, heard = listeners.add("registry", "r", [topics.filter_for(m.EngineStatus)])
    heard.wait(ports.Received)
    registry.publish(topics.clear(m.EngineStatus, cp="CP-1"))
    heard.wait(ports.Received, 2)
    _, later = listeners.add("central", "c", ALL)
    engine.publish(m.Meter("CP-1", "S", 1, 2, 3, 230, 1))
    later.wait(ports.Received)
    assert [type(one) for one in later.messages()] == [m.Meter]


def _renewed_while_away(broker: Broker) -> tuple[mqtt.Bus, Events]:
    """A bus that was let in, lost its connection, and comes back with a newer secret."""
    secrets, told = ["old"], Events()
    account = Account(broker.socket, "cp/CP-001/engine", lambda: secrets[-1])
    bus = BusThread(account, told.put, [])
    broker.accounts({"cp/CP-001/engine": "old"})
    bus.start()
    told.wait(ports.Connected)
    secrets.append("new")
    broker.kill()
    broker.start()
    return bus, told


def test_a_secret_that_the_broker_does_not_know_yet_is_no_refusal(broker: Broker) -> None:
    bus, told = _renewed_while_away(broker)
    refusal = "disconnected, not authorised"
    eventually("it was turned away", lambda: refusal in broker.log(), 10, 0.01)
    broker.accounts({"cp/CP-001/engine": "new"})
    told.wait(ports.Connected, 2)
    assert not [one for one in told.of(ports.Disconnected) if one.refused]
    bus.stop()


def test_a_secret_that_the_broker_never_takes_is_refused_in_the_end(broker: Broker) -> None:
    bus, told = _renewed_while_away(broker)
    eventually("refused", lambda: [one for one in told.of(ports.Disconnected) if one.refused], 10)
    assert told.of(ports.Disconnected)[0].refused is False
    bus.stop()


def test_what_is_listened_to_changes_while_connected_and_stays_so(
    known: Broker, listeners: Listeners
) -> None:
    more = [topics.filter_for(m.EngineStatus, cp="CP-1")]
    eye, heard = listeners.add("central", "c", [topics.central_status()])
    bus, told = listeners.add(CP1, "e1")
    _, seen = listeners.add("registry", "r", more)
    assert bus.publish(status("CP-1"))
    seen.wait(ports.Received)
    eye.subscribe(more)
    assert heard.wait(ports.Received)[0] == ports.Received(status("CP-1"), retained=True)
    assert len(heard.of(ports.Connected)) == 1
    known.kill()
    heard.wait(ports.Disconnected)
    known.start()
    heard.wait(ports.Connected, 2)
    told.wait(ports.Connected, 2)
    assert bus.publish(status("CP-1", boot="b2"))
    assert heard.wait(ports.Received, 2)[1].message == status("CP-1", boot="b2")
    eye.unsubscribe(more)
    eye.subscribe([topics.filter_for(m.EngineStatus, cp="CP-2")])
    other, _ = listeners.add(CP2, "e2")
    assert other.publish(status("CP-2"))
    assert heard.wait(ports.Received, 3)[2].message == status("CP-2")
    bus.publish(status("CP-1", boot="b3"))
    other.publish(status("CP-2", boot="b3"))
    assert heard.wait(ports.Received, 4)[3].message == status("CP-2", boot="b3")


ASYNCIO = """
import asyncio, sys
from pathlib import Path
from evcs.adapters import mqtt
from evcs.adapters.account import Account
from evcs.core import messages as m
from evcs.core import ports, topics

async def main(socket):
    seen, there = [], asyncio.Event()

    def take(event):
        seen.append(event)
        there.set()

    account = Account(Path(socket), "cp/CP-1/engine", lambda: "e1")
    will = topics.encode(m.EngineStatus("CP-1", False, "b1"), None)
    bus = mqtt.Bus(asyncio.get_running_loop(), account, take, [topics.central_status()], will)
    bus.start()
    await asyncio.wait_for(there.wait(), 10)
    assert isinstance(seen[0], ports.Connected), seen
    bus.publish(m.EngineStatus("CP-1", True, "b1"))
    bus.stop()
    while not bus.left:
        await asyncio.sleep(0.01)

asyncio.run(main(sys.argv[1]))
"""


def test_a_loop_of_asyncio_drives_it_too(known: Broker, listeners: Listeners) -> None:
    _, heard = listeners.add("central", "c", ALL)
    done = subprocess.run(
        [sys.executable, "-c", ASYNCIO, str(known.socket)], capture_output=True, text=True,
        timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [event.message for event in heard.wait(ports.Received, 2)]
    assert told == [status("CP-1"), status("CP-1", online=False)]


def test_who_leaves_a_broker_that_reads_late_is_not_gone_before(
    known: Broker, listeners: Listeners
) -> None:
    """More than the socket and its buffer take, and the DISCONNECT behind all of it."""
    _, heard = listeners.add("central", "c", ALL)
    loop, gone = Loop(), topics.encode(status("CP-1", online=False), None)
    account = Account(known.socket, CP1, lambda: "e1")
    bus = mqtt.Bus(loop, account, Events().put, [], gone)
    bus.start()
    loop.until(lambda: bus.connected, 20)
    os.kill(known.pid, signal.SIGSTOP)
    for seq in range(600):
        bus.publish(m.SessionEvent("CP-1", "started", "S", seq, 0, "x" * 2_000))
    bus.stop()
    for _ in range(3):
        loop.turn(0.01)
    assert not bus.left
    os.kill(known.pid, signal.SIGCONT)
    loop.until(lambda: bus.left, 20)
    loop.close()
    will = status("CP-1", online=False)
    eventually("its will", lambda: will in heard.messages(), 20)
    seqs = [one.seq for one in heard.messages() if isinstance(one, m.SessionEvent)]
    assert seqs == list(range(len(seqs)))


def test_what_is_flushed_is_out_before_the_turn_ends(known: Broker, listeners: Listeners) -> None:
    _, heard = listeners.add("central", "c", ALL)
    loop, events = Loop(), Events()
    bus = mqtt.Bus(loop, Account(known.socket, CP1, lambda: "e1"), events.put, [])
    bus.flush()
    bus.start()
    loop.until(lambda: bus.connected, 20)
    bus.publish(status("CP-1"))
    bus.flush()
    assert heard.wait(ports.Received)[0].message == status("CP-1")
    bus.stop()
    loop.until(lambda: bus.left, 20)
    loop.close()


def test_a_socket_that_has_lost_its_descriptor_is_told_of_once() -> None:
    """As wrap_socket leaves it where the broker ends just then."""
    loop, why = Loop(), list[str]()
    client = mqtt_client.new_client(CP1, "e1", None)
    mqtt_client.LoopDriver(loop, client, why.append, mqtt.LOG)
    ours, theirs = socket.socketpair()
    opened, closed = client.on_socket_open, client.on_socket_close
    assert opened is not None
    assert closed is not None
    opened(client, None, ours)
    ours.close()
    for _ in range(2):
        closed(client, None, ours)
        loop.turn(0.0)
    assert why == ["connection closed"]
    theirs.close()
    loop.close()
