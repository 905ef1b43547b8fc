"""Circuits on a running system: as a file, in a backup, their meters; F5, F7: what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.invariants import wait_until_consistent
from tests.security.clients import ALLOWED, REFUSED, MqttClient
from tests.system.test_fleet import tree
from tests.system_under_test import System, eventually

FLEET = """\
[[circuit]]
name = "GARAGE"
max_power_w = 9000
parent = "MAINS"

[[circuit]]
name = "MAINS"
max_power_w = 44000
other_load_w = 20000

[[cp]]
id = "CP-{1..3}"
circuit = "GARAGE"
"""
#: GARAGE shrinks once a CP has left it for YARD, which comes; MAINS goes below GRID.
MOVED = """\
[[circuit]]
name = "GARAGE"
max_power_w = 2000
parent = "MAINS"

[[circuit]]
name = "MAINS"
max_power_w = 42000
parent = "GRID"

[[circuit]]
name = "YARD"
max_power_w = 9000
parent = "MAINS"

[[circuit]]
name = "GRID"
max_power_w = 100000

[[cp]]
id = "CP-{1..2}"
circuit = "YARD"

[[cp]]
id = "CP-3"
circuit = ""
"""


def circuits(system: System) -> list[dict[str, Any]]:
    """As they are wanted."""
    found = system.ok("evcs", "circuit", "list", "--json").json
    return [{key: value for key, value in one.items() if key != "state"} for one in found]


def fallbacks(system: System) -> dict[str, int | None]:
    return {cp["id"]: cp["fallback_w"] for cp in system.cps()}


@pytest.fixture(scope="module")
def fleet(system: System, short_tmp: Path) -> Path:
    """What was applied; the system has the fleet of FLEET."""
    path = short_tmp / "fleet.toml"
    path.write_text(FLEET)
    done = system.ok("evcs-cp", "apply", "-f", str(path))
    assert done.out.splitlines()[0] == "+ circuit GARAGE  max_power_w=9000  parent=MAINS"
    return path


def test_a_fleet_with_circuits_is_a_file(system: System, fleet: Path) -> None:
    assert fallbacks(system) == {"CP-1": 4140, "CP-2": 4140, "CP-3": 0}
    fleet.write_text(system.ok("evcs-cp", "export").out)
    again = system.ok("evcs-cp", "apply", "-f", str(fleet), "--prune", "--json").json
    assert (again["applied"], again["unchanged"], again["circuits"]["unchanged"]) == (False, 3, 2)
    assert "circuits" in again


def test_a_meter_may_say_what_its_house_takes_and_nothing_else(system: System, fleet: Path) -> None:
    secret = system.secret("meter/MAINS")
    with system.listening("evcs/v1/meter/#") as heard:
        for name, answers in (("GARAGE", {REFUSED}), ("MAINS", ALLOWED)):
            with MqttClient(system.mqtt_port, "meter/MAINS", secret) as meter:
                assert meter.write(f"evcs/v1/meter/{name}/power", b'{"power_w": 7000}') in answers
        eventually("it is heard", lambda: [topic for topic, _ in heard])
    shown = system.ok("evcs", "circuit", "show", "MAINS", "--json").json
    assert (shown["other_load_w"], shown["state"]["max_power_w"]) == (20_000, 44_000)
    assert {topic for topic, _ in heard} == {"evcs/v1/meter/MAINS/power"}


def test_a_file_may_change_all_at_once_in_any_order(system: System, fleet: Path) -> None:
    fleet.write_text(MOVED)
    dry = system.ok("evcs-cp", "apply", "-f", str(fleet), "--dry-run")
    assert "~ circuit GARAGE  max_power_w: 9000 -> 2000" in dry.out
    done = system.ok("evcs-cp", "apply", "-f", str(fleet), "--json").json
    assert (done["errors"], len(done["circuits"]["create"])) == ({}, 2)
    assert {one["name"]: (one["max_power_w"], one["parent"]) for one in circuits(system)} == {
        "GARAGE": (2000, "MAINS"), "GRID": (100_000, None), "MAINS": (42_000, "GRID"),
        "YARD": (9000, "MAINS"),
    }  # fmt: skip
    assert fallbacks(system) == {"CP-1": 4140, "CP-2": 4140, "CP-3": None}
    wait_until_consistent(system)


BAD_FILES = {
    "there is no circuit NONE": '[[cp]]\nid = "CP-9"\ncircuit = "NONE"\n',
    "there is no circuit LOFT": '[[circuit]]\nname = "X"\nmax_power_w = 1\nparent = "LOFT"\n',
    "would feed itself": '[[circuit]]\nname = "GRID"\nparent = "YARD"\n',
    "4139 W does not carry CP CP-1 at its minimum of 4140 W": (
        '[[circuit]]\nname = "YARD"\nmax_power_w = 4139\n'
    ),
    "circuit X: max_power_w is missing": '[[circuit]]\nname = "X"\n',
    "line 3: 'X': max_power_w: -1": '[[circuit]]\nname = "X"\nmax_power_w = -1\n',
    "line 3: 'X': max_power_w: nan": '[[circuit]]\nname = "X"\nmax_power_w = nan\n',
    "line 3: 'X': unknown key 'secret'": '[[circuit]]\nname = "X"\nsecret = "x"\n',
    "exists as YARD": '[[circuit]]\nname = "yard"\nmax_power_w = 9000\n',
}
BAD_COMMANDS = {
    "circuit add X --max-power-kw -1": (2, "allowed: a decimal from 0 to 1000"),
    "circuit add X --max-power-kw nan": (2, "allowed: a decimal from 0 to 1000"),
    "circuit add X --max-power-kw 1000000000": (2, "allowed: a decimal from 0 to 1000"),
    "circuit add X --max-power-kw 1 --other-load-kw -1": (2, "--other-load-kw"),
    "circuit add X --max-power-kw 1 --parent LOFT": (4, "there is no circuit LOFT"),
    "circuit edit GRID --parent YARD": (5, "would feed itself"),
    "circuit edit YARD --max-power-kw 4": (5, "4000 W does not carry CP CP-1"),
    "circuit edit MAINS --other-load-kw 38": (5, "42000 W less 38000 W of other loads"),
    "circuit remove YARD": (5, "circuit YARD feeds CP CP-1, CP CP-2"),
    "circuit remove GRID": (5, "circuit GRID feeds circuit MAINS"),
    "-cp edit CP-3 --circuit LOFT": (4, "there is no circuit LOFT"),
    "-cp edit CP-3 --circuit GARAGE": (5, "2000 W does not carry CP CP-3"),
    "-cp create CP-9 --circuit LOFT": (4, "there is no circuit LOFT"),
}


def test_what_is_bad_is_refused_and_nothing_written(
    system: System, fleet: Path, tmp_path: Path
) -> None:
    before = (tree(system.home), system.retained("evcs/v1/registry/#"))
    path = tmp_path / "bad.toml"
    for words, text in BAD_FILES.items():
        path.write_text(text)
        done = system.run("evcs-cp", "apply", "-f", str(path), "--json")
        assert done.code in (2, 4, 5), done
        assert words in done.json["error"]["message"]
        assert str(path) in done.json["error"]["message"]
    for line, (code, words) in BAD_COMMANDS.items():
        program, *args = f"evcs{line if line[0] == '-' else ' ' + line}".split()
        done = system.run(program, *args)
        assert (done.code, words in done.err) == (code, True), (line, done)
    assert (tree(system.home), system.retained("evcs/v1/registry/#")) == before


@pytest.mark.parametrize("words", ["evcs circuit show G", "evcs-cp edit CP-1 --circuit G"])
def test_a_shell_completes_circuits(system: System, fleet: Path, words: str) -> None:
    program, last = words.split()[0], str(len(words.split()) - 1)
    name = f"_{program.replace('-', '_')}_complete".upper()
    asked: dict[str, Any] = {name: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": last}
    assert system.run(program, **asked).out.split() == ["plain,GARAGE", "plain,GRID"]


def test_a_backup_has_the_circuits_and_their_meters(
    system: System, fleet: Path, new_system: Callable[..., System], tmp_path: Path
) -> None:
    goal = tmp_path / "one.backup"
    system.ok("evcs", "backup", str(goal))
    after = new_system()
    after.ok("evcs", "restore", str(goal))
    after.up()
    assert circuits(after) == circuits(system)
    assert fallbacks(after) == fallbacks(system)
    assert after.secret("meter/MAINS") == system.secret("meter/MAINS")
    checks = after.run("evcs", "doctor", "--json").json["checks"]
    assert not [one for one in checks if one["level"] == "fail"]
    after.down()


def test_a_circuit_is_gone_with_its_meter(system: System, fleet: Path) -> None:
    secret = system.secret("meter/GARAGE")
    system.ok("evcs", "circuit", "remove", "GARAGE")
    system.ok("evcs", "restart")
    assert "GARAGE" not in [one["name"] for one in circuits(system)]
    assert not [topic for topic in system.retained() if "GARAGE" in topic]
    assert not (system.home / "data" / "secrets" / "meter" / "GARAGE").exists()
    with MqttClient(system.mqtt_port, "meter/GARAGE", secret) as meter:
        assert meter.code == REFUSED
    assert fallbacks(system) == {"CP-1": 4140, "CP-2": 4140, "CP-3": None}
