"""`evcs-cp apply` and `export`: a fleet as a file; B11: a bad one changes nothing."""

from __future__ import annotations

from pathlib import Path

from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System

FLEET = """\
[[cp]]
id = "CP-{001..003}"
price_eur_kwh = "0.35"

[[cp]]
id = "CP-010"
location = 'Hof; 50 % "Süd" #1'
max_power_w = 11000
service = "out"
"""


def test_apply_export_and_prune(system: System, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET, encoding="utf-8")
    dry = system.ok("evcs-cp", "apply", "-f", str(path), "--dry-run", "--json").json
    assert [cp["id"] for cp in dry["create"]] == ["CP-001", "CP-002", "CP-003", "CP-010"]
    assert not dry["applied"]
    assert system.cps() == []

    done = system.ok("evcs-cp", "apply", "-f", str(path))
    assert "+ CP-001  price_eur_kwh=0.35" in done.out
    assert system.states() == {
        "CP-001": "ACTIVATED", "CP-002": "ACTIVATED", "CP-003": "ACTIVATED",
        "CP-010": "OUT_OF_ORDER",
    }  # fmt: skip
    before = (system.steady(), system.http("GET", f"{system.registry_url}/api/v1/cps"))

    exported = tmp_path / "export.toml"
    exported.write_text(system.ok("evcs-cp", "export").out, encoding="utf-8")
    again = system.ok("evcs-cp", "apply", "-f", str(exported), "--prune", "--json").json
    assert (again["create"], again["edit"], again["remove"], again["unchanged"]) == ([], [], [], 4)
    after = (system.steady(), system.http("GET", f"{system.registry_url}/api/v1/cps"))
    assert after == before

    done = system.run("evcs-cp", "apply", "-f", "-", "--prune", "--yes")
    assert done.code == 2  # an empty stdin would delete all
    path.write_text('[[cp]]\nid = "CP-001"\nprice_eur_kwh = "0.40"\n', encoding="utf-8")
    done = system.run("evcs-cp", "apply", "-f", str(path), "--prune")
    assert done.code == 2
    assert "--yes" in done.err
    assert len(system.cps()) == 4
    done = system.ok("evcs-cp", "apply", "-f", str(path), "--prune", "--yes")
    assert done.out.splitlines() == [
        "~ CP-001  price_eur_kwh: 0.35 -> 0.40", "- CP-002", "- CP-003", "- CP-010",
    ]  # fmt: skip
    assert [(cp["id"], cp["price_eur_kwh"]) for cp in system.cps()] == [("CP-001", "0.40")]
    now = system.steady()
    assert {n: now[n] for n in ("CP-001:engine", "CP-001:monitor")} == {
        n: before[0][n] for n in ("CP-001:engine", "CP-001:monitor")
    }
    assert wait_until_consistent(system) == {"CP-001"}


def test_a_bad_file_changes_nothing(system: System, tmp_path: Path) -> None:
    before = system.http("GET", f"{system.registry_url}/api/v1/cps")
    path = tmp_path / "bad.toml"
    good = '[[cp]]\nid = "CP-050"\n'
    for bad, words in {
        '[[cp]]\nid = "CP-051"\nprise = "1"\n': ("line 5", "prise"),
        '[[cp]]\nid = "cp-050"\n': ("line 4", "cp-050"),
        '[[cp]]\nid = "CP-051"\nmax_power_w = "1"\n': ("line 5", "max_power_w"),
        '# much\nlocation = "x"\n' + "# padding\n" * 1_000_000: ("line ", "too large"),
    }.items():
        path.write_text(good + bad, encoding="utf-8")
        done = system.run("evcs-cp", "apply", "-f", str(path), "--json")
        assert done.code == 2
        assert all(word in done.json["error"]["message"] for word in words), done
        assert str(path) in done.json["error"]["message"]
    path.write_text("", encoding="utf-8")
    assert system.run("evcs-cp", "apply", "-f", str(path), "--prune", "--yes").code == 2
    assert system.run("evcs-cp", "apply", "-f", str(tmp_path / "no.toml")).code == 4
    assert system.run("evcs-cp", "apply", "-f", str(tmp_path)).code == 2
    assert system.http("GET", f"{system.registry_url}/api/v1/cps") == before
