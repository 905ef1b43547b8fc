"""B5: who pretends to be another gets nowhere, and is seen; on a whole running system."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.faults.charging import begin, session, ticket
from tests.security.clients import REFUSED, MqttClient, Will
from tests.system_under_test import System, eventually

FORGED = b'{"online":false,"boot":"forged"}'


@pytest.fixture(scope="module")
def fleet(system: System) -> System:
    system.ok("evcs-cp", "create", "CP-001", "CP-002")
    system.ok("evcs", "driver", "add", "ALICE", "BOB")
    return system


def enter(system: System, identity: str, **more: Any) -> MqttClient:
    return MqttClient(system.mqtt_port, identity, system.secret(identity), **more)


def test_a_command_forged_by_a_cp_or_a_driver(fleet: System) -> None:
    started = begin(fleet, "CP-001", "ALICE", "3")
    stop = json.dumps({"id": "x.stop", "verb": "stop", "session_id": started}).encode()
    fault = json.dumps({"id": "x", "verb": "fault", "reason": "forged"}).encode()
    for identity in ("cp/CP-002/engine", "cp/CP-001/monitor", "driver/BOB", "inspector"):
        for payload in (stop, fault):
            with enter(fleet, identity) as client:
                assert client.write("evcs/v1/central/cp/CP-001/engine/cmd", payload) == REFUSED
        with enter(fleet, identity) as client:
            asked = json.dumps({"id": "x", "verb": "stop"}).encode()
            assert client.write("evcs/v1/driver/ALICE/request", asked) == REFUSED
    assert ticket(fleet, started)["reason"] == "completed"
    assert session(fleet, started)["energy_wh"] == 3000


def test_another_ones_will(fleet: System) -> None:
    for topic in ("cp/CP-001/engine/status", "cp/CP-001/monitor/status", "central/status"):
        before = fleet.retained(f"evcs/v1/{topic}")
        client = enter(fleet, "cp/CP-002/engine", will=Will(f"evcs/v1/{topic}", FORGED))
        if client.code == 0:
            client.break_off()
        with enter(fleet, "cp/CP-002/monitor") as marker:
            marker.write("evcs/v1/cp/CP-002/monitor/x", b"{}")
        assert fleet.retained(f"evcs/v1/{topic}") == before
    assert fleet.states() == {"CP-001": "ACTIVATED", "CP-002": "ACTIVATED"}


def test_a_subscription_to_everything(fleet: System) -> None:
    with enter(fleet, "cp/CP-002/engine") as engine, enter(fleet, "driver/BOB") as driver:
        for client in (engine, driver):
            client.read("#", "evcs/#", "+/+/+/+/+/+", "evcs/v1/central/#")
        ticket(fleet, begin(fleet, "CP-001", "ALICE", "1"))
        fleet.ok("evcs-driver", "list", "--driver", "BOB")
        eventually("its answer", lambda: any("BOB" in topic for topic, _ in driver.heard), 10)
        assert {topic for topic, _ in driver.heard} == {
            "evcs/v1/central/status", "evcs/v1/central/driver/BOB/event",
        }  # fmt: skip
        assert {topic for topic, _ in engine.heard} == {"evcs/v1/central/status"}


def test_a_client_id_can_not_be_guessed(fleet: System) -> None:
    """Whoever knows one can throw its owner out: so they are random, and told to nobody."""
    log = (fleet.home / "log" / "mosquitto.log").read_text()
    found = re.findall(r"New client connected from \S+ as (\S+) \(.*u'(cp|central|web|reg)", log)
    ids = {client for client, _ in found}
    long = {one for one in ids if re.fullmatch(r"[0-9a-f]{32}", one)}
    assert len(long) >= 7
    with fleet.listening("evcs/#") as heard:
        ticket(fleet, begin(fleet, "CP-001", "ALICE", "1"))
    said = json.dumps(heard) + json.dumps(fleet.retained())
    assert not [one for one in ids if one in said]
    fleet.ok("evcs-cp", "restart", "CP-001")
    later = (fleet.home / "log" / "mosquitto.log").read_text()[len(log) :]
    anew = re.findall(r"as (\S+) \(.*u'cp/CP-001", later)
    assert anew
    assert not set(anew) & ids


def test_a_wrong_secret_and_no_secret_are_refused_and_audited(fleet: System) -> None:
    def count() -> int:
        rows = fleet.ok("evcs", "audit", "--json").json
        return sum((row["what"], row["outcome"]) == ("login", "refused") for row in rows)

    before = count()
    tries = [
        ("central", fleet.secret("web")),
        ("cp/CP-001/engine", fleet.secret("cp/CP-002/engine")),
        ("cp/CP-001/engine", ""),
        ("cp/+/engine", "x"),
        ("root", "x"),
        ("", ""),
    ]
    for identity, secret in tries:
        with MqttClient(fleet.mqtt_port, identity, secret) as client:
            assert client.code == REFUSED, identity
    eventually("all are audited", lambda: count() == before + len(tries))
