"""Who has too many connections or subscriptions, by the broker's log, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcs.adapters.broker_clients import (
    LEFT_FOR_S,
    MAX_CLIENTS,
    MOST_CONNECTIONS,
    MOST_LEFT,
    MOST_NEW,
    MOST_OF_ID,
    MOST_OF_ONE,
    MOST_SUBSCRIPTIONS,
    BrokerClients,
    FloodWatch,
)
from evcs.adapters.broker_log import CUT_BYTES
from evcs.adapters.log_tailer import MAX_LINES_A_LOOK

STARTS = "1795350217: mosquitto version 2.0.11 starting\n"
CONNECTED = "1795350217: New client connected from 127.0.0.1:1 as {} (p5, c1, k15, u'{}').\n"
RESUMED = CONNECTED.replace("c1", "c0")
SUBSCRIBED = "1795350217: {} 1 $share/g{}/evcs/#\n"
LEFT = (
    "1795350217: Client {} disconnected.\n",
    "1795350217: Client {} closed its connection.\n",
    "1795350217: Client {} has exceeded timeout, disconnecting.\n",
    "1795350217: Client {} disconnected, not authorised.\n",
    "1795350217: Client {} disconnected due to protocol error.\n",
    "1795350217: Client {} already connected, closing old connection.\n",
)
EVE = "driver/EVE"


class Watched:
    """A log that is watched from its begin."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.add(STARTS)
        #: Whose sessions were ended, once that can be done.
        self.ended: list[str] = []
        self.can_end = True
        self.watch = FloodWatch(path, self._end)

    def _end(self, client_id: str) -> bool:
        if self.can_end:
            self.ended.append(client_id)
        return self.can_end

    def add(self, *lines: str) -> None:
        with self._path.open("a") as file:
            file.write("".join(lines))

    def told(self, *lines: str) -> list[str]:
        """Who is named for these lines."""
        self.add(*lines)
        return list(self.watch.look())


@pytest.fixture
def log(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "mosquitto.log")


def subscribing(client: str, count: int) -> list[str]:
    return [SUBSCRIBED.format(client, number) for number in range(count)]


def test_a_connection_that_subscribes_too_often_is_named_once(log: Watched) -> None:
    assert log.told(CONNECTED.format("x", EVE), *subscribing("x", MOST_SUBSCRIPTIONS)) == []
    assert log.told(*subscribing("x", 1)) == [EVE]
    assert log.told(*subscribing("x", MOST_SUBSCRIPTIONS)) == []
    assert log.told(CONNECTED.format("y", EVE), *subscribing("y", MOST_SUBSCRIPTIONS + 1)) == [EVE]


def test_all_connections_of_one_have_so_many_together(log: Watched) -> None:
    each, clients = 50, MOST_OF_ONE // 50
    for number in range(clients):
        assert log.told(CONNECTED.format(number, EVE), *subscribing(str(number), each)) == []
    assert log.told(CONNECTED.format("more", EVE), *subscribing("more", 1)) == [EVE]


def test_who_has_many_connections_is_named(log: Watched) -> None:
    for number in range(MOST_CONNECTIONS):
        assert log.told(CONNECTED.format(number, EVE)) == []
    assert log.told(CONNECTED.format("more", EVE)) == [EVE]


def test_who_connects_too_often_in_a_minute_is_named_each_time(log: Watched) -> None:
    def come_and_go(at: str, count: int) -> list[str]:
        lines = (CONNECTED.format("x", EVE), LEFT[0].format("x"))
        return log.told(*("".join(lines).replace("1795350217", at) for _ in range(count)))

    assert come_and_go("1795350180", MOST_NEW) == []
    assert come_and_go("1795350240", MOST_NEW) == []
    assert come_and_go("1795350240", 1) == [EVE]
    assert come_and_go("1795350240", MOST_NEW + 1) == [EVE]


