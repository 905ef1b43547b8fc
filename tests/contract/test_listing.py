"""What lists and shows: the whole in a line, CPs by name and state, sessions one by one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    """CP-001 charges for hours, CP-002 is broken down, CP-003 out of order, TOP-1 free."""
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}", "--location", "Car park, level 2")
    system.ok("evcs-cp", "create", "TOP-1", "--location", "Roof")
    system.ok("evcs", "driver", "add", "ALICE")
    system.ok("evcs-cp", "fault", "CP-002", "--reason", "cable")
    system.ok("evcs-cp", "stop", "CP-003")
    system.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "90", "--no-watch")
    eventually("power", lambda: _power(system) > 0, 20)
    return system


def _power(system: System) -> int:
    return sum(cp["session"]["power_w"] for cp in system.cps() if cp["session"])


def test_status_begins_with_the_whole_in_a_line(fleet: System) -> None:
    line = fleet.ok("evcs", "status").out.splitlines()[0]
    counts = "4 CPs: 1 ACTIVATED, 1 SUPPLYING, 1 OUT_OF_ORDER, 1 BROKEN_DOWN"
    assert re.fullmatch(
        rf"{counts}; \d+\.\d kW now; up for \d+ (s|min \d+ s); {fleet.web_url}/", line
    ), line
    summary = fleet.ok("evcs", "status", "--json").json["summary"]
    assert summary["cps"] == 4
    assert summary["states"]["SUPPLYING"] == 1
    assert summary["power_w"] > 0
    assert summary["web"] == f"{fleet.web_url}/"
    assert 0 < summary["up_s"] < 600
