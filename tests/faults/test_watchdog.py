"""G15: a service that hangs is ended and started anew within 30 s, and nothing else is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.system_under_test import System, eventually

SERVICES = ("central", "cp-manager", "mosquitto", "registry", "web")
WITHIN_S = 30.0
#: A connector looks so often.
TICK_S = 5.0
#: In so long one that hangs is ended.
SEEN_WITHIN_S = 21.0
#: It ends with the tests, also where these are killed.
HOG = """
import os
parent = os.getppid()
while os.getppid() == parent: pass
"""


@pytest.fixture(scope="module")
def watched(new_system: Callable[..., System]) -> Iterator[System]:
    """A system with two CPs, and a systemd that hears of it."""
    system = new_system()
    system.home.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(system.home / "notify"))
        system.up(
            NOTIFY_SOCKET=str(system.home / "notify"),
            EVCS_CRASH_AT=f"@{system.home}/run/crash_at",
        )
        system.ok("evcs-cp", "create", "CP-001", "CP-002")
        yield system
        systemd.settimeout(20)
        assert systemd.recv(100) == b"WATCHDOG=1"
        system.down()


def ended_by_watchdog(system: System) -> list[str]:
    log = (system.home / "log" / "supervisord.log").read_text()
    return [line.split("watchdog: ")[1].split()[0] for line in log.splitlines() if "hangs" in line]


def test_all_five_stopped_at_once(watched: System) -> None:
    before = watched.steady()
    for name in SERVICES:
        os.kill(before[name], signal.SIGSTOP)
    stopped_at = time.monotonic()

    def back() -> bool:
        now = watched.processes()
        return all(now.get(name, before[name]) != before[name] for name in SERVICES)

    eventually("all are started anew", back, WITHIN_S)
    assert time.monotonic() - stopped_at < WITHIN_S
    assert sorted(ended_by_watchdog(watched)) == sorted(SERVICES)
    watched.wait_for_state("CP-001", "ACTIVATED")
    watched.ok("evcs-cp", "create", "CP-003")
    now = watched.steady()
    cps = {name: pid for name, pid in before.items() if ":" in name}
    assert {name: now[name] for name in cps} == cps
    assert sorted(ended_by_watchdog(watched)) == sorted(SERVICES), "each of them once"


@pytest.mark.alone
def test_merely_busy_ones_are_left_alone(watched: System) -> None:
    """Twenty processes that turn beside it, and a bulk create."""
    before = watched.steady()
    ended = ended_by_watchdog(watched)
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(20)]
    begun = time.monotonic()
    try:
        watched.ok("evcs-cp", "create", "B-{01..20}", "--timeout", "150", timeout=170)
        eventually("it takes so long", lambda: time.monotonic() - begun > SEEN_WITHIN_S)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert ended_by_watchdog(watched) == ended
    now = watched.steady()
    assert {name: now[name] for name in before} == before


def test_sockets_that_are_taken_away_are_there_again(watched: System) -> None:
    """The broker's by a new start of it, the others by whoever listens there."""
    watched.ok("evcs-cp", "create", "POOL-1", "--hosting", "pool")
    before = watched.steady()
    sockets = [watched.home / "run" / "mosquitto.sock", *(watched.home / "run" / "cp").iterdir()]
    for path in sockets:
        path.unlink()
    os.kill(before["central"], signal.SIGKILL)
    eventually("all are there", lambda: all(path.exists() for path in sockets), WITHIN_S)
    for cp in watched.states():
        watched.wait_for_state(cp, "ACTIVATED")
    now = watched.steady()
    changed = {name for name in before if now[name] != before[name]}
    assert changed == {"mosquitto", "central"}


def test_a_gateway_that_hangs_is_started_anew(watched: System) -> None:
    """In code that never returns."""
    watched.ok("evcs-cp", "create", "WALLBOX", "--hosting", "ocpp")
    name = "_ocpp:gateway"
    eventually("supervisord has taken the gateway up", lambda: name in watched.processes())
    before = watched.steady()
    armed = watched.home / "run" / "crash_at"
    armed.write_text("gateway.tick:WALLBOX!")
    is_new = lambda: watched.processes().get(name, before[name]) != before[name]  # noqa: E731
    eventually("it is started anew", is_new, WITHIN_S + TICK_S)
    armed.unlink()
    assert "gateway" in ended_by_watchdog(watched)
    now = watched.steady()
    assert {one for one in before if now[one] != before[one]} == {name}


def test_a_secret_that_is_a_pipe_holds_nobody_up(watched: System) -> None:
    """The Registry puts it back, and goes on."""
    watched.ok("evcs-cp", "create", "PIPED")
    before = watched.steady()
    secret = watched.home / "data" / "secrets" / "cp" / "PIPED" / "engine"
    secret.unlink()
    os.mkfifo(secret, 0o600)
    os.kill(before["registry"], signal.SIGKILL)
    eventually("it is a file again", secret.is_file, WITHIN_S)
    watched.wait_for_state("PIPED", "ACTIVATED")
    assert "registry" not in ended_by_watchdog(watched)[len(SERVICES) :]
