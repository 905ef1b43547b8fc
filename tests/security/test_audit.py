"""Who did what can be shown afterwards: refused logins, changes, charges, commands, faults."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from evcs.cli.common import user
from tests.faults.charging import begin, ticket
from tests.system_under_test import System, eventually
from tests.web.floods import thousandfold

ME = f"operator/{user()}"


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
        assert one["detail"] == "broker"

    fleet.ok("supervisorctl", "stop", "central")
    knock(fleet, "cp/CP-001/engine", "old")
    fleet.ok("supervisorctl", "start", "central")
    eventually("one more", lambda: len(refused(fleet)) == before + 4)
    fleet.ok("evcs", "restart")
    knock(fleet, "nobody", "x")
    eventually("and one more", lambda: len(refused(fleet)) == before + 5)


def test_wrong_tokens_and_links_and_who_signed_in(fleet: System) -> None:
    since = audit(fleet)[-1]["at"]
    web, registry = fleet.web_url, fleet.registry_url
    fleet.http("POST", f"{web}/api/v1/cps", {"id": "CP-009"}, "guess-a")
    fleet.http("DELETE", f"{registry}/api/v1/cps/CP-001", token="guess-b")
    link = fleet.ok("evcs", "open", "--no-browser").out.strip()
    for path in (link, link, f"{web}/login/guess-c"):
        urlopen_status(path)
    fleet.ok("supervisorctl", "stop", "central")
    fleet.http("POST", f"{web}/api/v1/login", token="guess-d")
    fleet.ok("supervisorctl", "start", "central")
    wanted = sorted([
        ("login", "refused", "web: a token for POST /api/v1/cps"),
        ("login", "refused", "registry: a token for DELETE /api/v1/cps/<cp>"),
        ("login", "ok", "web: a link"),
        ("login", "refused", "web: a link for GET /login/<link>"),
        ("login", "refused", "web: a link for GET /login/<link>"),
        ("login", "refused", "web: a token for POST /api/v1/login"),
    ])  # fmt: skip

    def found() -> list[dict[str, Any]]:
        rows = audit(fleet, "--since", since)
        return [row for row in rows if row["detail"].startswith(("web:", "registry:"))]

    def told() -> list[tuple[str, str, str]]:
        return sorted((row["what"], row["outcome"], row["detail"]) for row in found())

    eventually("all of them, once", lambda: told() == wanted)
    fleet.ok("evcs", "restart")
    knock(fleet, "nobody", "x")  # when this is told, the logs have been read again
    eventually("Central reads on", lambda: audit(fleet)[-1]["detail"] == "broker")
    assert told() == wanted
    for row in found():
        assert re.fullmatch(r"127\.0\.0\.1:\d+", row["who"]), row
    assert "guess-" not in str(audit(fleet)) + "".join(
        path.read_text() for path in (fleet.home / "log").glob("*.log")
    )


def test_a_thousand_wrong_logins_are_a_few_entries_and_a_number(fleet: System) -> None:
    since = audit(fleet)[-1]["at"]

    def guess(number: int) -> int:
        if number % 2:
            return urlopen_status(f"{fleet.web_url}/login/guess")
        return fleet.http("POST", f"{fleet.registry_url}/api/v1/cps", {}, "guess")[0]

    statuses, took = thousandfold(guess)
    assert set(statuses) <= {401, 503}

    def counted() -> int:
        numbers = [re.search(r"and (\d+) more$", row["detail"]) for row in rows()]
        return sum(int(number[1]) if number else 1 for number in numbers)

    def rows() -> list[dict[str, Any]]:
        return [row for row in refused(fleet) if row["detail"] != "broker" and row["at"] > since]

    eventually("each is accounted for", lambda: counted() == 1000)
    # Those that waited, two and four a second, and after each a number.
    assert len(rows()) <= 2 * (took + 1) * (2 + 4) + 30


def urlopen_status(url: str) -> int:
    """The status of an answer that is no JSON."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


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
    eventually(
        "Central has heard", lambda: "-> 11 kW" in audit(fleet, "--cp", "CP-003")[-1]["detail"]
    )
    fleet.ok("evcs-cp", "delete", "CP-003")
    eventually("it is gone", lambda: audit(fleet, "--cp", "CP-003")[-1]["what"] == "deleted")
    rows = audit(fleet, "--cp", "CP-003")
    verbs = [row["what"] for row in rows if row["what"] != "fault"]
    assert verbs == [
        "create", "edit", "stop", "resume", "revoke", "rekey", "rekey", "edit", "delete", "deleted",
    ]  # fmt: skip
    assert "price 0.31 -> 0.41 EUR/kWh" in rows[1]["detail"]
    assert audit(fleet, "--cp", "CP-003", "--what", "PRICE") == [rows[1]]
    assert audit(fleet, "--who", ME, "--what", "rekey")[-2:] == [
        row for row in rows if row["what"] == "rekey"
    ]
    assert audit(fleet, "--cp", "CP-003", "--until", "2020-01-01") == []
    assert fleet.ok("evcs", "audit", "--who", "nobody").err == "no entry matches\n"
    assert "\x1b" not in fleet.ok("evcs", "audit").out.replace("\x1b[1m", "").replace("\x1b[0m", "")
    fleet.ok("evcs", "restart")
    assert audit(fleet, "--cp", "CP-003") == rows, "told again is no change"


