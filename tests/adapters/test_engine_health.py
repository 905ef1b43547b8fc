from __future__ import annotations

import itertools
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from evcs.adapters import engine_health
from evcs.adapters.engine_health import Probe
from evcs.core import health as h
from evcs.core.health import EngineAnswer
from evcs.runtime.loop import Loop
from tests.system_under_test import eventually

Start = Callable[..., "subprocess.Popen[str]"]

ENGINE = """
import sys
from pathlib import Path
from evcs.adapters import engine_health
from evcs.core import health as h
from evcs.core.health import EngineAnswer
from evcs.runtime.loop import Loop
loop = Loop()
answers = {"CP-1": EngineAnswer(ready=True), "CP-2": EngineAnswer()}
engine_health.listen(loop, Path(sys.argv[1]), lambda: answers, end=answers.pop)
print("ready", flush=True)
while True:
    loop.turn()
"""
MONITOR = """
import sys
from pathlib import Path
from evcs.adapters.engine_health import Probe
probe = Probe(Path(sys.argv[1]), watches=sys.argv[2] == "watches")
for _ in sys.stdin:
    print("answered" if probe.ask(20.0) else "silent", flush=True)
"""
EVERY = h.LOOK_EVERY_S
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


def test_one_of_many_is_ended_by_whoever_asks_for_it(path: Path, child: Start) -> None:
    engine(child, path)
    Probe(path).end_one("CP-2")
    assert Probe(path).ask() == {"CP-1": ALL["CP-1"]}


def test_a_process_says_what_it_takes_and_how_late_its_loop_is(path: Path, child: Start) -> None:
    assert Probe(path).figures(0.2) is None
    engine(child, path)
    found = Probe(path).figures()
    assert found is not None
    assert found.memory_bytes > 2**20
    assert found.late_p99_ms >= 0.0


def test_no_engine_is_no_answer(path: Path) -> None:
    assert Probe(path).ask() is None
    assert Probe(path).pid() is None


def test_a_stopped_engine_is_silent_but_its_pid_is_known_and_it_answers_when_it_goes_on(
    path: Path, child: Start
) -> None:
    process = engine(child, path)
    process.send_signal(signal.SIGSTOP)
    assert Probe(path).ask(0.2) is None
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
        assert Probe(path).ask(0.001) is None
    assert Probe(path).pid() == process.pid


def test_an_engine_whose_loop_hangs_is_silent(path: Path) -> None:
    loop, asked = Loop(), itertools.count()
    engine_health.listen(loop, path, lambda: {"CP-1": EngineAnswer(str(next(asked)))})
    assert Probe(path).ask(0.2) is None
    assert Probe(path).pid() == os.getpid()
    loop.turn(0.0)
    loop.turn(0.0)
    assert next(asked) == 2


def test_a_new_engine_takes_over_the_socket_of_a_dead_one(path: Path, child: Start) -> None:
    first = engine(child, path)
    first.kill()
    first.wait()
    assert path.exists()
    assert Probe(path).ask() is None
    second = engine(child, path)
    assert Probe(path).ask() == ALL
    assert Probe(path).pid() == second.pid


@pytest.mark.parametrize("put", [None, Path.touch, Path.mkdir], ids=["nothing", "file", "folder"])
def test_a_socket_that_is_taken_away_is_made_again(
    path: Path, child: Start, put: Callable[[Path], object] | None
) -> None:
    engine(child, path)
    path.unlink()
    if put:
        put(path)
    assert Probe(path).ask() is None
    assert eventually("it listens again", Probe(path).ask, 2 * EVERY) == ALL


def test_callers_that_say_nothing_or_go_away_do_not_hold_an_engine_up(
    path: Path, child: Start
) -> None:
    engine(child, path)
    for _ in range(40):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
    assert Probe(path).ask(5.0) == ALL


