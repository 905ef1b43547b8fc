from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from evcs.adapters import broker_accounts
from evcs.adapters.account import Account
from evcs.adapters.supervisord import Supervisord
from evcs.core.errors import EvcsError
from evcs.home import Home
from tests.adapters.broker import Broker, Listeners
from tests.adapters.station_site import CP, Central, Site
from tests.system_under_test import ROOT, eventually

HEAD = re.compile(r".*?(?=\n\[program:)", re.DOTALL)
Start = Callable[[bool], Supervisord]


@pytest.fixture
def home(short_tmp: Path) -> Iterator[Home]:
    """An empty home whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(dir=short_tmp, prefix="a"))
    for folder in ("conf/supervisord.d", "data/secrets", "run/mosquitto.d", "run/cp", "log"):
        (path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "conf" / "mosquitto.acl", path / "conf")
    yield Home(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def broker(home: Home) -> Iterator[Broker]:
    """A running mosquitto, whose accounts are given."""
    made = Broker(home)
    broker_accounts.write(home, {"inspector": "look"})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def listeners(broker: Broker) -> Iterator[Listeners]:
    """Connections to the broker."""
    made = Listeners(broker)
    yield made
    made.stop()


class Disk:
    """A small file system, or (for who may not mount) small files; `fill` leaves so much room."""

    def __init__(self, path: Path, mounted: bool) -> None:
        self.path, self.mounted = path, mounted
        self._ballast = path / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Leave room for so many bytes."""
        if not self.mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (leave, resource.RLIM_INFINITY))
            return
        with self._ballast.open("wb", buffering=0) as file:
            with suppress(OSError):
                while file.write(b"x" * 4096):
                    pass
            file.truncate(max(file.tell() - leave, 0))

    def make_room(self) -> None:
        """Take the ballast away."""
        if self.mounted:
            self._ballast.unlink(missing_ok=True)
        else:
            unlimited = resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))


@pytest.fixture
def disk(short_tmp: Path) -> Iterator[Disk]:
    path = Path(tempfile.mkdtemp(dir=short_tmp, prefix="disk"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    # RLIMIT_FSIZE kills with SIGXFSZ unless that is ignored; then a write fails.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    made = Disk(path, mounted)
    yield made
    made.make_room()
    signal.signal(signal.SIGXFSZ, before)
    if mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def child() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python code in a process of its own; none outlives its test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *args: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *args], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    """Starts the home's supervisord without its services; CPs are `sleep`."""
    started: list[tuple[int, Supervisord]] = []
    python = home.run / "python"
    python.write_text("#!/bin/sh\nexec sleep 1000\n")
    python.chmod(0o755)

    def go(extended: bool) -> Supervisord:
        found = HEAD.match((ROOT / "conf" / "supervisord.conf").read_text())
        assert found is not None
        home.supervisord_conf.write_text(found[0] + "\n")
        module = ["evcs", "supervisord"] if extended else ["supervisor.supervisord"]
        env = {**os.environ, "EVCS_HOME": str(home.path), "EVCS_PYTHON": str(python),
               "PYTHONPATH": str(ROOT)}  # fmt: skip
        command = [sys.executable, "-m", *module, "-n", "-c",
                   str(home.supervisord_conf)]  # fmt: skip
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        supervisord = Supervisord(home.supervisor_socket)
        started.append((process.pid, supervisord))
        eventually("it answers", lambda: _pid(supervisord) == process.pid, 20)
        return supervisord

    yield go
    for pid, supervisord in started:
        with suppress(EvcsError):  # by itself it would stop one group a second
            supervisord.stop(supervisord.groups())
        os.kill(pid, 15)
        os.waitpid(pid, 0)


def _pid(supervisord: Supervisord) -> int:
    try:
        return supervisord.pid()
    except EvcsError:
        return 0


@pytest.fixture
def site(home: Home, broker: Broker, child: Callable[..., subprocess.Popen[str]]) -> Iterator[Site]:
    secret = home.secret(f"cp/{CP}/engine")
    secret.parent.mkdir(parents=True)
    secret.write_text("a")
    broker.accounts({"inspector": "look", f"cp/{CP}/engine": "a", "central": "c"})
    central = Central(Account(broker.socket, "central", lambda: "c"))
    with central.bus:
        yield Site(home, central, lambda *words, **env: child(
            *words, EVCS_MQTT_PORT=str(broker.port), **env
        ))  # fmt: skip
