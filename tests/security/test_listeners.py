"""Nothing listens but on loopback unless told otherwise, and what is told wrongly is refused."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evcs.adapters import broker_connections, broker_listeners, broker_memory
from evcs.home import Home
from tests.security.clients import MqttClient
from tests.system_under_test import System, eventually

#: With 64 KiB each this is more than the broker may have beside them.
ANNOUNCING = 4_500


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


@pytest.fixture
def narrow(new_system: Callable[..., System]) -> Iterator[System]:
    """A system that may open 2,000 files in each process."""
    system = new_system()
    up = ["prlimit", "--nofile=2000", str(system.commands / "evcs"), "up", "--wait"]
    subprocess.run(up, env=system.env, check=True, timeout=60, stdin=subprocess.DEVNULL)
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", "ALICE")
    yield system
    system.down()


@contextlib.contextmanager
def held(port: int, count: int) -> Iterator[None]:
    """So many connections without a word."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        yield


def test_who_holds_all_of_a_port_keeps_none_of_ours_out(narrow: System) -> None:
    port = narrow.mqtt_port
    most = broker_listeners.bounds(Home(narrow.home))[port]
    assert 300 < most < 1000
    tool = MqttClient(port, "inspector", narrow.secret("inspector"))
    tool.read("evcs/v1/central/status")
    # Such as come and go, and a HUP: mosquitto's own bound is gone after either.
    with held(port, most):
        pass
    narrow.ok("evcs-cp", "create", "CP-002")
    broker = broker_listeners.broker_pid(Home(narrow.home))
    assert resource.prlimit(broker or 0, resource.RLIMIT_DATA)[0] >= broker_memory.MEMORY
    assert resource.prlimit(broker or 0, resource.RLIMIT_DATA)[0] < 2 * broker_memory.MEMORY
    with held(port, 2000):
        eventually("the bound holds", lambda: broker_connections.count()[port] <= most, 10)
        narrow.ok("supervisorctl", "signal", "KILL", "central")
        began = time.monotonic()
        charge = ["charge", "CP-001", "--driver", "ALICE", "--kwh", "0.1"]
        eventually("it charges", lambda: narrow.run("evcs-driver", *charge).code == 0, 20)
        assert time.monotonic() - began < 15
        narrow.ok("evcs-cp", "create", "CP-003")
    # Again: who says nothing for long is dropped.
    with held(port, 2000):
        told = narrow.run("evcs", "doctor", "--json").json["checks"]
        [found] = [one for one in told if one["check"] == "broker's room"]
        assert found["level"] != "ok"
        assert found["remedy"]
    assert not tool.dropped.is_set(), "who is let in goes last"
    assert tool.heard
    tool.close()


def test_what_strangers_announce_uses_up_no_memory(system: System) -> None:
    """mosquitto makes room for a packet's whole length once its head is there, before any login."""
    home, port = Home(system.home), system.mqtt_port
    most = broker_listeners.bounds(home)[port]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    with contextlib.ExitStack() as stack:
        for _ in range(ANNOUNCING):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            with contextlib.suppress(OSError):  # ended already
                sock.sendall(b"\x10\xdc\xff\x03\0\4MQTT\5\2\0\x3c")  # 65,500 bytes
        eventually("the bound holds", lambda: broker_connections.count()[port] <= most, 20)
        system.ok("evcs", "driver", "add", "EVA")
        assert system.ok("evcs-driver", "list", "--driver", "EVA", "--json").json is not None
    log = (system.home / "log" / "mosquitto.log").read_text(errors="replace")
    assert "out of memory" not in log


@pytest.mark.parametrize(
    ("files", "cps"), [(1024, 0), (4096, 640), (20_000, 3_290), (20_000, 300), (300, 7)]
)
@pytest.mark.parametrize(("hosts", "elsewhere"), [(0, 0), (2, 0), (1, 3_000), (20, 10_000)])
def test_strangers_and_hosts_leave_room_for_every_cp_here_and_more(
    files: int, cps: int, hosts: int, elsewhere: int
) -> None:
    hosts_have = broker_listeners.of_hosts(files, cps, hosts, elsewhere)
    theirs = broker_listeners.strangers(files - hosts_have, cps)
    left = files - broker_listeners.BASE_FDS - broker_listeners.FDS_A_CP * cps
    ours = left - hosts_have - theirs
    assert ours >= theirs >= min(100, left // 4)
    assert ours >= left // 4
    assert hosts_have >= min(4 * elsewhere, left // 2)


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
