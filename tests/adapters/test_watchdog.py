"""The watchdog on real processes, its looks in quick succession; a real broker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from supervisor.states import ProcessStates

from evcs.adapters.broker_pulse import BrokerPulse, connect_packet
from evcs.adapters.heartbeat import BEAT_EVERY_S
from evcs.adapters.processes import is_stopped
from evcs.adapters.supervisord_inside import Inside
from evcs.adapters.watchdog import OWN, Watchdog
from evcs.core.pulse import LOOK_EVERY_S, STOPPED_LOOKS
from evcs.home import Home
from tests.adapters.conftest import Disk
from tests.system_under_test import ROOT, eventually

BEGIN = """
import sys, time
from pathlib import Path
from evcs.adapters import heartbeat
heartbeat.begin(Path(sys.argv[1]))
"""
LOOPS = BEGIN + "while True: pass"
SLEEPS = BEGIN + "time.sleep(600)"
BUSY = BEGIN + "while True: heartbeat.beat(); sum(range(10_000))"
BEATS = BEGIN + "while True: heartbeat.beat(); time.sleep(0.1)"
STARTS = "while True: pass"


class Stage:
    """supervisord as the watchdog knows it, with one process as Central."""

    def __init__(self, home: Path, program: str, name: str = "central") -> None:
        self.home, self.now = Home(home), 0.0
        self.log: list[str] = []
        self.name = name
        alive = self.home.alive("central")
        alive.parent.mkdir(parents=True)
        alive.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", program, str(alive)], cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        one = SimpleNamespace(
            pid=self.process.pid, signal=self.process.send_signal,
            get_state=lambda: ProcessStates.RUNNING,
        )  # fmt: skip
        supervisord: Any = SimpleNamespace(
            process_groups={name: SimpleNamespace(processes={name: one})},
            options=SimpleNamespace(logger=SimpleNamespace(critical=self.log.append)),
        )
        self.watchdog = Watchdog(Inside(supervisord), self.home, lambda: self.now)
        self.look()

    def look(self, after_s: float = LOOK_EVERY_S) -> bool:
        """One look; whether the process is still there."""
        self.now += after_s
        self.watchdog.tick()
        return not self.log

    def sign(self) -> int:
        """The time of its last sign of life."""
        return self.home.alive("central").stat().st_mtime_ns

    def is_ended(self) -> None:
        """Looks follow each other until one has ended it."""
        eventually("it is ended", lambda: not self.look(), every_s=0.2)
        assert self.process.wait(10) == -signal.SIGKILL
        assert self.name in self.log[0]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    made: list[Stage] = []

    def make(program: str, name: str = "central") -> Stage:
        made.append(Stage(tmp_path / f"h{len(made)}", program, name))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("program", [LOOPS, STARTS])
def test_one_that_turns_without_a_sign_is_ended(
    stage: Callable[[str], Stage], program: str
) -> None:
    stage(program).is_ended()


@pytest.mark.parametrize("number", [0, signal.SIGSTOP])
def test_one_that_sleeps_or_is_stopped_is_ended(stage: Callable[[str], Stage], number: int) -> None:
    one = stage(SLEEPS)
    one.process.send_signal(number)
    one.is_ended()


def test_a_cps_process_that_is_stopped_is_ended_after_half_a_minute(
    stage: Callable[..., Stage],
) -> None:
    """Engine and Monitor end each other; of two that are stopped neither can."""
    one = stage(SLEEPS, "CP-001")
    one.process.send_signal(signal.SIGSTOP)
    eventually("it is stopped", lambda: is_stopped(one.process.pid))
    assert all(one.look() for _ in range(STOPPED_LOOKS - 1))
    one.is_ended()


def test_a_broker_that_could_not_be_started_anew_is_not_ended(stage: Callable[..., Stage]) -> None:
    """Its socket is gone with `run/`, of which others have made some again."""
    one = stage(SLEEPS, "mosquitto")
    assert all(one.look() for _ in range(9))
    one.home.broker_listeners.parent.mkdir()
    one.home.broker_listeners.touch()
    one.is_ended()


def _is(one: Stage, stopped: bool) -> bool:
    return is_stopped(one.process.pid) == stopped


def test_a_cps_process_that_sleeps_or_was_stopped_for_a_while_goes_on(
    stage: Callable[..., Stage],
) -> None:
    one = stage(SLEEPS, "CP-001")
    for number in (signal.SIGSTOP, signal.SIGCONT) * 2:
        one.process.send_signal(number)
        eventually("it is so", partial(_is, one, number == signal.SIGSTOP))
        assert all(one.look() for _ in range(STOPPED_LOOKS - 1))


def test_a_busy_one_goes_on(stage: Callable[[str], Stage]) -> None:
    one = stage(BUSY)
    signs = [one.sign()]
    for _ in range(4):
        eventually("a sign", lambda: one.sign() != signs[-1], 20)
        signs.append(one.sign())
        assert all([one.look(), one.look()])


def _remount(disk: Disk, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk.path)], check=True)


def _take_signs(disk: Disk, one: Stage, takes: bool) -> None:
    """Whether the disk takes any; for who may not mount the files are another's, meanwhile."""
    if disk.mounted:
        _remount(disk, "rw" if takes else "ro")
        return
    for path in (one.home.alive("central"), one.home.alive(OWN)):
        ours = path.with_suffix(".ours")
        if takes:
            ours.replace(path)
        else:
            path.rename(ours)
            path.symlink_to("/etc/passwd")


