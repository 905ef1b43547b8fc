"""A20: the wall clock jumps a day forward and back in a charge."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from tests.faults.charging import begin, metered, ticket
from tests.system_under_test import ROOT, System, eventually


@contextmanager
def _under_another_clock(system: System, clock: Path, *role: str) -> Iterator[None]:
    """Run a role by hand; its wall clock is off by what the file says (libfaketime)."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    env = {
        **system.env,
        "PYTHONPATH": str(ROOT),
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    command = [str(ROOT / ".venv" / "bin" / "python"), "-P", "-m", "evcs", *role]
    with (system.home / "log" / f"{'.'.join(role)}.clock.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, cwd=system.home, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def _offered(system: System) -> list[str]:
    done = system.run("evcs-driver", "list", "--driver", "ALICE", "--json")
    return [cp["state"] for cp in done.json] if done.code == 0 else []


def _goes_on(system: System, session: str, above_wh: int) -> None:
    eventually("it goes on", lambda: metered(system, "CP-001")[session] > above_wh)


def test_a_clock_that_jumps_changes_no_energy_and_no_cost(
    new_system: Callable[..., System],
) -> None:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-001", "--price-eur-kwh", "0.50")
    system.ok("evcs", "driver", "add", "ALICE")
    system.steady()
    system.ok("supervisorctl", "stop", "cp-manager", "central", "CP-001:engine")
    clock = system.home / "clock"
    clock.write_text("+0d\n")
    with (
        _under_another_clock(system, clock, "central"),
        _under_another_clock(system, clock, "engine", "CP-001"),
    ):
        eventually("Central offers it", lambda: _offered(system) == ["ACTIVATED"])
        with system.listening("evcs/v1/cp/CP-001/engine/meter") as heard:
            session = begin(system, "CP-001", "ALICE", "6")
            for jump in ("+1d", "-1d", "+0d"):
                before = metered(system, "CP-001")[session]
                clock.write_text(f"{jump}\n")
                _goes_on(system, session, before + 400)
            found = ticket(system, session)
    assert (found["energy_wh"], found["cost_eur"], found["reason"]) == (6000, "3.00", "completed")
    days = {payload["ts"][:10] for _, payload in heard}
    assert len(days) == 3, days
    steps = [payload["energy_wh"] for _, payload in heard]
    # 22 kW at 60 times the speed are 367 Wh a second; no step covers more than two of them.
    assert max(after - before for before, after in pairwise(steps)) <= 2 * 367 + 1
    system.down()