def answered(path: Path, said: bytes) -> Mapping[str, EngineAnswer] | None:
    """What a Probe makes of a line, from whoever is there."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(1)

    def answer() -> None:
        caller, _ = server.accept()
        with caller, suppress(OSError):
            caller.sendall(said)

    thread = threading.Thread(target=answer)
    thread.start()
    found = Probe(path).ask()
    thread.join()
    server.close()
    return found


@pytest.mark.parametrize(
    "said",
    [b"\xff\n", b"[7]\n", b"[[{}, 7]]\n", b'[[7, ["CP-1"]]]\n', b"7\n", b"{", b"", b"x" * 200_000],
)
def test_what_is_no_answer_is_none(path: Path, said: bytes) -> None:
    assert answered(path, said) is None


def test_engines_of_an_earlier_version_are_understood(path: Path) -> None:
    said = b'{"CP-1": {"ready": true}, "CP-2": {"fault": null, "ready": false}}\n'
    assert answered(path, said) == ALL


class Watched:
    """An Engine's socket in this process, whose time goes on as the test says."""

    def __init__(self, path: Path, child: Start) -> None:
        self._path, self._child, self._now = path, child, 100.0
        self._loop = Loop(lambda: self._now)
        engine_health.listen(self._loop, path, lambda: ALL)

    def monitor(self, word: str = "watches") -> subprocess.Popen[str]:
        """One that has asked once."""
        process = self._child(MONITOR, str(self._path), word)
        self.asks(process)
        return process

    def asks(self, process: subprocess.Popen[str]) -> None:
        """Have it ask, and be answered."""
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("ask\n")
        process.stdin.flush()
        while not select.select([process.stdout], [], [], 0)[0]:
            self._loop.turn(0.01)
        assert process.stdout.readline() == "answered\n"

    def passes(self, *seconds: float) -> None:
        """The loop turns after so long, each time."""
        for one in seconds:
            self._now += one
            self._loop.turn(0.0)


@pytest.fixture
def watched(path: Path, child: Start) -> Watched:
    return Watched(path, child)


def test_a_monitor_that_asks_no_more_is_ended(watched: Watched) -> None:
    process = watched.monitor()
    process.send_signal(signal.SIGSTOP)
    watched.passes(EVERY, EVERY, EVERY)
    assert process.poll() is None, "it asked in the first of these"
    watched.passes(EVERY)
    assert process.wait(10) == -signal.SIGKILL


def test_one_that_asks_now_and_then_is_left_alone(watched: Watched) -> None:
    process = watched.monitor()
    for _ in range(5):
        watched.passes(EVERY, EVERY, EVERY)
        watched.asks(process)
    assert process.poll() is None


def test_what_an_engine_was_away_itself_is_nobodys_silence(watched: Watched) -> None:
    process = watched.monitor()
    watched.passes(EVERY, EVERY, EVERY, 40.0, EVERY, EVERY)
    assert process.poll() is None
    watched.passes(EVERY)
    assert process.wait(10) == -signal.SIGKILL


def test_who_only_asks_once_is_not_its_monitor(watched: Watched) -> None:
    """Such as the CP Manager, before it takes a CP down."""
    monitor, other = watched.monitor(), watched.monitor("looks")
    watched.passes(*[EVERY] * 5)
    assert monitor.wait(10) == -signal.SIGKILL
    assert other.poll() is None


def test_one_that_has_left_is_no_matter_and_the_next_is_watched(watched: Watched) -> None:
    for _ in range(3):
        process = watched.monitor()
        process.kill()
        process.wait()
        watched.passes(*[EVERY] * 5)
    process = watched.monitor()
    watched.passes(*[EVERY] * 4)
    assert process.wait(10) == -signal.SIGKILL


def _pidfds() -> int:
    return sum("pidfd" in str(fd.resolve()) for fd in Path("/proc/self/fd").iterdir())


def test_no_descriptor_is_left_of_those_that_asked(watched: Watched) -> None:
    before = _pidfds()
    for _ in range(3):
        process = watched.monitor()
        watched.asks(process)
        process.kill()
        process.wait()
    assert _pidfds() == before + 1, "the last one's, until the next look"
    watched.passes(EVERY)
    assert _pidfds() == before