def test_nobody_is_ended_on_a_disk_that_takes_no_sign(disk: Disk) -> None:
    one = Stage(disk.path / "home", BEATS)
    try:
        first = one.sign()
        eventually("it gives signs", lambda: one.sign() != first)
        _take_signs(disk, one, False)
        until = time.monotonic() + 1.5 * BEAT_EVERY_S
        while time.monotonic() < until:
            assert one.look()
        last = one.sign()
        _take_signs(disk, one, True)
        eventually("it gives signs again", lambda: one.sign() != last)
        one.process.send_signal(signal.SIGSTOP)
        one.is_ended()
    finally:
        one.process.kill()
        one.process.wait()


def test_looks_after_a_pause_say_nothing(stage: Callable[[str], Stage]) -> None:
    one = stage(SLEEPS)
    one.process.send_signal(signal.SIGSTOP)
    assert all(one.look(after_s) for after_s in (20.0, 0.1, 3600.0, 30.0, 0.5, 90.0, 0.1))


def test_what_goes_wrong_ends_nothing(stage: Callable[[str], Stage]) -> None:
    one = stage(SLEEPS)
    one.process.kill()
    one.process.wait()
    assert not one.look()
    assert "can't be looked at" in one.log[0]


def test_a_queue_in_which_thousands_stand_says_nothing_of_the_broker(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as broker, socket.socket(socket.AF_UNIX) as first:
        broker.bind(str(tmp_path / "s"))
        broker.listen(0)
        first.connect(str(tmp_path / "s"))
        pulse = BrokerPulse(tmp_path / "s", lambda: "x" * 43)
        assert pulse.sign() is None
        broker.accept()[0].close()
        assert pulse.sign() == 0, "it is asked"
        pulse.close()


def test_a_broker_answers_and_one_that_is_stopped_does_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "inspector", "x" * 43], check=True
    )
    conf = tmp_path / "m.conf"
    conf.write_text(f"listener 0 {path}\nallow_anonymous false\npassword_file {passwords}\n"
                    f"log_dest stderr\nuser root\n")  # fmt: skip
    broker = subprocess.Popen(["mosquitto", "-c", str(conf)], stderr=subprocess.DEVNULL)
    pulse = BrokerPulse(path, lambda: "x" * 43)
    try:
        eventually("it listens", path.exists, 10)
        eventually("CONNACK, then PINGRESPs", lambda: (pulse.sign() or 0) > 4, 10)
        broker.send_signal(signal.SIGSTOP)
        eventually("nothing any more", lambda: pulse.sign() == pulse.sign() == pulse.sign(), 10)
        broker.send_signal(signal.SIGCONT)
        before = pulse.sign() or 0
        eventually("and again", lambda: (pulse.sign() or 0) > before, 10)
    finally:
        broker.kill()
        broker.wait()
    eventually("it does not listen", lambda: pulse.sign() is None, 10)
    pulse.close()


def test_a_broker_whose_socket_is_taken_away_gives_no_sign_any_more(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as broker:
        broker.bind(str(path))
        broker.listen(1)
        pulse = BrokerPulse(path, lambda: "x")
        assert pulse.sign() == 0
        connection, _ = broker.accept()
        connection.send(b"x")
        eventually("it answers", lambda: pulse.sign() == 1, 10)
        path.unlink()
        connection.send(b"x")
        assert [pulse.sign() for _ in range(9)] == [1] * 9
        connection.close()
        pulse.close()


def test_a_backlog_that_is_full_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen(0)
        made = [BrokerPulse(tmp_path / "s", lambda: "x") for _ in range(5)]
        for _ in range(3):
            assert {one.sign() for one in made} <= {0, None}
        for one in made:
            one.close()


def test_a_long_password() -> None:
    packet = connect_packet("inspector", "x" * 100)
    assert len(packet) == 3 + (packet[1] & 0x7F) + (packet[2] << 7)
