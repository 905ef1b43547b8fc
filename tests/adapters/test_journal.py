from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evcs.adapters import journal as j
from evcs.adapters.journal import Journal
from tests.adapters.conftest import Disk

_open: list[Journal] = []


def opened(path: Path) -> Journal:
    """A journal that is closed after the test."""
    _open.append(Journal(path))
    return _open[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """What a test has opened is given back."""
    yield
    for one in _open:
        one.close()
    _open.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "CP-1.jsonl"


def test_an_empty_journal_has_no_last_line(path: Path) -> None:
    assert opened(path).last(bool) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_last_line_is_found_by_the_next_process(path: Path) -> None:
    one = opened(path)
    for number in range(3_000):
        one.append({"seq": number, "session_id": "S" * 30}, sync=False)
    assert opened(path).last(bool) == one.last(bool) == {"seq": 2_999, "session_id": "S" * 30}


def test_the_last_line_is_found_however_long_it_is(path: Path) -> None:
    one = opened(path)
    for number in range(3):
        one.append({"seq": number, "queue": "Q" * 300_000}, sync=False)
    with path.open("ab") as file:
        file.write(b'{"seq": 3, "queue": "' + b"Q" * 100_000)
    found = opened(path).last(bool)
    assert found is not None
    assert found["seq"] == 2


def test_torn_at_any_byte_the_last_whole_line_counts_and_writing_goes_on(path: Path) -> None:
    opened(path).append({"seq": 1}, sync=True)
    kept = path.read_bytes()
    line = json.dumps({"seq": 2, "reason": "é\n"}).encode()
    for length in range(len(line)):
        path.write_bytes(kept + line[:length])
        reborn = opened(path)
        assert reborn.last(bool) == {"seq": 1}
        reborn.append({"seq": 3}, sync=False)
        assert opened(path).last(bool) == {"seq": 3}


@pytest.mark.parametrize(
    "rest",
    [b"\0" * 4_096, b"\xff\xfe", b"null\n", b"[1]\n", b"\n\n\n", b"7", b"[" * 60_000],
    ids=["zeros", "bad UTF-8", "null", "list", "blank", "number", "deep"],
)
def test_garbage_behind_the_last_line_is_passed_over(path: Path, rest: bytes) -> None:
    opened(path).append({"seq": 1}, sync=True)
    with path.open("ab") as file:
        file.write(rest)
    reborn = opened(path)
    assert reborn.last(bool) == {"seq": 1}
    reborn.append({"seq": 2}, sync=True)
    assert opened(path).last(bool) == {"seq": 2}


WRITER = """
import sys
from pathlib import Path
from evcs.adapters.journal import Journal
one, number = Journal(Path(sys.argv[1])), 0
while True:
    number += 1
    one.append({"seq": number, "pad": "x" * 200}, sync=False)
    print(number, flush=True)
"""


def test_killed_at_any_moment_it_holds_what_was_said_after_it(
    path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    for said in (1, 2, 50):
        path.unlink(missing_ok=True)
        writer = child(WRITER, str(path))
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < said:
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        heard = [int(line) for line in writer.stdout.read().split()]
        last = opened(path).last(bool)
        assert last is not None
        assert last["seq"] >= max([said, *heard])


def test_a_full_disk_is_told_and_when_there_is_room_it_goes_on(disk: Disk) -> None:
    path = disk.path / "CP-1.jsonl"
    one, number = opened(path), 1
    one.append({"seq": 1}, sync=True)
    disk.fill()

    def until_full() -> None:
        nonlocal number
        while True:
            one.append({"seq": number + 1, "pad": "x" * 300}, sync=False)
            number += 1

    with pytest.raises(OSError, match=r"space|large"):
        until_full()
    found = opened(path).last(bool)
    assert found is not None
    assert found["seq"] == number
    disk.make_room()
    one.append({"seq": number + 1}, sync=True)
    assert opened(path).last(bool) == {"seq": number + 1}


def test_it_begins_anew_with_its_last_line_when_it_is_long(path: Path) -> None:
    one, longest = opened(path), 0
    for number in range(200):
        one.append({"seq": number, "pad": "x" * 60_000}, sync=False)
        assert one.last(bool) == opened(path).last(bool)
        longest = max(longest, path.stat().st_size)
    assert j.LONGEST < longest < j.LONGEST + 61_000
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    one.append({"seq": 200}, sync=True)
    assert opened(path).last(bool) == {"seq": 200}


def test_where_it_can_not_begin_anew_it_goes_on(path: Path) -> None:
    one = opened(path)
    while path.stat().st_size <= j.LONGEST:
        one.append({"pad": "x" * 60_000}, sync=False)
    (path.parent / f".{path.name}.{os.getpid()}.tmp").mkdir()
    one.append({"seq": 1}, sync=True)
    assert opened(path).last(bool) == {"seq": 1}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_set_aside(path: Path, make: Callable[[Path], object]) -> None:
    path.parent.mkdir()
    make(path)
    opened(path).append({"seq": 1}, sync=True)
    assert opened(path).last(bool) == {"seq": 1}
    assert path.with_name("CP-1.jsonl.broken").exists()
