"""Nothing listens but on loopback unless told otherwise, and what is told wrongly is refused."""

from __future__ import annotations

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
