"""Who did what can be shown afterwards: refused logins, changes, charges, commands, faults."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from typing import Any

import pytest

from tests.faults.charging import begin, ticket
from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def fleet(system: System) -> System:
    system.ok("evcs-cp", "create", "CP-001", "CP-002")
    system.ok("evcs", "driver", "add", "ALICE")
    return system


def audit(system: System, *flags: str) -> list[dict[str, Any]]:
    """The audit's entries, the oldest first."""
    rows: list[dict[str, Any]] = system.ok("evcs", "audit", "--json", *flags).json
    return rows[::-1]


def knock(system: System, user: str, password: str) -> None:
    """A login that is refused."""
    done = subprocess.run(
        ["mosquitto_pub", "-V", "5", "-p", str(system.mqtt_port), "-u", user, "-P", password,
         "-t", "x", "-m", "x"],
        capture_output=True, timeout=20,
    )  # fmt: skip
    assert done.returncode != 0


def refused(system: System) -> list[dict[str, Any]]:
    return [one for one in audit(system) if (one["what"], one["outcome"]) == ("login", "refused")]


def steps(rows: list[dict[str, Any]], *whats: str) -> list[tuple[str, str, str]]:
    return [(r["who"], r["what"], r["outcome"]) for r in rows if not whats or r["what"] in whats]


def test_every_refused_login_once_also_while_central_is_away(fleet: System) -> None:
    before = len(refused(fleet))
    for number in range(3):
        knock(fleet, "central", f"guess {number}")
    eventually("three of them", lambda: len(refused(fleet)) == before + 3)
    for one in refused(fleet):
        assert re.fullmatch(r"127\.0\.0\.1:\d+|127\.0\.0\.1", one["who"]), one
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", one["at"]), one

    fleet.ok("supervisorctl", "stop", "central")
    knock(fleet, "cp/CP-001/engine", "old")
    fleet.ok("supervisorctl", "start", "central")
    eventually("one more", lambda: len(refused(fleet)) == before + 4)
    fleet.ok("evcs", "restart")
    knock(fleet, "nobody", "x")
    eventually("and one more", lambda: len(refused(fleet)) == before + 5)


def test_changes_of_a_cp(fleet: System) -> None:
    fleet.ok("evcs-cp", "create", "CP-003", "--price-eur-kwh", "0.31")
    fleet.ok("evcs-cp", "edit", "CP-003", "--price-eur-kwh", "0.41", "--location", "\x1b[31mred")
    fleet.ok("evcs-cp", "stop", "CP-003")
    fleet.ok("evcs-cp", "resume", "CP-003")
    fleet.ok("evcs-cp", "revoke", "CP-003")
    fleet.ok("evcs-cp", "rekey", "CP-003")
    fleet.ok("evcs-cp", "rekey", "CP-003")
    fleet.ok("supervisorctl", "stop", "central")
    fleet.ok("evcs-cp", "edit", "CP-003", "--max-power-kw", "11", "--no-wait")
    fleet.ok("supervisorctl", "start", "central")
    eventually("Central has heard", lambda: "11000" in audit(fleet, "--cp", "CP-003")[-1]["detail"])
    fleet.ok("evcs-cp", "delete", "CP-003")
    eventually("it is gone", lambda: audit(fleet, "--cp", "CP-003")[-1]["what"] == "deleted")
    rows = audit(fleet, "--cp", "CP-003")
    verbs = [row["what"] for row in rows if row["what"] != "fault"]
    assert verbs == [
        "create", "edit", "stop", "resume", "revoke", "rekey", "rekey", "edit", "delete", "deleted",
    ]  # fmt: skip
    assert "price_eur_kwh '0.31' -> '0.41'" in rows[1]["detail"]
    assert "\x1b" not in fleet.ok("evcs", "audit").out.replace("\x1b[1m", "").replace("\x1b[0m", "")
    fleet.ok("evcs", "restart")
    assert audit(fleet, "--cp", "CP-003") == rows, "told again is no change"


def test_a_charge_its_commands_a_fault_and_a_ticket(fleet: System) -> None:
    since = audit(fleet)[-1]["at"]
    started = begin(fleet, "CP-001", "ALICE")
    fleet.run("evcs-driver", "charge", "CP-002", "--driver", "ALICE", "--kwh", "1")
    fleet.ok("evcs-cp", "fault", "CP-001", "--reason", "cable damaged")
    ticket(fleet, started)
    fleet.ok("evcs-cp", "clear", "CP-001")
    over = ("central", "fault", "over")
    eventually("the fault is over", lambda: over in steps(audit(fleet, "--since", since)))
    rows = [row for row in audit(fleet, "--since", since) if row["at"] > since]
    found = steps(rows)
    for wanted in (
        ("driver/ALICE", "charge", "asked"),
        ("driver/ALICE", "charge", "authorised"),
        ("driver/ALICE", "charge", "denied"),
        ("operator", "fault", "asked"),
        ("operator", "fault", "ok"),
        ("central", "fault", "fault: cable damaged"),
        ("central", "ticket", "fault"),
        ("operator", "clear", "ok"),
        over,
    ):
        assert found.count(wanted) == 1, (wanted, found)
    denied = next(row for row in rows if row["outcome"] == "denied")
    assert (denied["cp"], denied["detail"]) == ("CP-002", "driver already charging at CP-001")
    assert {row["cp"] for row in audit(fleet, "--cp", "CP-002")} == {"CP-002"}
    assert fleet.run("evcs", "audit", "--since", "yesterday").code == 2
    assert fleet.run("evcs", "audit", "--cp", "../x").code == 2


def test_an_entry_is_never_changed(fleet: System) -> None:
    db = sqlite3.connect(fleet.home / "data" / "ledger.db")
    for change in ("UPDATE audit SET who = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(change)
    db.close()
