"""What an Engine holds, where its CP changes its hosting, and where its pool is killed."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

from evcs.adapters import journal_places
from evcs.home import Home
from tests.faults.charging import session, ticket
from tests.system_under_test import System, eventually


def _shown(system: System, cp: str) -> dict[str, Any]:
    found: dict[str, Any] = system.ok("evcs-cp", "show", cp, "--json").json
    return found


def test_a_fault_by_hand_goes_along_and_nothing_stays_behind(system: System) -> None:
    system.ok("evcs-cp", "create", "MOVE-1")
    system.ok("evcs-cp", "fault", "MOVE-1", "--reason", "cable")
    home = Home(system.home)
    for hosting in ("pool", "process", "pool"):
        system.ok("evcs-cp", "edit", "MOVE-1", "--hosting", hosting)
        found = eventually(
            f"it is broken down as {hosting}",
            lambda: (
                shown if (shown := _shown(system, "MOVE-1"))["state"] == "BROKEN_DOWN" else None
            ),
        )
        assert "cable" in found["reason"]
        assert home.journal("MOVE-1").exists() == (hosting == "process")
        assert bool(journal_places.in_pools(home)) == (hosting == "pool")
    said = system.ok("evcs-cp", "logs", "MOVE-1", "engine").out.splitlines()
    assert all(" MOVE-1 engine " in line for line in said)
    kept = [line for line in said if "fault=cable" in line]
    assert [line.split(" ", 4)[4] for line in kept] == [
        "fault=cable set", *["fault=cable found in the journal"] * 3,
    ]  # fmt: skip
    page = system.http("GET", f"{system.web_url}/api/v1/cps/MOVE-1/log")
    assert page == (200, {"lines": said})
    system.ok("evcs-cp", "clear", "MOVE-1")
    assert system.states()["MOVE-1"] == "ACTIVATED"
    system.ok("evcs-cp", "delete", "MOVE-1")
    eventually("nothing is left", lambda: not journal_places.in_pools(home))


def _wait_for_more(system: System, session_id: str) -> None:
    before = session(system, session_id)["energy_wh"]
    eventually("it meters", lambda: session(system, session_id)["energy_wh"] > before, 30)


def test_a_pool_that_is_killed_goes_on_where_it_was(system: System) -> None:
    system.ok("evcs-cp", "create", "POOL-{1..3}", "--hosting", "pool")
    system.ok("evcs", "driver", "add", "PIA", "PAUL")
    begun = {}
    for cp, driver in (("POOL-1", "PIA"), ("POOL-2", "PAUL")):
        charge = ("charge", cp, "--driver", driver, "--kwh", "4", "--no-watch", "--json")
        begun[cp] = system.ok("evcs-driver", *charge).json["session_id"]
    for _ in range(2):
        for one in begun.values():
            _wait_for_more(system, one)
        os.kill(system.processes()["_pool-1:engines"], signal.SIGKILL)
    for one in begun.values():
        found = ticket(system, one)
        assert (found["energy_wh"], found["reason"]) == (4_000, "completed")
    log = (system.home / "log" / "_pool-1.engines.log").read_text()
    for cp, one in begun.items():
        assert re.search(f"{cp} engine session={one} energy_wh=4000 ended completed", log)
    system.ok("evcs-cp", "delete", "POOL-{1..3}", "--yes")
