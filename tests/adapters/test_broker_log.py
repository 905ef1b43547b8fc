"""Refused logins in the broker's log: each told once, through rotation and restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcs.adapters.broker_log import BrokerLines
from evcs.adapters.followed_log import FollowedLog

OPENED = "1795350217: New connection from 127.0.0.1:{} on port 1883.\n"
LET_IN = "1795350217: New client connected from 127.0.0.1:{} as {} (p5, c1, k15, u'central').\n"
REFUSED = "1795350217: Client <unknown> disconnected, not authorised.\n"
NEWER = "1795350217: Client x [127.0.0.1:{}] disconnected, not authorised.\n"
AT = "2026-11-22T12:23:37.000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mosquitto.log"


def follow(path: Path, place: str = "") -> FollowedLog:
    return FollowedLog(path, BrokerLines().take, place)


def add(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(lines))


def test_an_absent_log_is_an_empty_one(path: Path):
    log = follow(path)
    assert log.read() == []
    add(path, OPENED.format(1), REFUSED)
    assert log.read() == [(AT, "127.0.0.1:1", "login", None, "refused", "broker")]
    assert log.read() == []


def test_the_address_is_of_who_was_not_let_in(path: Path):
    add(path, OPENED.format(1), OPENED.format(2), LET_IN.format(1, "a"), REFUSED)
    add(path, OPENED.format(3), NEWER.format(3), OPENED.format(4), OPENED.format(5), REFUSED)
    assert [one.who for one in follow(path).read()] == [
        "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1",
    ]  # fmt: skip


def test_a_line_is_taken_once_it_is_whole(path: Path):
    log = follow(path)
    add(path, OPENED.format(1), REFUSED[:30])
    assert log.read() == []
    add(path, REFUSED[30:])
    assert len(log.read()) == 1


def test_what_a_client_calls_itself_is_no_refusal(path: Path):
    add(path, OPENED.format(1), LET_IN.format(1, "Client <unknown> disconnected, not authorised."))
    add(path, "1795350217: Client Client <unknown> disconnected, not authorised. disconnected.\n")
    assert follow(path).read() == []


def test_a_later_reader_goes_on_from_its_place(path: Path):
    log = follow(path)
    add(path, OPENED.format(1), REFUSED)
    assert len(log.read()) == 1
    add(path, OPENED.format(2), REFUSED)
    later = follow(path, log.place)
    assert [one.who for one in later.read()] == ["127.0.0.1:2"]
    assert follow(path, later.place).read() == []


def test_rotation_loses_nothing_and_tells_nothing_twice(path: Path):
    log = follow(path)
    add(path, OPENED.format(1), REFUSED)
    assert len(log.read()) == 1
    place = log.place
    add(path, OPENED.format(2), REFUSED)
    path.rename(path.with_name("mosquitto.log.1"))
    add(path, OPENED.format(3), REFUSED)
    for reader in (log, follow(path, place)):
        assert [one.who for one in reader.read()] == ["127.0.0.1:2", "127.0.0.1:3"]
        assert reader.read() == []
    assert follow(path, log.place).read() == []


def test_a_place_that_is_no_more(path: Path):
    add(path, OPENED.format(1), REFUSED)
    assert len(follow(path, "1 999999").read()) == 1
    inode = path.stat().st_ino
    assert len(follow(path, f"{inode} 999999").read()) == 1


def test_bytes_of_every_kind(path: Path):
    path.write_bytes(b"\xff\x00\n" * 1000 + b"x" * 2_500_000 + b"\n" + REFUSED.encode())
    log = follow(path)
    found = [one for _ in range(5) for one in log.read()]
    assert [one.who for one in found] == ["unknown"]
