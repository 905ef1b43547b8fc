from __future__ import annotations

import random
from itertools import pairwise

import pytest

from evcs.adapters import cp_logs
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import BadValue
from evcs.core.ids import is_word
from evcs.home import Home

CP, ROLE = "CP-1", "engine"


def write(home: Home, raw: bytes) -> None:
    (home.log / f"{CP}.{ROLE}.log").write_bytes(raw)


def pages(home: Home) -> list[list[str]]:
    """All of a log, the latest page first; each fits into a message, twice over."""
    found: list[list[str]] = []
    after: str | None = None
    seen: set[str | None] = set()
    while after not in seen:
        seen.add(after)
        page = cp_logs.page(home, CP, ROLE, after)
        body = {"lines": page.lines, "more": True, "next": page.next}
        reply = m.ManagerReply("h" * 32, "i" * 128, True, None, body)
        sent = topics.encode(reply, "2026-11-22T09:00:00.000Z")
        assert len(sent.payload) < topics.MAX_PACKET - 1_024
        assert topics.decode(sent.topic, sent.payload) == reply
        assert page.next is None or is_word(page.next)
        found.append(page.lines)
        after = page.next
    assert after is None, "a page comes again"
    return found


def test_a_log_that_is_not_there_has_no_lines(home: Home) -> None:
    assert pages(home) == [[]]
    write(home, b"")
    assert pages(home) == [[]]


def test_a_log_that_can_not_be_read_is_passed_over(home: Home) -> None:
    write(home, b"one\n")
    (home.log / f"{CP}.{ROLE}.log.1").mkdir()
    assert pages(home) == [["one"]]
    assert cp_logs.last(home, CP, ROLE, 9) == ["one"]


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
    assert cp_logs.page(home, CP, ROLE, "0:ffffffff") == cp_logs.page(home, CP, ROLE, None)


@pytest.mark.parametrize(
    "after", ["", "-1", "16", "0:", "0:x", "\u0663:0", "0:1 ", "0:1  2:1", "0:-1"]
)
def test_what_no_page_had_as_its_next_is_refused(home: Home, after: str) -> None:
    with pytest.raises(BadValue, match="not allowed"):
        cp_logs.page(home, CP, ROLE, after)


def line(second: int, who: str, text: str = "x") -> bytes:
    minute, second = divmod(second, 60)
    return f"2026-11-30T10:{minute:02}:{second:02}.000Z INFO {who} {text}\n".encode()


def shown(home: Home, cp: str = CP, role: str = ROLE) -> list[str]:
    """The last word of each line, of all pages; web's list is the same."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = cp_logs.page(home, cp, role, after)
        found = [*page.lines, *found]
        if page.next is None:
            assert cp_logs.last(home, cp, role, 10_000) == found
            return [one.split(" ")[-1] for one in found]
        after = page.next


def test_of_a_pools_log_a_cp_has_its_own_lines_alone(home: Home) -> None:
    (home.log / "_pool-3.engines.log").write_bytes(
        line(1, "CP-1 engine", "a")
        + line(2, "CP-2 engine", "b")
        + line(3, "CP-11 engine", "c")
        + line(4, "CP-1 engines", "d")
        + line(5, "_pool-3 engines", "of CP-1 engine e")
        + line(6, "CP-2 engine", "said CP-1 engine f")
        + line(7, "CP-1 engine", "said CP-1 engine g")
        + b"CP-1 engine h\n"
        + line(8, "CP-1 engine", "i").rstrip()
    )
    (home.log / "_pool-3.monitors.log").write_bytes(line(1, "CP-1 monitor", "m"))
    (home.log / "_pool-0.engines.log").write_bytes(line(1, "CP-1 engine", "n"))
    (home.log / "_pool-x.engines.log").write_bytes(line(1, "CP-1 engine", "o"))
    assert shown(home) == ["a", "g", "i"]
    assert shown(home, role="monitor") == ["m"]
    assert shown(home, "CP-2") == ["b", "f"]
    assert shown(home, "CP-9") == []


def test_after_changes_of_its_hosting_its_lines_come_by_time(home: Home) -> None:
    write(home, line(1, "CP-1 engine", "a") + b"more of a\n" + line(5, "CP-1 engine", "e"))
    (home.log / "CP-1.engine.log.1").write_bytes(line(0, "CP-1 engine", "0"))
    (home.log / "_pool-1.engines.log").write_bytes(
        line(3, "CP-1 engine", "c") + line(4, "CP-2 engine", "no") + line(7, "CP-1 engine", "g")
    )
    (home.log / "_pool-1.engines.log.1").write_bytes(line(2, "CP-1 engine", "b"))
    (home.log / "_pool-12.engines.log").write_bytes(
        line(4, "CP-1 engine", "d") + line(6, "CP-1 engine", "f")
    )
    assert shown(home) == ["0", "a", "a", "b", "c", "d", "e", "f", "g"]


def test_busy_logs_come_whole_in_order_and_in_pages(home: Home) -> None:
    chance = random.Random(18)
    names = ["CP-1.engine.log", *(f"_pool-{name}.engines.log" for name in ("1", "2"))]
    logs = dict.fromkeys([*names, f"{names[1]}.1"], b"")
    mine = 0
    for number in range(12_000):
        name = chance.choice(list(logs))
        if name.startswith("CP-1") or chance.random() < 0.2:
            logs[name] += line(number // 4, "CP-1 engine", "y" * chance.randrange(90) + f" {mine}")
            mine += 1
        else:
            logs[name] += line(number // 4, "CP-2 engine", "z" * chance.randrange(90))
    for name, raw in logs.items():
        (home.log / name).write_bytes(raw)
    assert len(pages(home)) > 20
    after: str | None = None
    found: list[int] = []
    while after is not None or not found:
        page = cp_logs.page(home, CP, ROLE, after)
        found = [*(int(one.split(" ")[-1]) for one in page.lines), *found]
        after = page.next
    assert sorted(found) == list(range(mine))
    assert all(one < other + 5 for one, other in pairwise(found)), "by time, to the second"


def test_lines_longer_than_a_page_are_cut_in_a_pools_log(home: Home) -> None:
    (home.log / "_pool-1.engines.log").write_bytes(
        line(1, "CP-1 engine", "a")
        + line(2, "CP-1 engine", "y" * 100_000)
        + line(3, "CP-2 engine", "z" * 1_000_000)
        + line(4, "CP-1 engine", "b")
    )
    first, second, third = pages(home)
    assert [len(first), len(second), len(third)] == [1, 1, 1]
    assert first[0].endswith(" b")
    assert third[0].endswith(" a")


def test_the_last_lines_are_not_more_than_asked_for_nor_too_long(home: Home) -> None:
    write(home, b"".join(line(number, "CP-1 engine", str(number)) for number in range(900)))
    assert [one.split(" ")[-1] for one in cp_logs.last(home, CP, ROLE, 2)] == ["898", "899"]
    write(home, b"".join(line(number, "CP-1 engine", "x" * 5_000) for number in range(100)))
    assert 20 < len(cp_logs.last(home, CP, ROLE, 500)) < cp_logs.LAST_BYTES / 5_000
