from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from evcs.adapters import files
from evcs.core.errors import Conflict
from tests.adapters.conftest import Disk
from tests.system_under_test import eventually

Start = Callable[..., "subprocess.Popen[str]"]

WRITER = """
import sys
from pathlib import Path
from evcs.adapters.files import write_atomic
print("ready", flush=True)
number = 0
while True:
    number += 1
    write_atomic(Path(sys.argv[1]), f"{number:09d}\\n".encode() * 20_000)
"""


def test_killed_in_the_middle_of_a_write_the_file_is_the_old_or_the_new(
    tmp_path: Path, child: Start
) -> None:
    path = tmp_path / "file"
    for _ in range(25):
        writer = child(WRITER, str(path))
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        path.unlink(missing_ok=True)
        eventually("it writes", path.exists, 20, every_s=0)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        lines = path.read_bytes().splitlines()
        assert len(lines) == 20_000
        assert len(set(lines)) == 1


def test_a_link_in_the_temps_place_is_not_followed(tmp_path: Path) -> None:
    path, theirs = tmp_path / "file", tmp_path / "theirs"
    theirs.write_text("theirs")
    path.with_name(f".file.{os.getpid()}.tmp").symlink_to(theirs)
    files.write_atomic(path, b"ours")
    assert (path.read_bytes(), theirs.read_text()) == (b"ours", "theirs")


def test_the_mode_is_as_asked_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        files.write_atomic(path, b"new", 0o600)
    finally:
        os.umask(before)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o600)


def test_a_full_disk_leaves_the_old_file_and_no_rest(disk: Disk) -> None:
    path = disk.path / "file"
    files.write_atomic(path, b"old")
    disk.fill(leave=8_192)
    with pytest.raises(OSError, match=r"space|large"):
        files.write_atomic(path, b"new" * 100_000)
    assert path.read_bytes() == b"old"
    assert {entry.name for entry in disk.path.iterdir()} <= {"file", "ballast"}
    disk.make_room()
    files.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_many_are_written_as_one_is(tmp_path: Path, disk: Disk) -> None:
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        folder.mkdir()
    paths = [folder / str(number) for folder in folders for number in range(files.FEW)]
    before = os.umask(0)
    try:
        files.write_each({path: path.name.encode() for path in paths}, 0o600)
    finally:
        os.umask(before)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(paths)
    assert all(path.read_text() == path.name for path in paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    many = {disk.path / str(number): b"old" for number in range(2 * files.FEW)}
    files.write_each(many)
    disk.fill(leave=8_192)
    with pytest.raises(OSError, match=r"space|large"):
        files.write_each(dict.fromkeys(many, b"new" * 10_000))
    assert {path.read_bytes() for path in many} == {b"old"}
    assert {entry.name for entry in disk.path.iterdir()} <= {
        "ballast",
        *(path.name for path in many),
    }


def test_a_folder_gets_its_mode_also_if_it_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    files.make_folder(folder, 0o700)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_lock_has_one_holder_who_is_named_and_ends_with_its_process(
    tmp_path: Path, child: Start
) -> None:
    path = tmp_path / "lock" / "central.lock"
    holder = child(
        "import sys; from pathlib import Path; from evcs.adapters.files import hold_lock\n"
        "kept = hold_lock(Path(sys.argv[1]), 'central'); print('held', flush=True)\n"
        "sys.stdin.read()",
        str(path),
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Conflict, match=rf"central runs already \(pid {holder.pid}\)"):
        files.hold_lock(path, "central")
    holder.kill()
    holder.wait()
    os.close(files.hold_lock(path, "central"))
