"""Nothing listens but on loopback unless told otherwise, and what is told wrongly is refused."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system_under_test import System


def _listening(ports: set[int]) -> set[tuple[str, int]]:
    """Addresses (as /proc/net/tcp has them) of this machine's listeners on these ports."""
    found = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == "0A" and int(port, 16) in ports:
                found.add((address, int(port, 16)))
    return found


def test_all_listeners_are_on_loopback(system: System) -> None:
    ports = {system.mqtt_port, system.web_port, system.registry_port}
    assert _listening(ports) == {("0100007F", port) for port in ports}


def test_our_own_processes_use_a_socket_that_nobody_else_reaches(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-SOCKET")
    port = f":{system.mqtt_port:04X}"
    tables = [Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    ends = [row.split()[1:4] for rows in tables for row in rows]
    assert not [end for end in ends if end[2] == "01" and (end[0] + end[1]).count(port)]
    assert system.home.joinpath("run").stat().st_mode & 0o077 == 0
    assert system.home.joinpath("run", "mosquitto.sock").is_socket()


@pytest.mark.parametrize(
    "text",
    [
        '[mqtt]\nlisten = "example.org"\n',
        '[mqtt]\nlisten = ["::"]\n',
        '[http]\nlisten = "192.0.2.1:8081"\n',
        '[mqtt]\ntls = "never"\n',
        "[http]\ntls = false\n",
        "[mqtt]\ntls_port = 70000\n",
        '[http]\nname = "no name"\n',
        "[mqtt]\nport = 1\n",
        "mqtt = 1\n",
        '[mqtt]\nlisten = "::1%x"\n',
        '[http]\nname = "a..b"\n',
    ],
)
def test_what_is_no_listener_is_refused(new_system: Callable[..., System], text: str) -> None:
    system = new_system()
    (system.home / "conf").mkdir(parents=True)
    (system.home / "conf" / "evcs.toml").write_text(text)
    done = system.run("evcs", "up")
    assert done.code == 2, done
    assert "mqtt" in done.err or "http" in done.err
    assert "Traceback" not in done.err
    assert not system.stray_pids()
    assert not _listening({system.mqtt_port, system.web_port, system.registry_port})


def test_an_unknown_setting_does_not_slip_through(new_system: Callable[..., System]) -> None:
    system = new_system()
    (system.home / "conf").mkdir(parents=True)
    (system.home / "conf" / "evcs.toml").write_text('listen = "0.0.0.0"\n')
    done = system.run("evcs", "up")
    assert done.code == 2
    assert "unknown setting 'listen'" in done.err


def test_settings_that_are_no_text_are_an_error_line(new_system: Callable[..., System]) -> None:
    system = new_system()
    path = system.home / "conf" / "evcs.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff")
    done = system.run("evcs", "up")
    path.unlink()
    path.mkdir()
    for one in (done, system.run("evcs", "up")):
        assert one.code == 2
        assert "evcs.toml can't be read" in one.err
        assert "Traceback" not in one.err


def test_an_address_of_another_machine_and_a_port_wanted_twice(
    new_system: Callable[..., System],
) -> None:
    system = new_system()
    port = str(system.registry_port)
    done = system.run("evcs", "up", EVCS_WEB_PORT=port)
    assert (done.code, "wanted twice" in done.err) == (5, True)
    (system.home / "conf").mkdir(parents=True, exist_ok=True)
    (system.home / "conf" / "evcs.toml").write_text('[http]\nlisten = "192.0.2.9"\n')
    system.ok("evcs", "tls", "init")
    done = system.run("evcs", "up")
    assert (done.code, "no address 192.0.2.9" in done.err) == (5, True)
    assert not system.stray_pids()


def test_no_secret_goes_to_whoever_has_our_ports_while_we_are_down(
    new_system: Callable[..., System],
) -> None:
    system = new_system()
    system.up()
    system.ok("evcs", "driver", "add", "ALICE")
    system.ok("evcs", "down")
    with contextlib.ExitStack() as stack:
        ports = (system.web_port, system.registry_port, system.mqtt_port)
        others = [stack.enter_context(socket.create_server(("127.0.0.1", p))) for p in ports]
        for command in (
            ["evcs", "open"],
            ["evcs-cp", "list"],
            ["evcs-cp", "create", "CP-001"],
            ["evcs", "watch"],
            ["evcs-driver", "charge", "CP-001", "--driver", "ALICE"],
        ):
            assert system.run(*command).code == 6, command
        for one in others:
            one.setblocking(False)
            with pytest.raises(BlockingIOError):
                one.accept()