@pytest.mark.parametrize("left", LEFT)
def test_who_leaves_takes_all_with_him(log: Watched, left: str) -> None:
    for number in range(min(MOST_NEW, MOST_CONNECTIONS + MOST_OF_ONE // 50)):
        lines = (CONNECTED.format(number, EVE), *subscribing(str(number), 50), left.format(number))
        assert log.told(*lines) == []


def test_a_broker_that_starts_has_nobody(log: Watched) -> None:
    for _ in range(MOST_OF_ONE // MOST_SUBSCRIPTIONS + 1):
        lines = (CONNECTED.format("x", EVE), *subscribing("x", MOST_SUBSCRIPTIONS), STARTS)
        assert log.told(*lines) == []


def test_what_was_before_the_watch_is_counted_and_not_told(tmp_path: Path) -> None:
    log = Watched(tmp_path / "mosquitto.log")
    log.add(CONNECTED.format("x", "cp/CP-1/engine"), *subscribing("x", MOST_SUBSCRIPTIONS))
    log.add(CONNECTED.format("y", EVE), *subscribing("y", 3 * MAX_LINES_A_LOOK))
    log.watch = FloodWatch(tmp_path / "mosquitto.log", lambda _: False)
    assert log.told(*subscribing("x", 1)) == ["cp/CP-1/engine"]


def test_before_there_is_a_log_nobody_is_told(tmp_path: Path) -> None:
    watch = FloodWatch(tmp_path / "mosquitto.log", lambda _: False)
    assert watch.look() == {}
    log = Watched(tmp_path / "mosquitto.log")
    log.add(CONNECTED.format("x", EVE), *subscribing("x", MOST_SUBSCRIPTIONS + 1))
    assert watch.look() == {EVE: "subscriptions"}


@pytest.mark.parametrize("identity", ["inspector", "web", "central", "manager/main", "registry"])
def test_a_service_is_not_shut_out(log: Watched, identity: str) -> None:
    assert log.told(CONNECTED.format("x", identity), *subscribing("x", 2 * MOST_OF_ONE)) == []


@pytest.mark.parametrize("identity", ["manager/h2", "manager/main-2", "meter/MAINS"])
def test_a_joined_host_and_a_meter_are(log: Watched, identity: str) -> None:
    subscriptions = subscribing("x", MOST_SUBSCRIPTIONS + 1)
    assert log.told(CONNECTED.format("x", identity), *subscriptions) == [identity]


@pytest.mark.parametrize(
    "client",
    [
        "x (p5, c1, k15, u'driver/BOB').", "x (p5, c1, k15, u'driver/BOB')",
        "1795350217: a 0", "a as b", "x from 127.0.0.1:9 as y", "bob disconnected",
    ],
)  # fmt: skip
def test_a_client_id_names_nobody_else(log: Watched, client: str) -> None:
    log.told(CONNECTED.format("bob", "driver/BOB"), CONNECTED.format(client, EVE))
    assert log.told(*subscribing(client, MOST_SUBSCRIPTIONS + 1)) == [EVE]
    log.add(*(line.format(client) for line in LEFT))
    assert log.told(*subscribing("bob", MOST_SUBSCRIPTIONS + 1)) == ["driver/BOB"]


MISLEADING = (
    "New client connected from x:1 as y", "New connection from a", "Client x",
    "Client bob disconnected", "mosquitto version", "bob 0 x", "a 1 b",
)  # fmt: skip


@pytest.mark.parametrize("client", [*MISLEADING, "L" * (MOST_OF_ID + 1), "L" * 850])
def test_whose_id_reads_as_another_line_is_named_at_once(log: Watched, client: str) -> None:
    log.add(CONNECTED.format("bob", "driver/BOB"), CONNECTED.format(client, EVE))
    assert log.watch.look() == {EVE: "client id"}


@pytest.mark.parametrize("client", MISLEADING)
@pytest.mark.parametrize(
    "topic",
    [
        "z (p5, c1, k15, u'driver/BOB').", "disconnected.", "x disconnected, not authorised.",
        "starting", "b/6.6.6.6:66 on port 1883.", "1 t",
    ],
)  # fmt: skip
def test_a_subscription_is_no_other_line(log: Watched, client: str, topic: str) -> None:
    log.add(CONNECTED.format("bob", "driver/BOB"), *subscribing("bob", MOST_SUBSCRIPTIONS))
    assert log.told(CONNECTED.format(client, EVE)) == [EVE]
    line = f"1795350217: {client} 0 {topic}\n"
    assert log.told(*([line] * (MOST_SUBSCRIPTIONS + 1))) == [EVE]
    assert log.told(*([line] * MOST_NEW)) == []
    assert log.told(*subscribing("bob", 1)) == ["driver/BOB"]


#: Whose login's line is cut, but not that of a subscription; and who is known just so.
LONG = ("A" * 880, "A" * 900, "A" * 910)


@pytest.mark.parametrize("padding", LONG)
@pytest.mark.parametrize(
    ("begins", "topic"),
    [
        ("New client connected from x:1 as ", "z (p5, c1, k15, u'driver/BOB')."),
        ("Client bob disconnected", "t"), ("bob 0 ", "t"), ("bob 1 x 2 ", "1 t"),
    ],
)  # fmt: skip
def test_who_is_not_known_for_a_long_id_speaks_of_nobody(
    log: Watched, begins: str, topic: str, padding: str
) -> None:
    log.add(CONNECTED.format("bob", "driver/BOB"), *subscribing("bob", MOST_SUBSCRIPTIONS))
    login = CONNECTED.format(begins + padding, EVE)
    assert set(log.told(login[: CUT_BYTES - 1] + "\n")) <= {EVE}
    line = f"1795350217: {begins}{padding} 0 {topic}\n"
    assert len(line) < CUT_BYTES
    assert set(log.told(*([line] * (MOST_NEW + 1)))) <= {EVE}
    assert log.told(*subscribing("bob", 1)) == ["driver/BOB"]


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("Client bob disconnected. ", ""), ("Client bob already connected. ", ""),
        ("mosquitto version 2.", " starting"), ("New client connected from x:1 as bob ", ""),
    ],
)  # fmt: skip
def test_a_subscription_that_is_cut_before_its_qos_is_no_other_line(
    log: Watched, begins: str, ends: str
) -> None:
    log.add(CONNECTED.format("bob", "driver/BOB"), *subscribing("bob", MOST_SUBSCRIPTIONS))
    line = "1795350217: " + begins
    line += "0" * (CUT_BYTES - 1 - len(line) - len(ends)) + ends + "\n"
    assert log.told(line) == []
    assert log.told(*subscribing("bob", 1)) == ["driver/BOB"]


def test_a_topic_makes_no_subscription_another_clients(log: Watched) -> None:
    log.add(CONNECTED.format("bob", "driver/BOB"), CONNECTED.format("x", EVE))
    line = "1795350217: x 1 \u0031795350217: bob 1 evcs/#\n"
    assert log.told(*([line] * (MOST_SUBSCRIPTIONS + 1))) == [EVE]


def test_only_so_many_clients_are_known() -> None:
    lines = BrokerClients()
    for number in range(MAX_CLIENTS + 10):
        lines.parse_line(CONNECTED.format(f"c{number}", EVE).encode())
    assert len(lines._clients) == MAX_CLIENTS
    assert lines._connections == {EVE: MAX_CLIENTS}


@pytest.mark.parametrize("who", ["meter/MAINS", "cp/CP-001/monitor"])
def test_whoever_is_no_service_of_ours_is_named(log: Watched, who: str) -> None:
    log.add(CONNECTED.format("x", who))
    assert log.told(*subscribing("x", MOST_SUBSCRIPTIONS + 1)) == [who]


def come_and_go(client: str, count: int, who: str = EVE, at: int = 1795350217) -> list[str]:
    """A connection with so many subscriptions that leaves."""
    lines = CONNECTED.format(client, who), *subscribing(client, count), LEFT[0].format(client)
    return [line.replace("1795350217", str(at)) for line in lines]


def test_sessions_that_may_be_left_behind_are_ended_once_they_hold_too_much(log: Watched) -> None:
    each, clients = 95, MOST_LEFT // 95 + 1
    for number in range(clients - 1):
        assert log.told(*come_and_go(f"x{number}", each), *come_and_go("b", 1, "driver/B")) == []
    assert log.ended == []
    assert log.told(*come_and_go("last", each)) == []
    assert log.ended == [f"x{number}" for number in range(clients - 1)] + ["last"]
    assert log.told(*come_and_go("y", each)) == []
    assert len(log.ended) == clients


def test_what_can_not_be_ended_yet_is_tried_again(log: Watched) -> None:
    log.can_end = False
    for number in range(MOST_LEFT // 100 + 1):
        assert log.told(*come_and_go(f"x{number}", 100)) == []
    log.can_end = True
    assert log.told() == []
    assert len(log.ended) == MOST_LEFT // 100 + 1


def test_what_is_left_behind_is_forgotten_with_the_session(log: Watched) -> None:
    later = 1795350217 + LEFT_FOR_S + 1
    assert log.told(*come_and_go("x", 100), STARTS) == []
    for number in range(MOST_LEFT // 100):
        assert log.told(*come_and_go(f"x{number}", 100)) == []
    for number in range(MOST_LEFT // 100):  # the same again, each with a clean start
        assert log.told(*come_and_go(f"x{number}", 100)) == []
    for number in range(MOST_LEFT // 100):
        assert log.told(*come_and_go(f"y{number}", 100, at=later)) == []
    assert log.ended == []


def test_a_session_that_is_resumed_has_what_it_had(log: Watched) -> None:
    assert log.told(*come_and_go("x", MOST_SUBSCRIPTIONS)) == []
    assert log.told(RESUMED.format("x", EVE)) == []
    assert log.told(*subscribing("x", 1)) == [EVE]
