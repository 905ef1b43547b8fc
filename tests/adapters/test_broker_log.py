"""Refused logins in the broker's log: each told once, through rotation and restarts, and none
that a client has made up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evcs.adapters.broker_log import CUT_BYTES, MAX_WAITING, OPEN_S, STARTS, BrokerLines
from evcs.adapters.log_tailer import MAX_LINES_A_LOOK, LogTailer
from evcs.core.audit import AuditEntry
from tests.adapters.broker import Broker
from tests.adapters.steps import steps

AT_S = 1795350217
OPENED = "1795350217: New connection from {} on port 1883.\n"
LET_IN = "1795350217: New client connected from {} as {} (p5, c1, k15, u'central').\n"
STARTED = "1795350217: mosquitto version 2.0.11 starting\n"
REFUSED = "1795350217: Client <unknown> disconnected, not authorised.\n"
AT = "2026-11-22T12:23:37.000Z"
A, B, C = (f"127.0.0.1:{port}" for port in (1, 2, 3))
FORGED = "x [6.6.6.6:66] disconnected, not authorised."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mosquitto.log"


def follow(path: Path, cursor: str = "") -> LogTailer:
    return LogTailer(path, lambda whole: BrokerLines(whole).parse_line, cursor, STARTS)


def add(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(lines))


def read_all(log: LogTailer) -> list[AuditEntry]:
    found = log.read()
    while log.behind:
        found += log.read()
    return found


def who(path: Path) -> list[str]:
    return [one.who for one in read_all(follow(path))]


def test_an_absent_log_is_an_empty_one(path: Path):
    log = follow(path)
    assert log.read() == []
    add(path, OPENED.format(A), REFUSED)
    assert log.read() == [(AT, A, "login", None, "refused", "broker")]
    assert log.read() == []


def test_the_address_is_of_who_was_not_let_in(path: Path):
    add(path, OPENED.format(A), OPENED.format(B), LET_IN.format(A, "a"), REFUSED)
    add(path, OPENED.format(C), REFUSED, OPENED.format(A), OPENED.format(B), REFUSED)
    assert who(path) == [B, C, "127.0.0.1"]


def test_of_several_only_what_they_share_is_sure(path: Path):
    add(path, OPENED.format(A), OPENED.format(B), REFUSED)
    add(path, LET_IN.format(A, "a"), OPENED.format(C), REFUSED)
    add(path, OPENED.format("[::1]:7"), OPENED.format(C), REFUSED)
    assert who(path) == ["127.0.0.1", C, "unknown"]


def test_all_on_a_unix_socket_share_its_address(path: Path):
    socket = "run/mosquitto.sock:0"
    add(path, OPENED.format(socket), OPENED.format(socket), LET_IN.format(socket, "a"), REFUSED)
    add(path, OPENED.format(A), REFUSED)
    assert who(path) == ["mosquitto.sock", A]


def test_who_waits_is_not_believed_for_ever(path: Path):
    later = str(AT_S + OPEN_S + 1)
    add(path, OPENED.format("10.0.0.9:1"))
    add(path, *(line.replace(str(AT_S), later) for line in (OPENED.format(A), REFUSED)))
    assert who(path) == [A]


def test_who_came_before_the_file_was_begun_may_be_meant(path: Path):
    path.with_name("mosquitto.log.1").write_text("")
    later = str(AT_S + OPEN_S + 1)
    add(path, OPENED.format(A), REFUSED)
    add(path, *(line.replace(str(AT_S), later) for line in (OPENED.format(B), REFUSED)))
    assert who(path) == ["unknown", B]


def test_more_than_can_be_kept_in_mind(path: Path):
    add(path, *(OPENED.format(f"10.0.0.9:{port}") for port in range(MAX_WAITING + 1)), REFUSED)
    assert who(path) == ["unknown"]


@pytest.mark.parametrize(
    "line",
    [
        LET_IN.format(A, FORGED),
        LET_IN.format(A, "Client <unknown> disconnected, not authorised."),
        f"{AT_S}: Client {FORGED} disconnected.\n",
        f"{AT_S}: Client {FORGED} closed its connection.\n",
        f"{AT_S}: Client <unknown> disconnected, not authorised. disconnected.\n",
        f"{AT_S}: Client {FORGED} already connected, closing old connection.\n",
        f"{AT_S}: Outgoing messages are being dropped for client {FORGED}.\n",
        "Client <unknown> disconnected, not authorised.\n",
        f"{AT_S}: Client {'x' * 950} disconnected, not authorised.\n",
        f"{AT_S}: Client x 0 disconnected, not authorised.\n",
    ],
)  # fmt: skip
def test_what_a_client_calls_itself_is_no_refusal(path: Path, line: str):
    add(path, OPENED.format(A), line)
    assert who(path) == []


def test_what_a_client_calls_itself_names_no_address(path: Path):
    add(path, OPENED.format(A), OPENED.format(B))
    add(path, LET_IN.format(B, f"x as New client connected from {A} as y"))
    add(path, f"{AT_S}: Client New connection from 6.6.6.6:66 on port 1883. disconnected.\n")
    add(path, f"{AT_S}: Client x [6.6.6.6:66] disconnected, not authorised.\n")
    assert who(path) == [A]


def test_a_subscription_makes_no_address_surer(path: Path):
    add(path, OPENED.format(A), OPENED.format(B))
    add(path, f"{AT_S}: New client connected from {B} as y 0 z (p5, c1, k15, u'x').\n")
    add(path, f"{AT_S}: New connection from a 0 b/6.6.6.6:66 on port 1883.\n")
    add(path, f"{AT_S}: mosquitto version 0 starting\n", REFUSED)
    assert who(path) == ["127.0.0.1"]


def test_a_subscription_that_is_cut_is_no_other_line(path: Path):
    """Its id alone is as long as a line may be: no QoS is left by which it could be told."""
    begin, end = f"{AT_S}: New connection from ", "/6.6.6.6:66 on port 1.\n"
    forged = begin + "a" * (CUT_BYTES - len(begin) - len(end)) + end
    lets_in = LET_IN.format(A, "A" * 1_100)[: CUT_BYTES - 1] + "\n"
    assert len(forged) == len(lets_in) == CUT_BYTES
    add(path, STARTED, OPENED.format(A), lets_in, forged, REFUSED)
    assert who(path) == [A]


def test_a_broker_that_starts_has_nobody_who_waits(path: Path):
    add(path, OPENED.format(A), STARTED, OPENED.format(B), REFUSED)
    assert who(path) == [B]


def test_the_broker_says_that_it_starts(broker: Broker):
    broker.kill()
    broker.start()
    assert len(STARTS.findall(broker.log_path.read_bytes())) == 2


def test_what_a_client_calls_itself_starts_nothing(path: Path):
    add(path, OPENED.format(A), f"1795350217: x 1 evcs/{STARTED}", OPENED.format(B), REFUSED)
    assert who(path) == ["127.0.0.1"]


def test_a_later_reader_begins_where_the_broker_did(path: Path):
    add(path, *([OPENED.format(A)] * MAX_LINES_A_LOOK), REFUSED, STARTED, OPENED.format(B))
    log = follow(path)
    assert len(read_all(log)) == 1
    add(path, REFUSED)
    later = follow(path, log.cursor)
    assert [one.who for one in later.read()] == [B]
    assert not later.behind


def test_a_line_is_taken_once_it_is_whole(path: Path):
    log = follow(path)
    add(path, OPENED.format(A), REFUSED[:30])
    assert log.read() == []
    add(path, REFUSED[30:])
    assert len(log.read()) == 1


def test_a_later_reader_goes_on_from_its_place(path: Path):
    log = follow(path)
    add(path, OPENED.format(A), REFUSED)
    assert len(log.read()) == 1
    add(path, OPENED.format(B), REFUSED)
    later = follow(path, log.cursor)
    assert [one.who for one in later.read()] == [B]
    assert follow(path, later.cursor).read() == []


def test_rotation_loses_nothing_and_tells_nothing_twice(path: Path):
    log = follow(path)
    add(path, OPENED.format(A), REFUSED)
    assert len(log.read()) == 1
    cursor = log.cursor
    add(path, OPENED.format(B), REFUSED)
    path.rename(path.with_name("mosquitto.log.1"))
    add(path, OPENED.format(C), REFUSED)
    for reader in (log, follow(path, cursor)):
        assert len(reader.read()) == 2
        assert reader.read() == []
    assert follow(path, log.cursor).read() == []


def test_a_line_costs_the_same_however_many_wait(path: Path):
    few, many = BrokerLines(True), BrokerLines(True)
    for port in range(MAX_WAITING):
        many.parse_line(OPENED.format(f"127.0.0.1:{port}").encode())

    def flood(lines: BrokerLines) -> None:
        for port in range(20_000, 20_020):
            lines.parse_line(OPENED.format(f"127.0.0.1:{port}").encode())
            lines.parse_line(REFUSED.encode())
            lines.parse_line(OPENED.format(f"127.0.0.1:{port}").encode())
            lines.parse_line(LET_IN.format(f"127.0.0.1:{port}", "a").encode())

    assert steps(lambda: flood(many)) < 2 * steps(lambda: flood(few))


def test_a_look_reads_so_much_and_the_next_ones_the_rest(path: Path):
    add(path, *[OPENED.format(A) + REFUSED] * 2 * MAX_LINES_A_LOOK)
    log = follow(path)
    assert len(log.read()) == MAX_LINES_A_LOOK / 2
    assert log.behind
    log = follow(path, log.cursor)
    assert log.read() == [], "what was told goes by again"
    assert log.behind
    assert len(read_all(log)) == 1.5 * MAX_LINES_A_LOOK
    assert log.read() == []
    assert not log.behind


@pytest.mark.parametrize("cursor", ["1 999999", "{} 999999", "{} 60 1", "{} 0 1"])
def test_a_place_that_is_no_more_is_told(path: Path, cursor: str):
    """The file was taken away, cut short, or its inode is another file's by now."""
    add(path, OPENED.format(A), REFUSED)
    lost, refused = follow(path, cursor.format(path.stat().st_ino)).read()
    assert (lost.what, lost.outcome) == ("audit", "lines may be missing")
    assert refused.who == "unknown"


