"""Homes that are another's, can't be written, have no room: one line each, and nothing left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.install.helpers import AS_NOBODY
from tests.system_under_test import Done, System

COMMANDS = (
    "evcs down", "evcs restart", "evcs status", "evcs status --check", "evcs sessions",
    "evcs audit", "evcs logs", "evcs open", "evcs watch", "evcs tls init", "evcs driver list",
    "evcs backup {tmp}/b", "evcs-cp list", "evcs-cp create CP-001", "evcs-cp export",
    "evcs-driver list --driver ALICE",
)  # fmt: skip


@pytest.fixture
def empty(new_system: Callable[..., System]) -> Iterator[System]:
    """A home that is not started, and is opened again at the end."""
    system = new_system()
    system.home.mkdir()
    yield system
    for path in (system.home, *system.home.iterdir()):
        path.chmod(0o700)
    assert not system.stray_pids()


def as_nobody(system: System, command: str) -> Done:
    done = subprocess.run(
        [*AS_NOBODY, "bash", "-c", command], env=system.env, cwd=system.home.parent, text=True,
        capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def refused(done: Done, *codes: int) -> str:
    """A refusal in one line, which it returns."""
    assert done.code in codes, done
    assert "Traceback" not in done.err
    (line,) = done.err.splitlines()
    assert line.startswith("error: "), done
    assert "; " in line, line
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_home_that_others_may_not_look_into(empty: System, command: str, tmp_path: Path) -> None:
    for name in ("data", "run", *(["log"] if command == "evcs logs" else [])):
        (empty.home / name).mkdir(0o000)
    line = refused(as_nobody(empty, command.format(tmp=tmp_path)), 9)
    assert "owner" in line
    assert "evcs up" not in line


def test_a_home_that_can_not_be_written(empty: System) -> None:
    (empty.home / "conf").mkdir(0o000)
    refused(as_nobody(empty, "evcs config show"), 9)
    (empty.home / "conf").rmdir()
    empty.home.chmod(0o555)
    for command in ("evcs up", "evcs up --foreground", "evcs restart", "evcs tls init"):
        line = refused(as_nobody(empty, command), 9)
        assert "EVCS_HOME" in line
    doctor = as_nobody(empty, "evcs doctor")
    assert doctor.code == 1
    assert f"{empty.home} can't be written" in doctor.out


def test_root_leaves_nothing_in_another_users_home(empty: System) -> None:
    home = empty.home
    if os.geteuid() == 0:
        os.chown(home, 54321, 54321)
    else:
        home = Path("/usr")
    before = sorted(home.iterdir())
    for command in (
        "evcs up", "evcs restart", "evcs tls init", "evcs backup b", "evcs restore b",
        "evcs doctor --fix", "evcs demo", "evcs-cp certificate CP-001",
    ):  # fmt: skip
        line = refused(empty.run(*command.split(), EVCS_HOME=str(home)), 9)
        assert "another user's" in line
    assert sorted(home.iterdir()) == before


def test_pipes_in_the_place_of_files_hold_nobody_up(new_system: Callable[..., System]) -> None:
    system = new_system()
    pipes = [
        system.home / name
        for name in ("data/registry.json", "data/mosquitto.passwd", "run/web-sessions.json",
                     "log/central.log", "conf/supervisord.d/CP-001.conf",
                     "data/secrets/central", "data/ledger.mark")
    ]  # fmt: skip
    for path in pipes:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.mkfifo(path)
    done = system.run("evcs", "up", "--wait", timeout=60)
    assert done.code == 0, done
    assert done.err.count("set aside") == len(pipes)
    aside = [path.with_name(f"{path.name}.broken") for path in pipes]
    assert all(path.is_fifo() for path in aside)
    system.ok("evcs", "down")
    for path in aside:
        path.unlink()


def test_no_room(empty: System) -> None:
    done = as_nobody(empty, "ulimit -f 0; exec evcs up")
    assert "File too large" in refused(done, 1)


def test_a_supervisord_that_is_stopped(system: System) -> None:
    pid = system.supervisord_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        for command in ("status", "down", "up"):
            line = refused(system.run("evcs", command, timeout=15), 6)
            assert f"is stopped by a signal; let it go on: kill -CONT {pid}" in line
        found = system.run("evcs", "doctor", "--json", timeout=15)
        checks = {one["check"]: one for one in found.json["checks"]}
        assert [one["check"] for one in checks.values() if one["level"] == "fail"] == ["system"]
        assert f"(pid {pid}) is stopped" in checks["system"]["text"]
        told = {checks[name]["remedy"] for name in ("system", "services", "fleet")}
        assert told == {f"let it go on: kill -CONT {pid}"}
        assert (checks["ports"]["level"], checks["memory"]["level"]) == ("ok", "ok")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_broker_goes_on_without_supervisord(system: System) -> None:
    """It once stood still after 500 connections: its log's pipe was full."""
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", "ALICE")
    pid = system.supervisord_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(3_000):
            socket.create_connection(("127.0.0.1", system.mqtt_port), 10).close()
        system.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "0.1")
        told = system.ok("evcs", "logs", "mosquitto", "-n", "3000").out
        assert told.count("New connection") > 1_000
    finally:
        os.kill(pid, signal.SIGCONT)
    tail = system.ok("supervisorctl", "tail", "mosquitto").out
    assert "New c" in tail


def test_a_home_that_is_named_by_a_link(system: System, short_tmp: Path) -> None:
    """The last one of this system: it is ended by that name, too."""
    pid, link = system.supervisord_pid, short_tmp / "link"
    link.symlink_to(system.home)
    assert system.run("evcs", "status", "--check", EVCS_HOME=str(link)).code == 0
    assert "runs already" in system.run("evcs", "up", EVCS_HOME=str(link)).err
    assert (system.home / "run" / "supervisord.pid").read_text().strip() == str(pid)
    assert system.run("evcs", "down", EVCS_HOME=str(link)).code == 0
    assert not system.stray_pids()


def test_a_fleet_file_with_a_key_of_many_parts(new_system: Callable[..., System]) -> None:
    system = new_system()
    system.home.mkdir()
    path = system.home / "fleet.toml"
    path.write_text(".".join(["a"] * 200_000) + " = 1\n")
    done = system.run("evcs-cp", "apply", "-f", str(path), timeout=10)
    assert "line 1: a key of more than 4 parts" in refused(done, 2)


def test_a_port_that_is_in_use_is_told_with_who_has_it(new_system: Callable[..., System]) -> None:
    system = new_system()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", system.web_port))
        taken.listen()
        done = system.run("evcs", "up")
    assert done.code == 5, done
    assert re.search(rf"port {system.web_port} is in use by .+, pid {os.getpid()};", done.err)
    assert done.err.endswith("or end it\n"), "it is no system of ours"
    assert "EVCS_WEB_PORT" in done.err
    listens = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))"
    for home, way_out in (
        ("/another home", "or end it: EVCS_HOME='/another home' evcs down\n"),
        (str(system.home), "evcs doctor --fix, then evcs up\n"),
    ):
        with subprocess.Popen(
            [sys.executable, "-c", f"{listens}; print(flush=True); sys.stdin.read()",
             str(system.web_port)],
            env={**os.environ, "EVCS_HOME": home}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as other:  # fmt: skip
            try:
                assert other.stdout is not None
                other.stdout.readline()
                told = system.run("evcs", "up").err
            finally:
                other.kill()
        assert told.endswith(way_out), told
    assert not system.stray_pids()
