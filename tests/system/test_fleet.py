"""Issue lines 2, 3, 5, 8: CPs made, charging, deleted; errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path

from tests.install.helpers import in_repository
from tests.system_under_test import System, eventually


def test_first_cp_is_like_any_other(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-001")
    assert system.states()["CP-001"] == "ACTIVATED"
    eventually("both run", lambda: {"CP-001:engine", "CP-001:monitor"} <= set(system.processes()))
    status = system.ok("supervisorctl", "status").out
    assert "CP-001:engine" in status
    assert (
        system.retained("evcs/v1/central/cp/CP-001/state")["evcs/v1/central/cp/CP-001/state"][
            "state"
        ]
        == "ACTIVATED"
    )


def test_two_drivers_charge_at_once_and_each_gets_its_ticket(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-011", "CP-012", "--price-eur-kwh", "0.40")
    system.ok("evcs", "driver", "add", "ANNA", "BERT")
    first = system.spawn(
        "evcs-driver", "charge", "CP-011", "--driver", "ANNA", "--kwh", "1", "--json"
    )
    second = system.spawn(
        "evcs-driver", "charge", "CP-012", "--driver", "BERT", "--kwh", "1.5", "--json"
    )
    tickets = []
    for process in (first, second):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        events = [json.loads(line) for line in out.splitlines()]
        assert [e["event"] for e in events][:2] == ["authorised", "started"]
        tickets.append(events[-1])
    assert [t["event"] for t in tickets] == ["ticket", "ticket"]
    assert [(t["cp"], t["driver"], t["energy_wh"], t["cost_eur"]) for t in tickets] == [
        ("CP-011", "ANNA", 1000, "0.40"),
        ("CP-012", "BERT", 1500, "0.60"),
    ]
    rows = system.ok("evcs", "sessions", "--json").json
    assert {t["session_id"] for t in tickets} <= {row["session_id"] for row in rows}
    history = system.ok("evcs-driver", "history", "--driver", "ANNA", "--json").json
    assert [row["driver"] for row in history] == ["ANNA"]


def test_run_works_through_a_file_and_goes_on_after_a_denial(
    system: System, short_tmp: Path
) -> None:
    system.ok("evcs-cp", "create", "CP-021", "CP-022")
    system.ok("evcs", "driver", "add", "CARA")
    system.ok("evcs-cp", "stop", "CP-022")
    lines = ["# ten services", "CP-021 0.2", "CP-022 0.2", "CP-021 0.2 # again"] + [
        "CP-021 0.1"
    ] * 7
    file = short_tmp / "services.txt"
    file.write_text("\n".join(lines) + "\n")
    done = system.run(
        "evcs-driver", "run", str(file), "--driver", "CARA", "--pause", "0.1", "--json"
    )
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 8, done
    assert [e["event"] for e in events if e["event"] in ("ticket", "denied")] == [
        "ticket",
        "denied",
        *["ticket"] * 8,
    ]
    total = sum(e["energy_wh"] for e in events if e["event"] == "ticket")
    assert total == 200 + 200 + 700


def test_driver_may_stop_its_own_charge(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-031")
    system.ok("evcs", "driver", "add", "DORA")
    system.ok("evcs-driver", "charge", "CP-031", "--driver", "DORA", "--no-watch")
    system.wait_for_state("CP-031", "SUPPLYING")
    busy = system.run("evcs-driver", "charge", "CP-001", "--driver", "DORA")
    assert busy.code == 5
    assert "already charging at CP-031" in busy.err
    ticket = system.ok("evcs-driver", "stop", "--driver", "DORA", "--json").json
    assert (ticket["event"], ticket["reason"], ticket["state"]) == ("ticket", "driver", "settled")
    system.wait_for_state("CP-031", "ACTIVATED")


def test_operator_stop_ends_a_supply_with_a_ticket(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-041")
    system.ok("evcs", "driver", "add", "EMIL")
    charge = system.spawn("evcs-driver", "charge", "CP-041", "--driver", "EMIL", "--json")
    system.wait_for_state("CP-041", "SUPPLYING")
    system.ok("evcs-cp", "stop", "CP-041")
    assert system.states()["CP-041"] == "OUT_OF_ORDER"
    out, _ = charge.communicate(timeout=60)
    assert json.loads(out.splitlines()[-1])["reason"] == "out_of_order"
    assert charge.returncode == 0
    eventually("both run", lambda: {"CP-041:engine", "CP-041:monitor"} <= set(system.processes()))
    denied = system.run("evcs-driver", "charge", "CP-041", "--driver", "EMIL")
    assert denied.code == 5
    system.ok("evcs-cp", "resume", "CP-041")
    assert system.states()["CP-041"] == "ACTIVATED"


def test_edit_reaches_everyone_and_restarts_nothing(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-051")
    before = system.steady()
    place = 'Ä "quoted"; 50 % off\n<b>second line</b>'
    system.ok("evcs-cp", "edit", "CP-051", "--price-eur-kwh", "0.4567", "--location", place)
    shown = system.ok("evcs-cp", "show", "CP-051", "--json").json
    assert (shown["price_eur_kwh"], shown["location"]) == ("0.4567", place)
    assert system.http("GET", f"{system.web_url}/api/v1/cps/CP-051")[1]["location"] == place
    eventually("same pids", lambda: before.items() <= system.processes().items())


def test_range_is_created_and_deleted(system: System) -> None:
    done = system.ok("evcs-cp", "create", "R-{01..06}", "--json")
    assert [cp["state"] for cp in done.json] == ["ACTIVATED"] * 6
    asked = system.run("evcs-cp", "delete", "R-{01..06}")
    assert asked.code == 2
    system.ok("evcs-cp", "delete", "R-*", "--yes")
    assert not [cp for cp in system.states() if cp.startswith("R-")]


def test_no_one_is_special(system: System) -> None:
    for cp in system.states():
        system.ok("evcs-cp", "delete", cp)
        left = [topic for topic in system.retained() if f"/{cp}" in topic]
        assert left == []
    assert system.cps() == []
    assert system.http("GET", f"{system.registry_url}/api/v1/cps") == (200, [])
    home = system.home
    assert list((home / "conf" / "supervisord.d").glob("*.conf")) == []
    assert list((home / "data" / "secrets").glob("cp/*")) == []
    assert b"cp/" not in (home / "data" / "mosquitto.passwd").read_bytes()
    assert list((home / "data" / "journals").iterdir()) == []
    system.ok("evcs", "restart")
    assert system.cps() == []


def test_repo_names_no_cp_as_data() -> None:
    """A system that runs in the checkout has its CPs there, and they are no part of it."""
    confs = [name for name in in_repository() if name.endswith((".conf", ".jsonl", ".json"))]
    assert [one for one in confs if one.startswith(("conf/", "data/"))] == ["conf/supervisord.conf"]


def test_clear_errors_write_nothing(system: System) -> None:
    system.ok("evcs-cp", "create", "CP-091")
    system.ok("evcs", "driver", "add", "FAYE")
    before = tree(system.home)
    for code, words, command in (
        (4, "CP-090", ("evcs-cp", "show", "CP-090")),
        (4, "did you mean CP-091", ("evcs-cp", "edit", "CP-09l", "--location", "x")),
        (4, "CP-090", ("evcs-driver", "charge", "CP-090", "--driver", "FAYE")),
        (4, "evcs driver add", ("evcs-driver", "charge", "CP-091", "--driver", "GUS")),
        (5, "exists already", ("evcs-cp", "create", "CP-091")),
        (5, "exists already", ("evcs-cp", "create", "cp-091")),
        (2, "allowed", ("evcs-cp", "create", "../x")),
        (2, "allowed", ("evcs-cp", "create", "CP-092", "--price-eur-kwh", "-1")),
        (2, "allowed", ("evcs-cp", "create", "CP-092", "--max-power-kw", "1e308")),
        (2, "service", ("evcs-cp", "create", "central")),
        (2, "nothing to change", ("evcs-cp", "edit", "CP-091")),
        (2, "", ("evcs-cp", "stop")),
    ):
        done = system.run(*command)
        assert done.code == code, (command, done)
        assert words in done.err, (command, done.err)
        assert "Traceback" not in done.err
        machine = system.run(*command, "--json")
        assert machine.code == code
        assert "error" in machine.json, machine
    assert tree(system.home) == before


def tree(home: Path) -> dict[str, bytes]:
    """What is wanted, as a home's files have it."""
    roots = [home / "conf", home / "data" / "secrets"]
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    files += [home / "data" / "registry.json", home / "data" / "mosquitto.passwd"]
    return {str(path): path.read_bytes() for path in files}