def rotate(path: Path) -> None:
    for old, new in ((".1", ".2"), ("", ".1")):
        if (name := Path(f"{path}{old}")).exists():
            name.replace(f"{path}{new}")
    add(path, OPENED.format(A), REFUSED)


def test_two_rotations_lose_nothing_and_what_three_do_is_told(path: Path):
    rotate(path)
    log = follow(path)
    assert len(log.read()) == 1
    for rotations, told in ((2, ["refused"] * 2), (3, ["lines may be missing", *["refused"] * 3])):
        cursor = log.cursor
        for _ in range(rotations):
            rotate(path)
        for reader in (log, follow(path, cursor)):
            assert [one.outcome for one in reader.read()] == told
            assert reader.read() == []


def test_a_log_that_is_cut_short_as_it_is_read(path: Path):
    add(path, *[OPENED.format(A) + REFUSED] * 3)
    log = follow(path)
    assert len(log.read()) == 3
    os.truncate(path, 0)
    add(path, OPENED.format(B), REFUSED)
    assert [one.what for one in log.read()] == ["audit", "login"]
    assert log.read() == []


def test_bytes_of_every_kind(path: Path):
    path.write_bytes(b"\xff\x00\n" * 1000 + b"x" * 2_500_000 + b"\n" + REFUSED.encode())
    log = follow(path)
    found = [one for _ in range(5) for one in log.read()]
    assert [one.who for one in found] == ["unknown"]
