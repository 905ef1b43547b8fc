"""B6: a stolen identity is shut out in a second, renewed without a restart, and stays refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.charging import begin, metered, session, ticket
from tests.security.clients import REFUSED, MqttClient
from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def fleet(system: System) -> System:
    system.ok("evcs-cp", "create", "CP-{001..004}")
    system.ok("evcs", "driver", "add", "ALICE", "BOB")
    return system


@pytest.fixture
def thief(fleet: System) -> Iterator[Any]:
    """Someone else with a copied secret: connected, or told why not."""
    made: list[MqttClient] = []

    def enter(identity: str, secret: str) -> MqttClient:
        made.append(MqttClient(fleet.mqtt_port, identity, secret))
        return made[-1]

    yield enter
    for one in made:
        one.close()


def _judged(system: System, cp: str) -> tuple[str, str]:
    found = next(one for one in system.cps() if one["id"] == cp)
    return found["state"], found["reason"]


def _journal(system: System, cp: str) -> list[dict[str, Any]]:
    path = system.home / "data" / "journals" / f"{cp}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def _goes_on(system: System, started: str) -> None:
    """Meter readings reach Central by the new secret."""
    before = session(system, started)["energy_wh"]

    def probe() -> bool:
        now = session(system, started)
        return now["energy_wh"] > before or now["state"] == "settled"

    eventually("more energy", probe)


def _groups(system: System) -> set[str]:
    return {name.partition(":")[0] for name in system.processes()}


def test_revoked_in_a_charge_and_the_ticket_after_rekey(fleet: System, thief: Any) -> None:
    others = {n: p for n, p in fleet.steady().items() if not n.startswith("CP-001:")}
    started = begin(fleet, "CP-001", "ALICE")
    stolen = {role: fleet.secret(f"cp/CP-001/{role}") for role in ("engine", "monitor")}
    inside = [thief(f"cp/CP-001/{role}", secret) for role, secret in stolen.items()]
    assert [one.code for one in inside] == [0, 0]

    fleet.ok("evcs-cp", "revoke", "CP-001", "--no-wait")
    assert all(one.dropped.wait(1.0) for one in inside), "dropped within a second"
    assert [thief(f"cp/CP-001/{r}", s).code for r, s in stolen.items()] == [REFUSED, REFUSED]
    done = fleet.ok("evcs-cp", "revoke", "CP-001", "--json")
    assert (done.json["state"], done.json["reason"]) == ("DISCONNECTED", "revoked")

    eventually("its group is stopped", lambda: "CP-001" not in _groups(fleet))
    last = _journal(fleet, "CP-001")[-1]
    assert (last["session_id"], last["phase"], last["reason"]) == (started, "ended", "revoked")
    eventually("nothing is delivered", lambda: session(fleet, started)["state"] == "interrupted")
    topic = "evcs/v1/central/cp/CP-001/state"
    eventually("so says the bus", lambda: not fleet.retained(topic)[topic]["session"]["power_w"])
    assert not (fleet.home / "conf" / "supervisord.d" / "CP-001.conf").exists()
    eventually("no status is left", lambda: not fleet.retained("evcs/v1/cp/CP-001/#"))
    assert fleet.ok("evcs", "status", "--check")

    fleet.ok("evcs-cp", "rekey", "CP-001")
    settled = ticket(fleet, started)
    assert settled["reason"] == "revoked"
    assert settled["energy_wh"] == last["energy_wh"] > 0
    assert _judged(fleet, "CP-001") == ("ACTIVATED", "")
    for role, old in stolen.items():
        assert fleet.secret(f"cp/CP-001/{role}") != old
        assert thief(f"cp/CP-001/{role}", old).code == REFUSED
    now = fleet.steady()
    assert {name: now.get(name) for name in others} == others


def test_revoked_stays_revoked_across_restarts(fleet: System, thief: Any) -> None:
    started = begin(fleet, "CP-002", "ALICE")
    old = fleet.secret("cp/CP-002/engine")
    fleet.ok("evcs-cp", "revoke", "CP-002")
    assert fleet.ok("evcs-cp", "revoke", "CP-002").code == 0, "again is as well"
    last = eventually(
        "contactor opened",
        lambda: found if (found := _journal(fleet, "CP-002")[-1])["phase"] == "ended" else None,
    )
    for end in (lambda: fleet.ok("evcs", "down"), fleet.kill_all):
        end()
        fleet.up()
        assert _judged(fleet, "CP-002") == ("DISCONNECTED", "revoked")
        # What the end came before is made up for once it is up again.
        eventually("its group is stopped", lambda: "CP-002" not in _groups(fleet))
        assert thief("cp/CP-002/engine", old).code == REFUSED
        assert session(fleet, started)["state"] == "interrupted"

    denied = fleet.run("evcs-driver", "charge", "CP-002", "--driver", "BOB", "--json")
    assert denied.code != 0
    fleet.ok("evcs-cp", "edit", "CP-002", "--price-eur-kwh", "0.44")
    assert _judged(fleet, "CP-002") == ("DISCONNECTED", "revoked")

    closed = fleet.ok("evcs", "sessions", "close", started, "--json").json
    assert closed["state"] == "settled"
    fleet.ok("evcs-cp", "rekey", "CP-002")
    assert _judged(fleet, "CP-002") == ("ACTIVATED", "")
    rows = [r for r in fleet.ok("evcs", "sessions", "--json").json if r["session_id"] == started]
    assert [(row["state"], row["energy_wh"]) for row in rows] == [("settled", last["energy_wh"])]
    fleet.ok("evcs", "down")
    fleet.up()
    assert thief("cp/CP-002/engine", old).code == REFUSED, "refused after a restart too"


def test_rekey_in_a_charge_does_not_cut_it(fleet: System, thief: Any) -> None:
    started = begin(fleet, "CP-003", "BOB", "8")
    pids = fleet.steady()
    for _ in range(3):
        old = fleet.secret("cp/CP-003/engine")
        inside = thief("cp/CP-003/engine", old)
        assert inside.code == 0
        fleet.ok("evcs-cp", "rekey", "CP-003")
        assert inside.dropped.wait(1.0)
        assert thief("cp/CP-003/engine", old).code == REFUSED
        _goes_on(fleet, started)
    settled = ticket(fleet, started)
    assert (settled["reason"], settled["energy_wh"]) == ("completed", 8000)
    assert metered(fleet, "CP-003")[started] == 8000
    assert fleet.steady() == pids


def test_ranges_and_refusals(fleet: System) -> None:
    done = fleet.ok("evcs-cp", "revoke", "CP-{003..004}", "--json").json
    assert {one["reason"] for one in done} == {"revoked"}
    done = fleet.ok("evcs-cp", "rekey", "CP-00[34]", "--json").json
    assert {one["state"] for one in done} == {"ACTIVATED"}
    fleet.ok("evcs-cp", "fault", "CP-003")
    fleet.ok("evcs-cp", "stop", "CP-004")
    done = fleet.ok("evcs-cp", "rekey", "CP-003", "CP-004", "--json").json
    assert [one["state"] for one in done] == ["BROKEN_DOWN", "OUT_OF_ORDER"]
    assert fleet.run("evcs-cp", "revoke", "CP-999").code == 4
    url = f"{fleet.registry_url}/api/v1/cps"
    assert fleet.http("POST", f"{url}/CP-004/revoke")[0] == 401
    assert fleet.http("POST", f"{url}/CP-004/rekey", token="wrong")[0] == 401
    assert fleet.http("POST", f"{url}/CP-999/revoke", token=fleet.token)[0] == 404
    assert fleet.http("PATCH", f"{url}/CP-004", {"revoked": True}, fleet.token)[0] == 400
    before = fleet.secret("cp/CP-004/engine")
    status, found = fleet.http("POST", f"{url}/CP-004/rekey", token=fleet.token)
    assert (status, found["revoked"]) == (200, False)
    assert fleet.secret("cp/CP-004/engine") != before
    assert before not in json.dumps(found)
    fleet.ok("evcs-cp", "revoke", "CP-004")
    fleet.ok("evcs-cp", "delete", "CP-004")
    assert subprocess.run(
        ["grep", "-c", "cp/CP-004/", str(fleet.home / "data" / "mosquitto.passwd")],
        capture_output=True, text=True,
    ).stdout.strip() == "0"  # fmt: skip
