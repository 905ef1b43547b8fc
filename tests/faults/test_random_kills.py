"""A2: the Registry killed at random while the store grows and shrinks.

A few kills in the checks; hundreds by hand:
    KILLS=200 bin/check tests/faults/test_random_kills.py
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.faults.invariants import wait_until_audited, wait_until_consistent
from tests.system_under_test import System, eventually

KILLS = int(os.environ.get("KILLS", "8"))
IDS = [f"K{number}" for number in range(12)]


@pytest.mark.timeout(3600)
def test_registry_killed_at_random(new_system: Callable[..., System]) -> None:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "KEEP")
    before = system.steady()
    url, dice, ended = f"{system.registry_url}/api/v1/cps", random.Random(1), threading.Event()
    acknowledged: dict[str, bool] = {}
    changes = [0]

    def change() -> None:
        """Create and delete without end; remember what was acknowledged of each id."""
        mine = random.Random(2)
        while not ended.is_set():
            cp = mine.choice(IDS)
            with suppress(OSError, http.client.HTTPException, ValueError):
                changes[0] += 1
                if mine.random() < 0.5:
                    status, _ = system.http("POST", url, {"id": cp}, system.token)
                    if status == 201:
                        acknowledged[cp] = True
                else:
                    status, _ = system.http("DELETE", f"{url}/{cp}", None, system.token)
                    if status == 202:
                        acknowledged[cp] = False

    worker = threading.Thread(target=change)
    worker.start()
    try:
        for number in range(KILLS):
            pid = eventually("it runs", lambda: system.processes().get("registry"))
            ended.wait(dice.uniform(0.05, 1.5))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _another(system, pid, number)
    finally:
        ended.set()
        worker.join()
    found = wait_until_consistent(system, 90)
    assert changes[0] >= KILLS, "the changes went on to the end"
    # The last change of an id may have been made and its answer lost; all else is as told.
    assert "KEEP" in found
    assert found <= {"KEEP", *IDS}
    now = system.processes()
    assert {k: v for k, v in now.items() if k.startswith("KEEP")} == {
        k: v for k, v in before.items() if k.startswith("KEEP")
    }
    assert acknowledged
    wait_until_audited(system)
    system.down()


def _another(system: System, pid: int, number: int) -> None:
    def back() -> bool:
        with suppress(OSError):
            status, _ = system.http("GET", f"{system.registry_url}/healthz")
            return status == 200 and system.processes().get("registry", pid) != pid
        return False

    eventually(f"it is back after kill {number}", back)
