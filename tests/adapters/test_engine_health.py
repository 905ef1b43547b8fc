from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from evcs.adapters import engine_health
from evcs.adapters.engine_health import Probe
from evcs.core.health import EngineAnswer
from evcs.runtime.loop import Loop

Start = Callable[..., "subprocess.Popen[str]"]

ENGINE = """
import sys
from pathlib import Path
from evcs.adapters import engine_health
from evcs.core.health import EngineAnswer
from evcs.runtime.loop import Loop
loop = Loop()
answers = {"CP-1": EngineAnswer(ready=True), "CP-2": EngineAnswer()}
engine_health.listen(loop, Path(sys.argv[1]), lambda: answers)
print("ready", flush=True)
while True:
    loop.turn()
"""
ALL = {"CP-1": EngineAnswer(ready=True), "CP-2": EngineAnswer()}


@pytest.fixture
def path(short_tmp: Path) -> Path:
    return short_tmp / f"{os.urandom(3).hex()}.sock"


def engine(child: Start, path: Path) -> subprocess.Popen[str]:
    process = child(ENGINE, str(path))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_an_engine_answers_its_owner_alone(path: Path, child: Start) -> None:
    engine(child, path)
    assert Probe(path).ask() == ALL
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_engine_is_no_answer(path: Path) -> None:
    assert Probe(path).ask() == {}
    assert Probe(path).pid() is None


def test_a_stopped_engine_is_silent_but_its_pid_is_known_and_it_answers_when_it_goes_on(
    path: Path, child: Start
) -> None:
    process = engine(child, path)
    process.send_signal(signal.SIGSTOP)
    assert Probe(path).ask(0.2) == {}
    assert Probe(path).pid() == process.pid
    process.send_signal(signal.SIGCONT)
    assert Probe(path).ask() == ALL


def test_the_pid_of_a_stopped_engine_is_known_however_often_it_was_asked(
    path: Path, child: Start
) -> None:
    """Questions that nobody takes up pile up, and it must be possible to end it all the same."""
    process = engine(child, path)
    process.send_signal(signal.SIGSTOP)
    for _ in range(60):
        assert Probe(path).ask(0.001) == {}
    assert Probe(path).pid() == process.pid


def test_an_engine_whose_loop_hangs_is_silent(path: Path) -> None:
    loop, asked = Loop(), itertools.count()
    engine_health.listen(loop, path, lambda: {"CP-1": EngineAnswer(str(next(asked)))})
    assert Probe(path).ask(0.2) == {}
    assert Probe(path).pid() == os.getpid()
    loop.turn(0.0)
    loop.turn(0.0)
    assert next(asked) == 2


def test_a_new_engine_takes_over_the_socket_of_a_dead_one(path: Path, child: Start) -> None:
    first = engine(child, path)
    first.kill()
    first.wait()
    assert path.exists()
    assert Probe(path).ask() == {}
    second = engine(child, path)
    assert Probe(path).ask() == ALL
    assert Probe(path).pid() == second.pid


def test_callers_that_say_nothing_or_go_away_do_not_hold_an_engine_up(
    path: Path, child: Start
) -> None:
    engine(child, path)
    for _ in range(40):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
    assert Probe(path).ask(5.0) == ALL


@pytest.mark.parametrize("said", [b"\xff\n", b"[]\n", b"7\n", b"{", b"", b"x" * 200_000])
def test_an_answer_that_is_no_object_is_no_answer(path: Path, said: bytes) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(1)

    def answer() -> None:
        caller, _ = server.accept()
        with caller:
            try:
                caller.sendall(said)
            except OSError:
                return

    thread = threading.Thread(target=answer)
    thread.start()
    assert Probe(path).ask() == {}
    thread.join()
    server.close()
