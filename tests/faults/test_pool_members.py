"""C6: member files and sections that name others than they should, while CPs supply."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evcs.adapters.pool_files import PoolFiles
from evcs.core import pools, sections
from tests.faults.charging import begin, metered, no_ticket_is_doubled, session
from tests.faults.invariants import wait_until_consistent
from tests.faults.recorded import births, no_cp_has_two_engines
from tests.faults.stores import put_into_pool
from tests.system_under_test import System, eventually

CPS = {"CP-1", "CP-2", "FAR", "OWN"}
KILLED = ("_pool-1", "_pool-2", "OWN", "cp-manager")
#: Driver -> his CP.
CHARGES = {"ALICE": "CP-1", "BOB": "FAR", "CARA": "OWN"}


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> Iterator[System]:
    system = new_system(time_scale=1.0)
    system.up()
    system.ok("evcs-cp", "create", "CP-1", "CP-2", "FAR", "--hosting", "pool")
    system.ok("evcs-cp", "create", "OWN")
    system.ok("evcs", "driver", "add", *CHARGES)
    system.ok("evcs", "down")
    put_into_pool(system.home, 2, {"FAR"})
    system.up()
    wait_until_consistent(system)
    with system.listening("evcs/v1/#") as recorded:
        yield system
    no_cp_has_two_engines(recorded)
    no_ticket_is_doubled(system)
    system.down()


@pytest.fixture
def charging(fleet: System) -> System:
    """All three supply."""

    def settled() -> dict[str, str] | None:
        found = fleet.states()
        return found if {*found.values()} <= {"SUPPLYING", "ACTIVATED"} else None

    states = eventually("none is coming back", settled)
    for driver, cp in CHARGES.items():
        if states[cp] == "ACTIVATED":
            begin(fleet, cp, driver)
    return fleet


def _members(system: System, number: int) -> Path:
    return system.home / "conf" / "pools" / f"_pool-{number}.json"


def _name(system: System, number: int, cp: str) -> None:
    """Have a pool's file name this one, too, as it is placed."""
    there = pools.parse(_members(system, number).read_bytes())
    (record,) = system.retained(f"evcs/v1/registry/cp/{cp}").values()
    _members(system, number).write_text(pools.render({**there, cp: record["placement"]}))


def _add_section(system: System, cp: str) -> None:
    (system.home / "conf" / "supervisord.d" / f"{cp}.conf").write_text(sections.render(cp))
    system.ok("supervisorctl", "update", cp)


def _replace(system: System, make: Callable[[Path], object]) -> None:
    """Something else in the place of the first pool's file."""
    _members(system, 1).unlink()
    make(_members(system, 1))


#: What is done to the first pool's files.
WAYS: dict[str, Callable[[System], object]] = {
    "truncated": lambda s: os.truncate(_members(s, 1), 20),
    "garbage": lambda s: _members(s, 1).write_bytes(bytes(range(256))),
    "gone": lambda s: _members(s, 1).unlink(),
    "a folder": lambda s: _replace(s, Path.mkdir),
    "a link to itself": lambda s: _replace(s, lambda path: path.symlink_to(path)),
    "it lacks one that supplies": lambda s: _members(s, 1).write_text(
        json.dumps({"members": {"CP-2": "x"}})
    ),
    "it names another pool's": lambda s: _name(s, 1, "FAR"),
    "it names one that has processes": lambda s: _name(s, 1, "OWN"),
    "one of it has a section, too": lambda s: _add_section(s, "CP-1"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("then", ["all goes on", "all is killed"])
def test_what_is_wrong_is_put_right(charging: System, way: str, then: str) -> None:
    before = charging.processes()
    open_ = {
        row["session_id"]: row["cp"]
        for row in charging.ok("evcs", "sessions", "--json").json
        if row["state"] == "active"
    }
    assert {*open_.values()} == {*CHARGES.values()}
    WAYS[way](charging)
    named = {name for name in before if name.startswith(KILLED) and then == "all is killed"}
    for name in named:
        os.kill(before[name], signal.SIGKILL)
    assert wait_until_consistent(charging, 60) == CPS
    for one, cp in open_.items():
        _goes_on(charging, one, cp)
    now = charging.processes()
    assert {name: now[name] for name in before if name not in named} == {
        name: pid for name, pid in before.items() if name not in named
    }


def test_who_runs_stays_where_a_file_is_lost_and_its_engines_hang(charging: System) -> None:
    """The CP Manager looks at one CP alone, and the Engines can't tell whom they are of."""
    before = charging.processes()
    os.kill(before["_pool-1:engines"], signal.SIGSTOP)
    with charging.listening("evcs/v1/cp/CP-1/monitor/status") as heard:
        WAYS["garbage"](charging)
        charging.ok("evcs-cp", "edit", "CP-2", "--location", "Street 2", "--no-wait")
        files = PoolFiles(charging.home / "conf" / "pools")
        found = eventually("it is written anew", lambda: files.members()["_pool-1"])
        assert {*found} == {"CP-1", "CP-2"}
        assert wait_until_consistent(charging, 60) == CPS
    assert births([*heard], "monitor")["CP-1"] == {heard[0][1]["boot"]}
    now = charging.processes()
    assert {name for name in before if now[name] != before[name]} == {"_pool-1:engines"}


def _goes_on(system: System, session_id: str, cp: str) -> None:
    """A session meters once more, or has its ticket."""
    wh = metered(system, cp).get(session_id, 0)

    def probe() -> bool:
        ended = session(system, session_id)["state"] == "settled"
        return ended or metered(system, cp).get(session_id, 0) > wh

    eventually(f"{cp} goes on", probe)