def test_each_change_while_central_is_away_as_it_was_made(fleet: System) -> None:
    """G7: not a difference that is seen later, but what was done, when it was done."""
    fleet.ok("evcs-cp", "create", "CP-004")
    since = audit(fleet, "--cp", "CP-004")[-1]["at"]
    fleet.ok("supervisorctl", "stop", "central")
    for price in ("0.99", "0.30"):
        fleet.ok("evcs-cp", "edit", "CP-004", "--price-eur-kwh", price, "--no-wait")
    for verb in ("revoke", "rekey"):
        fleet.ok("evcs-cp", verb, "CP-004", "--no-wait")
    fleet.ok("evcs-cp", "create", "CP-005", "--no-wait")
    fleet.ok("evcs-cp", "delete", "CP-005", "--yes", "--no-wait")
    eventually("it is gone", lambda: fleet.http("GET", f"{fleet.registry_url}/api/v1/cps")[1])
    fleet.ok("evcs", "driver", "add", "DORA")
    fleet.ok("evcs", "driver", "remove", "DORA")
    eventually(
        "all of CP-005 is gone",
        lambda: fleet.http("GET", f"{fleet.registry_url}/api/v1/cps/CP-005")[0] == 404,
    )
    fleet.ok("supervisorctl", "start", "central")

    def made(*flags: str) -> list[tuple[str, str]]:
        rows = audit(fleet, "--since", since, *flags)
        return [
            (row["what"], re.sub(r"(, )?revision \d+$", "", row["detail"]))
            for row in rows
            if row["who"].startswith(("operator/", "registry")) and row["at"] > since
        ]

    eventually("all of it is told", lambda: ("deleted", "") in made("--cp", "CP-005"))
    assert made("--cp", "CP-004") == [
        ("edit", "price 0.30 -> 0.99 EUR/kWh"),
        ("edit", "price 0.99 -> 0.30 EUR/kWh"),
        ("revoke", ""),
        ("rekey", ""),
    ]
    assert [what for what, _ in made("--cp", "CP-005")] == ["create", "delete", "deleted"]
    drivers = [one for one in made() if one[0].startswith("driver")]
    assert drivers == [("driver add", "DORA"), ("driver remove", "DORA")]
    stopped = audit(fleet, "--cp", "CP-004")[-1]["at"]
    assert audit(fleet, "--cp", "CP-005")[0]["at"] > stopped, "of the time when it was made"
    assert not [one for one in (fleet.home / "data" / "audit").rglob("*") if one.is_file()]


def cut_at(length: int, end: str) -> str:
    """An id with which a line ends as a refusal's does, where the broker cuts it."""
    text = " disconnected, not authorised."
    return "x" * (length - len(text)) + text + end


def test_a_client_id_forges_no_refused_login(fleet: System) -> None:
    before = len(refused(fleet))
    ids = ("x [6.6.6.6:66] disconnected, not authorised.", "<unknown>", "x\ty",
           "Client <unknown> disconnected, not authorised.",
           *(cut_at(999 - len("1795350217: Client "), end) for end in ("", " disconnected")),
           )  # fmt: skip
    for client_id in ids:
        subprocess.run(
            ["mosquitto_sub", "-V", "5", "-p", str(fleet.mqtt_port), "-i", client_id,
             "-u", "inspector", "-P", fleet.secret("inspector"), "-t", "x", "-E"],
            capture_output=True, timeout=20, check=False,
        )  # fmt: skip
    knock(fleet, "nobody", "x")
    eventually("the real one is told", lambda: len(refused(fleet)) > before)
    assert len(refused(fleet)) == before + 1
    assert "6.6.6.6" not in str(refused(fleet))


def test_a_charge_its_commands_a_fault_and_a_ticket(fleet: System) -> None:
    since = audit(fleet)[-1]["at"]
    started = begin(fleet, "CP-001", "ALICE")
    fleet.run("evcs-driver", "charge", "CP-002", "--driver", "ALICE", "--kwh", "1")
    fleet.ok("evcs-cp", "fault", "CP-001", "--reason", "cable damaged")
    ticket(fleet, started)
    fault = ("central", "fault", "fault: cable damaged")
    eventually("the fault is told", lambda: fault in steps(audit(fleet, "--since", since)))
    fleet.ok("evcs-cp", "clear", "CP-001")
    over = ("central", "fault", "over")
    eventually("the fault is over", lambda: over in steps(audit(fleet, "--since", since)))
    rows = [row for row in audit(fleet, "--since", since) if row["at"] > since]
    found = steps(rows)
    for wanted in (
        ("driver/ALICE", "charge", "asked"),
        ("driver/ALICE", "charge", "authorised"),
        ("driver/ALICE", "charge", "denied"),
        (ME, "fault", "asked"),
        (ME, "fault", "ok"),
        fault,
        ("central", "ticket", "fault"),
        (ME, "clear", "ok"),
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
