"""A19: no room for the Registry, the ledger and the journals while two CPs supply."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.charging import begin, session, ticket
from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> Iterator[System]:
    """A system whose data/ is a file system of 8 MB."""
    system = new_system()
    data = system.home / "data"
    data.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "evcs-test", str(data)]
    subprocess.run(mount, check=True, capture_output=True)
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}")
    system.ok("evcs", "driver", "add", "ALICE", "BOB", "CARA")
    yield system
    system.down()
    subprocess.run(["umount", "-l", str(data)], check=True)


def _fill(data: Path) -> None:
    with (data / "ballast").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 512)


def _tree(system: System) -> dict[str, bytes]:
    roots = [system.home / "data" / "secrets", system.home / "conf"]
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    files += [system.home / "data" / name for name in ("registry.json", "mosquitto.passwd")]
    return {str(path): path.read_bytes() for path in files}


def test_a_full_disk_refuses_changes_and_stops_no_charge(fleet: System) -> None:
    data = fleet.home / "data"
    first, second = begin(fleet, "CP-001", "ALICE", "6"), begin(fleet, "CP-002", "BOB", "5")
    before, pids = _tree(fleet), fleet.steady()
    _fill(data)
    created = fleet.run("evcs-cp", "create", "CP-009")
    edited = fleet.run("evcs-cp", "edit", "CP-003", "--price-eur-kwh", "0.99")
    rekeyed = fleet.run("evcs-cp", "rekey", "CP-001")
    revoked = fleet.run("evcs-cp", "revoke", "CP-002")
    _fill(data)
    charged = fleet.run("evcs-driver", "charge", "CP-003", "--driver", "CARA")
    for done in (created, edited, rekeyed, revoked, charged):
        assert done.code == 1, done
        assert "can't be written" in done.err
    assert _tree(fleet) == before
    assert fleet.states()["CP-001"] == "SUPPLYING"
    assert fleet.steady() == pids
    os.truncate(data / "ballast", 0)
    for session_id, wh in ((first, 6000), (second, 5000)):
        found = ticket(fleet, session_id, 90)
        assert (found["energy_wh"], found["reason"]) == (wh, "completed")
    fleet.ok("evcs-cp", "create", "CP-009")
    fleet.ok("evcs-driver", "charge", "CP-003", "--driver", "CARA", "--kwh", "0.3")
    wait_until_consistent(fleet)


def test_charges_that_end_while_the_disk_is_full_get_their_ticket_later(fleet: System) -> None:
    data = fleet.home / "data"
    session_id = begin(fleet, "CP-001", "ALICE", "2")
    _fill(data)
    ended = fleet.home / "log" / "CP-001.engine.log"
    marks = ended.read_text().count("ended completed")
    eventually("the car is full", lambda: ended.read_text().count("ended completed") > marks, 60)
    os.truncate(data / "ballast", 0)
    found = ticket(fleet, session_id, 60)
    assert (found["energy_wh"], found["reason"]) == (2000, "completed")


def test_what_ends_a_charge_while_the_disk_is_full(fleet: System) -> None:
    """A close is refused, since nobody could say later that it was; a driver's stop is obeyed."""
    data = fleet.home / "data"
    first, second = begin(fleet, "CP-001", "ALICE", "50"), begin(fleet, "CP-002", "BOB", "50")
    _fill(data)
    closed = fleet.run("evcs", "sessions", "close", first)
    assert (closed.code, "can't be written" in closed.err) == (1, True), closed
    assert fleet.states()["CP-001"] == "SUPPLYING"
    stop = fleet.spawn("evcs-driver", "stop", "--driver", "BOB")
    ended = fleet.home / "log" / "CP-002.engine.log"
    mark = re.compile(f"session={second} .*ended driver")
    eventually("its Engine ends it", lambda: mark.search(ended.read_text()), 30)
    assert session(fleet, second)["state"] != "settled"
    os.truncate(data / "ballast", 0)
    assert ticket(fleet, second)["reason"] == "driver"
    assert stop.wait(30) == 0
    fleet.ok("evcs-driver", "stop", "--driver", "ALICE")
    assert ticket(fleet, first)["reason"] == "driver"
    audit = fleet.ok("evcs", "audit", "--json").json
    (outcome,) = [one["outcome"] for one in audit if one["what"] == "close"]
    assert outcome.startswith("refused")
    wait_until_consistent(fleet)


def test_a_pool_whose_journals_find_no_room(fleet: System) -> None:
    """As with processes: no start, no charge that stops, its end told once there is room."""
    data = fleet.home / "data"
    fleet.ok("evcs-cp", "create", "POOL-{1..3}", "--hosting", "pool")
    first, second = begin(fleet, "POOL-1", "ALICE", "4"), begin(fleet, "POOL-2", "BOB", "50")
    _fill(data)
    charged = fleet.run("evcs-driver", "charge", "POOL-3", "--driver", "CARA")
    assert charged.code == 1, charged
    log = fleet.home / "log" / "_pool-1.engines.log"
    full = " POOL-2 engine the journal can't be written (No space left on device); make room\n"
    eventually("its readings find no room", lambda: full in log.read_text(), 30)
    done = f" POOL-1 engine session={first} energy_wh=4000 ended completed\n"
    eventually("the car is full", lambda: done in log.read_text(), 60)
    assert fleet.states()["POOL-2"] == "SUPPLYING"
    assert session(fleet, first)["state"] != "settled"
    os.truncate(data / "ballast", 0)
    fleet.ok("evcs-driver", "stop", "--driver", "BOB")
    for session_id, reason in ((first, "completed"), (second, "driver")):
        assert ticket(fleet, session_id)["reason"] == reason
    fleet.ok("evcs-driver", "charge", "POOL-3", "--driver", "CARA", "--kwh", "0.3")
    fleet.ok("evcs", "status", "--check")


def test_an_engine_that_is_killed_meanwhile_goes_on_from_what_it_told(fleet: System) -> None:
    fleet.ok("evcs-cp", "create", "POOL-9", "--hosting", "pool")
    session_id = begin(fleet, "POOL-9", "ALICE", "50")
    with fleet.listening("evcs/v1/cp/POOL-9/engine/meter") as heard:
        _fill(fleet.home / "data")
        eventually("some readings", lambda: len(heard) > 5, 30)
        told = heard[-1][1]["energy_wh"]
        os.kill(fleet.processes()["_pool-1:engines"], signal.SIGKILL)
        eventually("more of them", lambda: heard[-1][1]["energy_wh"] > told + 1_000, 30)
        os.truncate(fleet.home / "data" / "ballast", 0)
        fleet.ok("evcs-driver", "stop", "--driver", "ALICE")
        assert ticket(fleet, session_id)["energy_wh"] >= heard[-1][1]["energy_wh"]
    for name in ("energy_wh", "seq"):
        figures = [payload[name] for _, payload in heard]
        assert figures == sorted(figures), name
    fleet.ok("evcs", "status", "--check")
