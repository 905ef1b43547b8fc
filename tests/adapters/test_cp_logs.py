from __future__ import annotations

import pytest

from evcs.adapters import cp_logs
from evcs.core import messages as m
from evcs.core import topics
from evcs.home import Home

CP, ROLE = "CP-1", "engine"


def write(home: Home, raw: bytes) -> None:
    (home.log / f"{CP}.{ROLE}.log").write_bytes(raw)


def pages(home: Home) -> list[list[str]]:
    """All of a log, the latest page first; each fits into a message, twice over."""
    found: list[list[str]] = []
    end: int | None = None
    while end != 0:
        page = cp_logs.page(home, CP, ROLE, end)
        body = {"lines": page.lines, "more": True, "next": str(page.begin)}
        reply = m.ManagerReply("h" * 32, "i" * 128, True, None, body)
        sent = topics.encode(reply, "2026-11-22T09:00:00.000Z")
        assert len(sent.payload) < topics.MAX_PACKET - 1_024
        assert topics.decode(sent.topic, sent.payload) == reply
        assert end is None or page.begin < end
        found.append(page.lines)
        end = page.begin
    return found


def test_a_log_that_is_not_there_has_no_lines(home: Home) -> None:
    assert pages(home) == [[]]
    write(home, b"")
    assert pages(home) == [[]]


def test_a_short_log_is_one_page(home: Home) -> None:
    write(home, b"one\n\ntwo\n")
    assert pages(home) == [["one", "", "two"]]
    write(home, b"one\ntwo is being wri")
    assert pages(home) == [["one", "two is being wri"]]


@pytest.mark.parametrize(
    "line", [b"", b"x" * 99, b'"\\' * 70, b"\xff\x00" * 200, b"\xe2\x82\xac" * 50]
)
def test_a_long_log_comes_whole_and_in_order(home: Home, line: bytes) -> None:
    lines = [b"%d " % number + line for number in range(3_000)]
    write(home, b"\n".join(lines) + b"\n")
    found = pages(home)
    assert len(found) > 1
    shown = [one for page in reversed(found) for one in page]
    assert [int(one.split(" ")[0]) for one in shown] == list(range(3_000))


@pytest.mark.parametrize("raw", [b"\n", b"\xff", b"x"])
def test_a_line_without_end_comes_in_parts(home: Home, raw: bytes) -> None:
    write(home, raw * 100_000)
    assert len(pages(home)) == -(-100_000 // cp_logs.PAGE_BYTES)


def test_an_end_that_is_beyond_the_log_is_its_end(home: Home) -> None:
    """It was moved on meanwhile."""
    write(home, b"one\n")
    assert cp_logs.page(home, CP, ROLE, 10**9) == cp_logs.page(home, CP, ROLE, None)
