"""After a full run no secret stands anywhere below the home but in data/secrets."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.charging import begin, ticket
from tests.system_under_test import System, eventually


def _secrets(system: System) -> dict[str, bytes]:
    root = system.home / "data" / "secrets"
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _command_lines(system: System) -> list[bytes]:
    """What every user of the machine may see of a process, and its environment."""
    found = []
    for pid in system.stray_pids():
        for name in ("cmdline", "environ"):
            try:
                found.append(Path(f"/proc/{pid}/{name}").read_bytes())
            except OSError:
                continue
    return found


def _memory(pid: int) -> bytes:
    """What a process may write to, but for its stack's and kernel's own pages."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as mem:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if rights.startswith("rw"):
                begin_at, end_at = (int(at, 16) for at in span.split("-"))
                mem.seek(begin_at)
                found.append(mem.read(end_at - begin_at))
    return b"".join(found)


def test_supervisord_whose_memory_its_forks_share_holds_none(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-{101..103}")
    system.ok("evcs-cp", "rekey", "CP-102")
    assert system.supervisord_pid is not None
    memory = _memory(system.supervisord_pid)
    assert b"CP-102" in memory
    assert not [name for name, value in _secrets(system).items() if value in memory]
    # So a secret that is there is seen.
    new = system.secret("cp/CP-102/engine").encode()

    def has_it() -> bool:
        with suppress(OSError, ProcessLookupError):  # it may just begin anew
            return any(new in _memory(pid) for pid in system.pids_of("engine", "CP-102"))
        return False

    eventually("its Engine has its own", has_it)
    system.ok("evcs-cp", "delete", "CP-{101..103}", "--yes")


def test_the_token_goes_to_no_port_but_ours(system: System) -> None:
    """Settings of another shell may lead to somebody else's."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for command, setting, its in (
            (("evcs", "driver", "add", "MALLORY"), "EVCS_REGISTRY_PORT", system.registry_port),
            (("evcs-cp", "list"), "EVCS_REGISTRY_PORT", system.registry_port),
            (("evcs", "open", "--no-browser"), "EVCS_WEB_PORT", system.web_port),
        ):
            env: Any = {setting: port}
            done = system.run(*command, **env)
            assert done.code == 6, done
            assert f"export {setting}={its}" in done.err
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_after_a_full_run(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-{001..003}")
    system.ok("evcs", "driver", "add", "ALICE", "BOB")
    seen = _secrets(system)
    with system.listening("evcs/#") as heard:
        started = begin(system, "CP-001", "ALICE", "2")
        system.run("evcs-cp", "plug", "CP-002")
        system.ok("evcs-cp", "rekey", "CP-001")
        seen.update({f"{name}, renewed": value for name, value in _secrets(system).items()})
        ticket(system, started)
    system.http("POST", f"{system.registry_url}/api/v1/cps", {"id": "CP-009"}, "a wrong token")
    system.ok("evcs-cp", "revoke", "CP-002")
    system.ok("evcs", "open", "--no-browser")
    for args in (("evcs", "status"), ("evcs", "audit"), ("evcs-cp", "show", "CP-001"),
                 ("evcs-cp", "list"), ("evcs", "sessions"), ("evcs", "logs")):  # fmt: skip
        done = system.ok(args[0], *args[1:])
        assert not [name for name, value in seen.items() if value.decode() in done.out + done.err]
    processes = _command_lines(system)
    assert len(processes) >= 20
    system.kill_all()
    system.up()
    system.ok("evcs-cp", "rekey", "CP-002")
    system.ok("evcs-cp", "delete", "CP-003")
    system.ok("evcs", "driver", "remove", "BOB")
    seen.update({f"{name}, at last": value for name, value in _secrets(system).items()})
    system.ok("evcs", "down")

    assert len(set(seen.values())) > 18
    root = system.home / "data" / "secrets"
    places = [p for p in system.home.rglob("*") if p.is_file() and root not in p.parents]
    assert len(places) > 15
    contents = {str(path): path.read_bytes() for path in places}
    contents["the bus"] = json.dumps(heard).encode()
    contents["command lines"] = b"\n".join(processes)
    for place, content in contents.items():
        assert not [name for name, value in seen.items() if value in content], place
