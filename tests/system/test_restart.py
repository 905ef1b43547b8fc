"""Issue line 4: whatever ends, everything is back as the Registry wants it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.system_under_test import System, eventually

FLEET = ("CP-001", "CP-002", "CP-003")
ROLES = ("registry", "central", "cp-manager", "web")


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    for number, cp in enumerate(FLEET):
        system.ok(
            "evcs-cp", "create", cp, "--location", f"Street {cp}", "--price-eur-kwh", f"0.3{number}"
        )
    system.ok("evcs-cp", "stop", "CP-003")
    return system


def _identity(system: System) -> dict[str, Any]:
    return {
        cp["id"]: (
            cp["price_eur_kwh"],
            cp["location"],
            cp["max_power_w"],
            cp["service"],
            cp["state"],
            cp["since"] if cp["service"] == "out" else "",
            system.secret(f"cp/{cp['id']}/engine"),
            system.secret(f"cp/{cp['id']}/monitor"),
        )
        for cp in system.cps()
    }


def _one_process_a_role(system: System) -> None:
    for role in ROLES:
        assert len(system.pids_of(role)) == 1, role
    for cp in FLEET:
        for role in ("engine", "monitor"):
            assert len(system.pids_of(role, cp)) == 1, (cp, role)
    assert len(system.pids_of("mosquitto", "-c", "mosquitto.conf")) == 1


def _back(system: System, before: dict[str, Any]) -> None:
    assert _identity(system) == before
    assert [before[cp][4] for cp in FLEET] == ["ACTIVATED", "ACTIVATED", "OUT_OF_ORDER"]
    _one_process_a_role(system)


def test_orderly_restart(fleet: System) -> None:
    before, pids = _identity(fleet), fleet.steady()
    fleet.ok("evcs", "restart")
    _back(fleet, before)
    assert not set(pids.values()) & set(fleet.processes().values())


def test_supervisord_killed_alone_leaves_no_process_behind(fleet: System) -> None:
    before = _identity(fleet)
    os.kill(int((fleet.home / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    eventually("no process is left", lambda: not fleet.stray_pids(), 10)
    fleet.up()
    _back(fleet, before)


def test_up_waits_for_ports_that_a_killed_system_still_holds(fleet: System) -> None:
    before = _identity(fleet)
    fleet.kill_all()
    with socket.socket() as dying:
        dying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def taken() -> bool:
            with contextlib.suppress(OSError):  # what ends keeps its port longer than its pid
                dying.bind(("127.0.0.1", fleet.web_port))
                return True
            return False

        eventually("the port", taken, 10)
        dying.listen()
        threading.Timer(1.0, dying.close).start()
        fleet.up()
    _back(fleet, before)


def test_everything_killed_at_once(fleet: System) -> None:
    before = _identity(fleet)
    fleet.kill_all()
    fleet.up()
    _back(fleet, before)


@pytest.mark.parametrize("role", ["mosquitto", *ROLES, "CP-001:engine", "CP-001:monitor"])
def test_any_process_killed_comes_back(fleet: System, role: str) -> None:
    before, pid = _identity(fleet), fleet.steady()[role]
    os.kill(pid, signal.SIGKILL)
    eventually("another process", lambda: fleet.processes().get(role, pid) != pid)
    eventually(
        "all as before",
        lambda: fleet.run("evcs-cp", "list").code == 0 and _identity(fleet) == before,
    )
    _one_process_a_role(fleet)


def test_what_runs_in_the_foreground_ends_by_down(new_system: Callable[..., System]) -> None:
    """As under systemd, whose ExecStop that is."""
    system = new_system()
    process = system.spawn("evcs", "up", "--foreground")
    eventually("it runs", lambda: system.run("evcs", "status").code == 0, 30)
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "down")
    assert process.wait(20) == 0
    assert system.stray_pids() == []


def test_second_system_beside_the_first(fleet: System, new_system: Callable[..., System]) -> None:
    second = new_system()
    second.up()
    second.ok("evcs-cp", "create", "CP-001", "--location", "elsewhere")
    assert fleet.ok("evcs-cp", "show", "CP-001", "--json").json["location"] == "Street CP-001"
    second.ok("evcs-cp", "delete", "CP-001")
    assert fleet.states()["CP-001"] == "ACTIVATED"
    second.down()


def test_port_that_is_taken_is_named(fleet: System, new_system: Callable[..., System]) -> None:
    other = new_system()
    done = other.run("evcs", "up", EVCS_WEB_PORT=str(fleet.web_port))
    assert done.code == 5
    assert "EVCS_WEB_PORT" in done.err
    assert not other.stray_pids()
