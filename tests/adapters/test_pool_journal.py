"""The journals of a pool: one SQLite file, written by one process, killed and damaged at will."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters.log import NamedLog
from evcs.adapters.pool_journal import PoolJournals
from evcs.core.errors import EvcsError
from tests.adapters.conftest import Disk

Child = Callable[..., subprocess.Popen[str]]


class Process:
    """The journals as one process has them, turn by turn."""

    def __init__(self, path: Path) -> None:
        self._due: list[Callable[[], None]] = []
        self.journals = PoolJournals(path, self._due.append, NamedLog("_pool-1 engines"))
        self.of = self.journals.of

    def turn(self) -> None:
        """The end of a turn of the loop."""
        due, self._due[:] = self._due[:], []
        for call in due:
            call()

    def last(self, cp: str) -> dict[str, Any] | None:
        """What a CP's Engine would find."""
        return self.of(cp).last(lambda _: True)


def seq(path: Path, cp: str) -> int | None:
    """What the next process finds of a CP."""
    one = Process(path)
    found = one.last(cp)
    one.journals.close()
    return None if found is None else int(found["seq"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "_pool-1.db"


def test_each_cp_has_its_own_last_record_and_the_file_is_its_owners(path: Path) -> None:
    one = Process(path)
    for number in range(3):
        for cp in ("CP-1", "CP-2"):
            one.of(cp).append({"seq": number, "cp": cp}, sync=True)
    assert Process(path).last("CP-1") == {"seq": 2, "cp": "CP-1"}
    assert Process(path).last("CP-2") == {"seq": 2, "cp": "CP-2"}
    assert Process(path).last("CP-3") is None
    files = list(path.parent.iterdir())
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 3, files


def test_a_reading_is_written_with_its_turn_and_one_that_must_last_at_once(path: Path) -> None:
    one = Process(path)
    journals = [one.of(f"CP-{number}") for number in range(3)]
    journals[0].append({"seq": 1}, sync=False)
    journals[1].append({"seq": 1}, sync=False)
    assert one.last("CP-0") == {"seq": 1}
    assert seq(path, "CP-0") is None
    one.turn()
    assert [seq(path, f"CP-{number}") for number in range(3)] == [1, 1, None]
    journals[0].append({"seq": 2}, sync=False)
    journals[2].append({"seq": 2}, sync=True)
    assert [seq(path, f"CP-{number}") for number in range(3)] == [2, 1, 2]
    journals[0].append({"seq": 3}, sync=True)
    one.turn()
    assert seq(path, "CP-0") == 3


def test_a_role_that_is_made_anew_finds_what_it_held(path: Path) -> None:
    one = Process(path)
    journal = one.of("CP-1")
    journal.append({"seq": 1}, sync=False)
    journal.close()
    assert one.last("CP-1") == {"seq": 1}


def test_what_has_been_let_go_of_is_there_for_others_and_is_not_written_again(path: Path) -> None:
    one = Process(path)
    for number in (1, 2):
        one.of(f"CP-{number}").append({"seq": 1}, sync=False)
    one.journals.release("CP-1")
    assert seq(path, "CP-1") == 1
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM journal WHERE cp = 'CP-1'")
    other.close()
    path.rename(path.with_name("gone"))
    one.of("CP-2").append({"seq": 2}, sync=True)
    one.turn()
    assert (seq(path, "CP-1"), seq(path, "CP-2")) == (None, 2)


def test_what_could_not_be_written_of_one_that_goes_is_not_written_later(disk: Disk) -> None:
    path = disk.path / "_pool-1.db"
    one = Process(path)
    for number in (1, 2):
        one.of(f"CP-{number}").append({"seq": 1}, sync=True)
    disk.fill()
    one.of("CP-1").append({"seq": 2}, sync=False)
    with pytest.raises(OSError, match=r"space|I/O"):
        one.journals.release("CP-1")
    disk.make_room()
    one.of("CP-2").append({"seq": 2}, sync=True)
    one.turn()
    assert (seq(path, "CP-1"), seq(path, "CP-2")) == (1, 2)


SYNCING = """
import sys
from pathlib import Path
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_journal import PoolJournals
journals = PoolJournals(Path(sys.argv[1]), lambda call: None, NamedLog("pool"))
number = int(sys.argv[2])
while True:
    number += 1
    for cp in range(3):
        journals.of(f"CP-{cp}").append({"seq": number, "pad": "x" * 300}, sync=True)
        print(f"CP-{cp}", number, flush=True)
"""

READING = """
import sys
from pathlib import Path
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_journal import PoolJournals
from evcs.runtime.loop import Loop
sys.stdout.reconfigure(line_buffering=True)
loop, number = Loop(), int(sys.argv[2])
journals = PoolJournals(Path(sys.argv[1]), loop.call_first, NamedLog("pool"))
cps = [f"CP-{cp}" for cp in range(50)]

def tick(cp, number):
    loop.call_soon(sys.stdout.write, f"{cp} {number}\\n")
    journals.of(cp).append({"seq": number, "pad": "x" * 300}, sync=False)
    loop.call_later(0.001, tick, cp, number + 1)

for cp in cps:
    loop.call_later(0.0, tick, cp, number + 1)
loop.run(lambda _: None, lambda _: 1.0)
"""


@pytest.mark.parametrize("writer", [SYNCING, READING], ids=["syncing", "reading"])
def test_killed_at_any_moment_it_holds_what_was_told_after_it(
    path: Path, child: Child, writer: str
) -> None:
    chance, begin = random.Random(18), 0
    for _ in range(8):
        process = child(writer, str(path), str(begin))
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(chance.randrange(1, 400))]
        process.send_signal(signal.SIGKILL)
        process.wait()
        told += process.stdout
        latest = dict(line.split() for line in told if line.endswith("\n"))
        for cp, number in latest.items():
            found = seq(path, cp)
            assert found is not None
            assert int(number) <= found <= int(number) + 1, cp
            begin = max(begin, found)


def test_a_turn_is_written_whole_or_not_at_all(path: Path, child: Child) -> None:
    code = SYNCING.replace("range(3)", "range(200)").replace("sync=True", "sync=cp == 199")
    for lines in (1, 300, 700, 1_500):
        process = child(code, str(path), "0")
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        one = Process(path)
        assert len({str(one.last(f"CP-{cp}")) for cp in range(200)}) == 1


def test_what_was_refused_for_want_of_room_is_not_written_by_another(disk: Disk) -> None:
    path = disk.path / "_pool-1.db"
    one = Process(path)
    for number in range(3):
        one.of(f"CP-{number}").append({"seq": 1}, sync=True)
    disk.fill()
    with pytest.raises(OSError, match=r"space|I/O"):
        one.of("CP-0").append({"seq": 2}, sync=True)
    with pytest.raises(OSError, match=r"space|I/O"):
        one.of("CP-1").append({"seq": 2}, sync=False)
    assert [seq(path, f"CP-{number}") for number in range(3)] == [1, 1, 1]
    disk.make_room()
    one.of("CP-2").append({"seq": 2}, sync=False)
    one.turn()
    assert [seq(path, f"CP-{number}") for number in range(3)] == [1, 1, 2]


def test_readings_that_find_no_room_are_refused_and_go_on_when_there_is(disk: Disk) -> None:
    path = disk.path / "_pool-1.db"
    one = Process(path)
    journal = one.of("CP-0")
    journal.append({"seq": 1}, sync=True)
    disk.fill()
    journal.append({"seq": 2}, sync=False)
    one.turn()
    for number in (3, 4):
        with pytest.raises(OSError, match=r"space|I/O"):
            journal.append({"seq": number}, sync=False)
        one.turn()
    assert seq(path, "CP-0") == 1
    disk.make_room()
    journal.append({"seq": 5}, sync=False)
    assert seq(path, "CP-0") == 5
    journal.append({"seq": 6}, sync=False)
    assert seq(path, "CP-0") == 5
    one.turn()
    assert seq(path, "CP-0") == 6


@pytest.mark.parametrize("ended", ["in order", "killed", "its memory lost"])
def test_a_process_that_begins_on_a_full_disk_reads_what_is_there(disk: Disk, ended: str) -> None:
    path = disk.path / "_pool-1.db"
    before = Process(path)
    before.of("CP-0").append({"seq": 1}, sync=True)
    if ended == "in order":
        before.journals.close()
    elif ended == "its memory lost":
        files = {file: file.read_bytes() for file in disk.path.iterdir()}
        before.journals.close()
        for file, content in files.items():
            if file.suffix != ".db-shm":
                file.write_bytes(content)
    disk.fill()
    one = Process(path)
    journal = one.of("CP-0")
    assert journal.last(lambda _: True) == {"seq": 1}
    with pytest.raises(OSError, match=r"space|I/O"):
        journal.append({"seq": 2}, sync=True)
    disk.make_room()
    journal.append({"seq": 3}, sync=True)
    assert seq(path, "CP-0") == 3


def test_a_process_that_is_the_first_on_a_full_disk_refuses_and_goes_on(disk: Disk) -> None:
    path = disk.path / "_pool-1.db"
    disk.fill()
    journal = Process(path).of("CP-0")
    assert journal.last(lambda _: True) is None
    with pytest.raises(OSError, match=r"space|I/O"):
        journal.append({"seq": 1}, sync=True)
    disk.make_room()
    journal.append({"seq": 2}, sync=True)
    assert seq(path, "CP-0") == 2


def _ruin(path: Path, how: str) -> None:
    whole = path.read_bytes()
    if how == "garbage":
        path.write_bytes(random.Random(1).randbytes(len(whole)))
    elif how == "text":
        path.write_text('{"seq": 1}\n')
    elif how == "cut short":
        path.write_bytes(whole[:5_000])
    elif how == "a page of zeros":
        path.write_bytes(whole[:8_192] + b"\0" * 4_096 + whole[12_288:])
    elif how == "another's":
        path.unlink()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE journal (x)")
        db.close()


HOWS = ["garbage", "text", "cut short", "a page of zeros", "another's"]


@pytest.mark.parametrize("how", HOWS)
def test_a_damaged_file_is_set_aside_and_begun_anew(
    path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Process(path)
    for number in range(60):
        before.of(f"CP-{number}").append({"seq": 1, "pad": "x" * 300}, sync=True)
    before.journals.close()
    _ruin(path, how)
    size = path.stat().st_size
    one = Process(path)
    assert one.last("CP-0") is None
    assert "set aside as _pool-1.db.broken, begun anew" in capsys.readouterr().out
    assert path.with_name("_pool-1.db.broken").stat().st_size == size
    one.of("CP-0").append({"seq": 2}, sync=True)
    assert (seq(path, "CP-0"), seq(path, "CP-1")) == (2, None)
    one.journals.close()
    _ruin(path, "text")
    assert seq(path, "CP-0") is None
    assert path.with_name("_pool-1.db.broken.2").exists()


def test_an_empty_file_is_begun(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    Process(path).of("CP-0").append({"seq": 1}, sync=True)
    assert seq(path, "CP-0") == 1


@pytest.mark.parametrize("how", ["removed", "its folder too", "replaced", "cut short", "text"])
def test_a_file_that_is_taken_away_while_in_use_is_written_anew(path: Path, how: str) -> None:
    one = Process(path)
    for number in range(60):
        one.of(f"CP-{number}").append({"seq": 1, "pad": "x" * 300}, sync=True)
    one.of("CP-0").append({"seq": 2}, sync=False)
    one.turn()
    if how == "replaced":
        path.rename(path.with_name("old.db"))
        Process(path).of("CP-77").append({"seq": 7}, sync=True)
    elif how in ("removed", "its folder too"):
        for file in path.parent.iterdir():
            file.unlink()
        if how == "its folder too":
            path.parent.rmdir()
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        _ruin(path, how)
    one.of("CP-1").append({"seq": 3}, sync=False)
    one.turn()
    assert [seq(path, f"CP-{number}") for number in (0, 1, 2)] == [2, 3, 1]


@pytest.mark.parametrize(
    "record",
    ["", "null", "[1]", "7", "{", '{"seq": 1', "[" * 60_000, b"\xff\xfe", 7, b"", "\0"],
)
def test_a_record_that_is_none_counts_as_none(path: Path, record: object) -> None:
    one = Process(path)
    one.of("CP-0").append({"seq": 1}, sync=True)
    one.journals.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE journal SET record = ?", (record,))
    db.close()
    one = Process(path)
    assert one.last("CP-0") is None
    one.of("CP-0").append({"seq": 2}, sync=True)
    assert seq(path, "CP-0") == 2


def test_what_is_no_record_of_its_reader_counts_as_none(path: Path) -> None:
    Process(path).of("CP-0").append({"seq": 1}, sync=True)
    assert Process(path).of("CP-0").last(lambda found: found["seq"] == 2) is None


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    Process(path).of("CP-0").append({"seq": 1}, sync=True)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(EvcsError, match="another format than 1"):
        Process(path).of("CP-0")


def test_while_another_program_holds_it_records_are_refused(path: Path) -> None:
    one = Process(path)
    journal = one.of("CP-0")
    journal.append({"seq": 1}, sync=True)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OSError, match="unavailable"):
        journal.append({"seq": 2}, sync=True)
    assert seq(path, "CP-0") == 1
    other.execute("ROLLBACK")
    other.close()
    journal.append({"seq": 3}, sync=True)
    assert seq(path, "CP-0") == 3


def test_the_file_stays_small(path: Path) -> None:
    one = Process(path)
    journals = [one.of(f"CP-{number}") for number in range(100)]
    for number in range(300):
        for journal in journals:
            journal.append({"seq": number, "pad": "x" * 300}, sync=False)
        one.turn()
    one.journals.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size < 100 * 1_000


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_set_aside(path: Path, make: Callable[[Path], object]) -> None:
    path.parent.mkdir()
    make(path)
    Process(path).of("CP-1").append({"seq": 1}, sync=True)
    assert seq(path, "CP-1") == 1
    assert path.with_name("_pool-1.db.broken").exists()


def test_what_takes_the_files_place_while_in_use_is_set_aside(path: Path) -> None:
    one = Process(path)
    one.of("CP-1").append({"seq": 1}, sync=True)
    path.rename(path.with_name("gone"))
    path.mkdir()
    one.of("CP-2").append({"seq": 1}, sync=True)
    assert [seq(path, cp) for cp in ("CP-1", "CP-2")] == [1, 1]


def test_a_log_that_is_removed_while_in_use_takes_nothing_with_it(path: Path) -> None:
    one = Process(path)
    for cp in ("CP-1", "CP-2"):
        one.of(cp).append({"seq": 1}, sync=True)
    path.with_name(f"{path.name}-wal").unlink()
    one.of("CP-2").append({"seq": 2}, sync=True)
    assert [seq(path, cp) for cp in ("CP-1", "CP-2")] == [1, 2]
