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


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("", "CP-001 CP-002 CP-003 TOP-1"),
        ("CP-001 TOP-1", "CP-001 TOP-1"),
        ("CP-*", "CP-001 CP-002 CP-003"),
        ("CP-{002..003} TOP-1", "CP-002 CP-003 TOP-1"),
        ("--state activated", "TOP-1"),
        ("--state BROKEN_DOWN --state out_of_order", "CP-002 CP-003"),
        ("--location roof", "TOP-1"),
        ("--location LEVEL --state supplying", "CP-001"),
        ("CP-* --state activated", ""),
    ],
)
def test_cps_are_listed_by_name_state_and_location(fleet: System, line: str, ids: str) -> None:
    words = line.split()
    assert fleet.ok("evcs-cp", "list", *words, "-o", "name").out.split() == ids.split()
    listed = fleet.ok("evcs-cp", "list", *words, "-o", "json").json
    assert [cp["id"] for cp in listed] == ids.split()
    assert [cp["id"] for cp in fleet.ok("evcs-cp", "list", *words, "--json").json] == ids.split()


def test_a_list_that_is_empty_says_why(fleet: System) -> None:
    assert fleet.ok("evcs-cp", "list", "--state", "disconnected").err == "no CP is DISCONNECTED\n"
    assert fleet.ok("evcs-cp", "list", "CP-*", "--location", "roof").err == "no CP matches\n"
    assert "did you mean CP-001?" in fleet.run("evcs-cp", "list", "CP001").err
    assert fleet.run("evcs-cp", "list", "-o", "name", "--json").code == 2


def test_a_wide_list_says_more(fleet: System) -> None:
    head, *rows = fleet.ok("evcs-cp", "list", "TOP-1", "-o", "wide").out.splitlines()
    assert head.split()[-5:] == ["SINCE", "OCPP", "CIRCUIT", "HOSTING", "HOST"]
    assert re.search(r"Roof +\d{4}-.*Z +Available +process +main$", rows[0]), rows


def test_show_says_whether_a_car_is_plugged_in(fleet: System) -> None:
    fleet.ok("evcs-cp", "plug", "TOP-1")
    assert "plugged: yes" in fleet.ok("evcs-cp", "show", "TOP-1").out.splitlines()
    assert fleet.ok("evcs-cp", "show", "TOP-1", "--json").json["plugged"] is True
    fleet.ok("evcs-cp", "unplug", "TOP-1")
    assert "plugged: no" in fleet.ok("evcs-cp", "show", "TOP-1").out.splitlines()
    fleet.ok("evcs-cp", "revoke", "TOP-1")
    assert "plugged: unknown" in fleet.ok("evcs-cp", "show", "TOP-1").out.splitlines()
    fleet.ok("evcs-cp", "rekey", "TOP-1")


def test_all_cps_are_edited_at_once(fleet: System) -> None:
    fleet.ok("evcs-cp", "edit", "--all", "--price-eur-kwh", "0.41")
    assert {cp["price_eur_kwh"] for cp in fleet.cps()} == {"0.41"}
    assert fleet.run("evcs-cp", "edit", "CP-001", "--all", "--price-eur-kwh", "1").code == 2
    assert fleet.run("evcs-cp", "edit", "--price-eur-kwh", "1").code == 2


def test_sessions_are_filtered_and_shown_one_by_one(fleet: System) -> None:
    fleet.ok("evcs-driver", "stop", "--driver", "ALICE")
    fleet.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--no-watch")
    active, settled = fleet.ok("evcs", "sessions", "--json").json

    def listed(*args: str) -> list[str]:
        return [one["session_id"] for one in fleet.ok("evcs", "sessions", *args, "--json").json]

    assert listed("--state", "active") == [active["session_id"]]
    assert listed("--state", "settled") == [settled["session_id"]]
    assert listed("--until", settled["started_at"]) == [settled["session_id"]]
    assert len(listed("--until", active["started_at"][:10])) == 2
    assert listed("--until", "2020-01-01") == []
    head, *rows = fleet.ok("evcs", "sessions").out.splitlines()
    assert re.search(r"STARTED +DURATION +ENERGY", head)
    assert all(re.search(r"Z +\d+ (s|min \d+ s) +\d+\.\d{3} kWh", row) for row in rows), rows
    shown = fleet.ok("evcs", "sessions", "show", settled["session_id"])
    assert f"session: {settled['session_id']}" in shown.out.splitlines()
    assert "asked for: 90.000 kWh" in shown.out.splitlines()
    one = fleet.ok("evcs", "sessions", "show", settled["session_id"], "--json").json
    assert one == {**settled, "requested_wh": 90_000, "origin": "driver"}
    fleet.ok("evcs-driver", "stop", "--driver", "ALICE")


def test_csv_and_json_at_once_are_refused(fleet: System) -> None:
    done = fleet.run("evcs", "sessions", "--csv", "--json")
    assert (done.code, "--csv and --json at once" in done.err) == (2, True)


def test_the_nearest_circuit_is_named(fleet: System) -> None:
    fleet.ok("evcs", "circuit", "add", "GARAGE", "--max-power-kw", "44")
    assert "did you mean GARAGE?" in fleet.run("evcs", "circuit", "show", "GARGE").err
    fleet.ok("evcs", "circuit", "remove", "GARAGE")
