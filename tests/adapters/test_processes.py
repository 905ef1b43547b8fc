"""What the kernel says of processes, on real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evcs.adapters import processes
from tests.system_under_test import eventually

#: A name that looks like the rest of its line in /proc.
NAMED = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b") Z 1 (x)")
print(flush=True)
while True: pass
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", NAMED, "engine", "CP-001"],
        env={**os.environ, "EVCS_HOME": str(tmp_path)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_process_with_a_name_that_forges_a_line(child: subprocess.Popen[bytes]) -> None:
    found = processes.stat(child.pid)
    assert (found.state, found.parent) == ("R", os.getpid())
    assert processes.words(child.pid)[-2:] == ["engine", "CP-001"]


def test_its_cpu_time_grows(child: subprocess.Popen[bytes]) -> None:
    before = processes.stat(child.pid).cpu_s
    eventually("it has turned", lambda: processes.stat(child.pid).cpu_s > before)
    assert processes.stat(os.getpid()).cpu_s == pytest.approx(time.process_time(), abs=0.5)


def test_of_a_home(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert processes.of_home(tmp_path) == [child.pid]
    # One home's name may begin another's.
    assert processes.of_home(Path(str(tmp_path)[:-1])) == []


def test_stopped_then_ended_then_gone(child: subprocess.Popen[bytes]) -> None:
    assert processes.lives(child.pid)
    child.send_signal(signal.SIGSTOP)
    eventually("it is stopped", lambda: processes.is_stopped(child.pid))
    assert processes.lives(child.pid)
    child.kill()
    eventually("it has ended", lambda: not processes.lives(child.pid))
    assert processes.stat(child.pid).state == "Z"
    child.wait()
    assert not processes.lives(child.pid)
    assert not processes.is_stopped(child.pid)
    with pytest.raises(OSError, match="No such"):
        processes.stat(child.pid)


def test_a_process_is_as_old_as_it_is() -> None:
    began = time.monotonic()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        # The kernel counts in hundredths.
        assert -0.02 <= processes.age_s(child.pid) <= time.monotonic() - began + 0.02
        assert processes.age_s(1) > processes.age_s(child.pid)
