"""Refused logins in the broker's log: each told once, through rotation and restarts, and none
that a client has made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcs.adapters.broker_log import MAX_WAITING, OPEN_S, BrokerLines
from evcs.adapters.log_tailer import LogTailer

AT_S = 1795350217
OPENED = "1795350217: New connection from {} on port 1883.\n"
LET_IN = "1795350217: New client connected from {} as {} (p5, c1, k15, u'central').\n"
REFUSED = "1795350217: Client <unknown> disconnected, not authorised.\n"
AT = "2026-11-22T12:23:37.000Z"
A, B, C = (f"127.0.0.1:{port}" for port in (1, 2, 3))
FORGED = "x [6.6.6.6:66] disconnected, not authorised."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mosquitto.log"


def follow(path: Path, cursor: str = "") -> LogTailer:
    return LogTailer(path, BrokerLines(path).parse_line, cursor)


def add(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(lines))


def who(path: Path) -> list[str]:
    return [one.who for one in follow(path).read()]


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


def test_a_place_that_is_no_more(path: Path):
    add(path, OPENED.format(A), REFUSED)
    assert len(follow(path, "1 999999").read()) == 1
    inode = path.stat().st_ino
    assert len(follow(path, f"{inode} 999999").read()) == 1


def test_bytes_of_every_kind(path: Path):
    path.write_bytes(b"\xff\x00\n" * 1000 + b"x" * 2_500_000 + b"\n" + REFUSED.encode())
    log = follow(path)
    found = [one for _ in range(5) for one in log.read()]
    assert [one.who for one in found] == ["unknown"]
