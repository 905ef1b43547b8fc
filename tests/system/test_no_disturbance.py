"""Issue line 6: a CP that supplies doesn't notice what is done to the others."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

from tests.system_under_test import System, eventually


def test_supply_goes_on_without_a_gap(new_system: Callable[..., System]) -> None:
    system = new_system(time_scale=120)
    system.up()
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", "ALICE")
    eventually("it runs", lambda: "CP-001:engine" in system.processes())
    before = system.steady()
    with system.listening("evcs/v1/cp/CP-001/engine/meter") as heard:
        charge = system.spawn(
            "evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "10", "--json"
        )
        system.wait_for_state("CP-001", "SUPPLYING")
        system.ok("evcs-cp", "create", "CP-{002..006}")
        system.ok("evcs-cp", "edit", "CP-002", "CP-003", "--price-eur-kwh", "0.99")
        system.ok("evcs-cp", "stop", "CP-004")
        system.ok("evcs-cp", "restart", "CP-005")
        os.kill(system.processes()["cp-manager"], signal.SIGKILL)
        system.ok("evcs-cp", "delete", "CP-{002..006}", "--yes")
        out, err = charge.communicate(timeout=120)
    ticket = json.loads(out.splitlines()[-1])
    assert (ticket["event"], ticket["energy_wh"]) == ("ticket", 10_000), err
    now = system.steady()
    assert [now[p] for p in ("CP-001:engine", "CP-001:monitor")] == [
        before[p] for p in ("CP-001:engine", "CP-001:monitor")
    ]
    sequence = [payload["seq"] for _, payload in heard]
    assert len(sequence) > 5
    assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))
    energies = [payload["energy_wh"] for _, payload in heard]
    assert energies == sorted(energies)
    system.down()
