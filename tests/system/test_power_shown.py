"""What one sees of a circuit on which one session has power, limited, and another waits for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.charging import begin_many
from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def garage(new_system: Callable[..., System]) -> System:
    """GARAGE has power for one of its two CPs, behind SITE with a house."""
    system = new_system(time_scale=1.0)
    system.up()
    system.ok("evcs", "circuit", "add", "SITE", "--max-power-kw", "30", "--other-load-kw", "20")
    system.ok("evcs", "circuit", "add", "GARAGE", "--max-power-kw", "6", "--parent", "SITE")
    system.ok("evcs-cp", "create", "CP-{1..2}", "--circuit", "GARAGE")
    system.ok("evcs", "driver", "add", "ALICE", "BOB")
    begin_many(system, {"ALICE": "CP-1", "BOB": "CP-2"})
    eventually("one has power and one waits", lambda: len(served(system)) == 2, 40)
    return system


def served(system: System) -> list[str]:
    """Who has power, then who waits; nothing as long as it isn't so."""
    by_limit = {
        (cp["session"]["limit_w"], cp["session"]["power_w"] > 0): cp["id"]
        for cp in system.cps()
        if cp["session"]
    }
    found = [by_limit.get(limit) for limit in ((6_000, True), (0, False))]
    return [cp for cp in found if cp is not None]


def test_the_commands_say_who_has_what_and_who_waits(garage: System) -> None:
    has, waits = served(garage)
    rows = {line.split()[0]: line for line in garage.ok("evcs-cp", "list").out.splitlines()}
    assert "limit 6.0 kW of circuit GARAGE" in rows[has]
    assert "waiting for power, about " in rows[waits]
    assert "power: limit 6.0 kW of circuit GARAGE" in garage.ok("evcs-cp", "show", has).out
    shown = garage.ok("evcs", "circuit", "show", "GARAGE").out
    assert re.search(f"^CP {has}: takes .* kW of 6.0 kW, ", shown, re.MULTILINE)
    assert f"CP {waits}: waiting for power, about " in shown
    found = garage.ok("evcs", "circuit", "show", "GARAGE", "--json").json
    sessions = {cp["id"]: cp["session"] for cp in found["cps"]}
    assert (sessions[has]["limit_w"], sessions[has]["wait_s"]) == (6_000, None)
    assert 0 < sessions[waits]["wait_s"] <= 600
    state = found["state"]
    assert (state["limit_w"], state["sessions"], state["waiting"]) == (6_000, 2, 1)


def test_a_limit_that_was_lowered_says_after_how_long_a_reading_showed_it(garage: System) -> None:
    has, waits = served(garage)
    assert "shown" not in garage.ok("evcs-cp", "show", waits).out
    garage.ok("evcs", "circuit", "edit", "GARAGE", "--max-power-kw", "5")
    in_time = r"limit 5\.0 kW of circuit GARAGE, shown [1-5] s after it was lowered"
    eventually("it shows", lambda: re.search(in_time, garage.ok("evcs-cp", "show", has).out), 20)
    shown = garage.ok("evcs", "circuit", "show", "GARAGE").out
    line = next(one for one in shown.splitlines() if one.startswith(f"CP {has}: takes "))
    assert re.search(r" kW of 5\.0 kW, shown [1-5] s after it was lowered, ", line)
    garage.ok("evcs", "circuit", "edit", "GARAGE", "--max-power-kw", "6")
    eventually("as before", lambda: len(served(garage)) == 2, 40)


def test_without_central_nobody_believes_what_it_said_last(garage: System) -> None:
    def told(*command: str) -> Any:
        done = garage.run("evcs", "circuit", *command, "--json")
        return done.json if done.code == 6 else None

    try:
        garage.ok("supervisorctl", "stop", "central")
        found = eventually("it is away", lambda: told("list"), 20)
        assert [(one["name"], one["state"]) for one in found] == [("GARAGE", None), ("SITE", None)]
        assert told("show", "GARAGE")["state"] is None
        assert "Central is not there" in garage.run("evcs", "circuit", "list").err
    finally:
        garage.ok("supervisorctl", "start", "central")
    eventually("it is back", lambda: garage.run("evcs", "circuit", "list").code == 0, 30)
