"""After a full run no secret stands anywhere below the home but in data/secrets."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.charging import begin, ticket
from tests.system_under_test import System


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
