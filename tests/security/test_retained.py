"""G4: what is retained where nothing is is not read, neither now nor at a later connection."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.security.clients import REFUSED, MqttClient
from tests.system_under_test import System, eventually

CHARGE = json.dumps({"verb": "charge", "id": "r1", "cp": "CP-001", "energy_wh": 100}).encode()
CLOSE = json.dumps({"verb": "ping", "id": "r1"}).encode()
READING = json.dumps({"session_id": "S", "seq": 1, "energy_wh": 1, "power_w": 1, "voltage_v": 1.0,
                      "current_a": 1.0, "x": "x" * 60_000}).encode()  # fmt: skip
#: Who -> what it has the broker keep, where the contract retains nothing.
KEPT = {
    "driver/ALICE": ("request", CHARGE),
    "driver/BOB": ("request", json.dumps({"x": "x" * 60_000}).encode()),
    "driver/EVE": ("request", CHARGE),
    "operator": ("request", CLOSE),
    "web": ("request", CLOSE),
    "cp/CP-001/engine": ("meter", READING),
    "gateway/main": ("reply", json.dumps({"id": "r1", "ok": True}).encode()),
    "manager/main": ("reply", json.dumps({"id": "r1", "ok": True}).encode()),
}


@pytest.fixture(scope="module")
def fleet(system: System) -> System:
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", "ALICE", "BOB", "EVE")
    return system


@pytest.fixture
def without_central(fleet: System) -> Iterator[System]:
    fleet.ok("supervisorctl", "stop", "central")
    yield fleet
    fleet.run("supervisorctl", "start", "central")
    fleet.wait_for_state("CP-001", "ACTIVATED")


def keep_all(system: System) -> None:
    for identity, (name, payload) in KEPT.items():
        with MqttClient(system.mqtt_port, identity, system.secret(identity)) as client:
            client.write(f"evcs/v1/{identity}/{name}", payload, retain=True)


def kept(system: System) -> set[str]:
    """Where something is kept that isn't to be."""
    found = system.retained("evcs/v1/driver/#") | system.retained("evcs/v1/cp/#")
    found |= system.retained("evcs/v1/+/request") | system.retained("evcs/v1/+/+/reply")
    return {topic for topic in found if not topic.endswith("/status")}


def nothing_came_of_it(system: System) -> None:
    eventually("nothing is kept", lambda: not kept(system), 20)
    assert system.ok("evcs", "sessions", "--json").json == []
    entries = system.ok("evcs", "audit", "--json").json
    assert not [one for one in entries if one["what"] in ("charge", "ping", "meter")]


def test_what_comes_while_central_is_there(fleet: System) -> None:
    keep_all(fleet)
    nothing_came_of_it(fleet)


def test_what_came_while_central_was_away_also_of_a_driver_who_is_gone(
    without_central: System,
) -> None:
    system = without_central
    keep_all(system)
    system.ok("evcs", "driver", "remove", "EVE")
    assert len(kept(system)) == len(KEPT)
    system.ok("supervisorctl", "start", "central")
    system.wait_for_state("CP-001", "ACTIVATED")
    nothing_came_of_it(system)
    assert "driver/EVE" not in repr(system.ok("evcs", "audit", "--json").json)


def test_a_request_that_is_not_retained_is_answered_as_ever(fleet: System) -> None:
    done = fleet.ok(
        "evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "0.1", "--json"
    )
    assert '"ticket"' in done.out


def test_a_cp_that_is_deleted_leaves_nothing_whatever_it_wrote(fleet: System) -> None:
    """G5: six topics are all that a CP can have kept, and who is gone has none."""
    fleet.ok("evcs-cp", "create", "CP-002")
    leaves = ("status", "meter", "session", "reply", "request", "x", "x/y", "status/x")
    codes = {}
    for role in ("engine", "monitor"):
        who = f"cp/CP-002/{role}"
        for leaf in leaves:
            # The broker may drop who says what it must not.
            with MqttClient(fleet.mqtt_port, who, fleet.secret(who)) as client:
                topic = f"evcs/v1/{who}/{leaf}"
                codes[f"{role}/{leaf}"] = client.write(topic, b"x" * 60_000, retain=True)
    written = {name for name, code in codes.items() if code != REFUSED}
    engines = {f"engine/{leaf}" for leaf in leaves[:5]}
    assert written == {*engines, "monitor/status"}
    fleet.ok("evcs-cp", "delete", "CP-002", "--yes")
    eventually(
        "all is gone",
        lambda: not [one for one in fleet.retained("evcs/v1/#") if "CP-002" in one],
        20,
    )
