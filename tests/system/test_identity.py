"""Issue line 7: everyone on the bus is someone, and speaks and hears only as such."""

from __future__ import annotations

import json
import stat
import subprocess

import pytest

from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def fleet(system: System) -> System:
    system.ok("evcs-cp", "create", "CP-001", "CP-002")
    system.ok("evcs", "driver", "add", "ALICE", "BOB")
    return system


def _publish(system: System, user: str | None, topic: str, payload: str) -> int:
    who = ["-u", user, "-P", system.secret(user)] if user else []
    command = ["mosquitto_pub", "-V", "5", "-p", str(system.mqtt_port), *who, "-t", topic,
               "-m", payload, "-q", "1"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    refused = done.returncode != 0 or "not authori" in (done.stdout + done.stderr).lower()
    return 1 if refused else 0


def _heard(system: System, user: str | None, topic: str) -> list[str]:
    who = ["-u", user, "-P", system.secret(user)] if user else []
    command = ["mosquitto_sub", "-V", "5", "-p", str(system.mqtt_port), *who, "-t", topic, "-v",
               "-W", "1"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return done.stdout.splitlines()


def test_no_anonymous_connection(fleet: System) -> None:
    assert _publish(fleet, None, "evcs/v1/operator/request", "{}") == 1
    assert _heard(fleet, None, "evcs/#") == []


@pytest.mark.parametrize(
    "topic",
    [
        "evcs/v1/cp/CP-001/engine/status",
        "evcs/v1/cp/CP-002/monitor/status",
        "evcs/v1/central/cp/CP-002/state",
        "evcs/v1/central/cp/CP-002/engine/cmd",
        "evcs/v1/registry/cp/CP-002",
        "evcs/v1/driver/ALICE/request",
        "evcs/v1/operator/request",
    ],
)
def test_an_engine_writes_only_below_itself(fleet: System, topic: str) -> None:
    before = fleet.retained("evcs/v1/registry/#")
    assert _publish(fleet, "cp/CP-002/engine", topic, '{"online":false,"boot":"forged"}') == 1
    assert fleet.retained("evcs/v1/registry/#") == before
    assert fleet.states() == {"CP-001": "ACTIVATED", "CP-002": "ACTIVATED"}


def test_a_driver_hears_only_its_own(fleet: System) -> None:
    command = ["mosquitto_sub", "-V", "5", "-p", str(fleet.mqtt_port), "-u", "driver/BOB", "-P",
               fleet.secret("driver/BOB"), "-t", "evcs/#", "-v"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        first = listener.stdout.readline()
        assert first.startswith("evcs/v1/central/status ")
        fleet.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "0.2")
        fleet.ok("evcs-driver", "list", "--driver", "BOB")
        second = listener.stdout.readline()
        listener.terminate()
        assert second.startswith("evcs/v1/central/driver/BOB/event ")
        assert listener.stdout.read() == ""


def test_secrets_are_private_and_nowhere_else(fleet: System) -> None:
    root = fleet.home / "data" / "secrets"
    files = [path for path in root.rglob("*") if path.is_file()]
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    secrets = [path.read_bytes() for path in files]
    assert len(set(secrets)) == len(secrets) >= 13
    others = [p for p in fleet.home.rglob("*") if p.is_file() and root not in p.parents]
    for path in others:
        content = path.read_bytes()
        assert not [one for one in secrets if one in content], path
    on_the_bus = json.dumps(fleet.retained())
    assert not [one for one in secrets if one.decode() in on_the_bus]


def test_a_removed_driver_is_shut_out(fleet: System) -> None:
    fleet.ok("evcs", "driver", "add", "CLEO")
    secret, record = fleet.secret("driver/CLEO"), "evcs/v1/registry/driver/CLEO"
    assert fleet.retained(record)[record]["id"] == "CLEO"
    command = ["mosquitto_sub", "-V", "5", "-p", str(fleet.mqtt_port), "-u", "driver/CLEO", "-P",
               secret, "-t", "evcs/#", "-C", "1", "-W", "5"]  # fmt: skip
    assert subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    fleet.ok("evcs", "driver", "remove", "CLEO")
    eventually(
        "refused",
        lambda: subprocess.run(command, capture_output=True, timeout=20).returncode not in (0, 27),
    )
    assert not (fleet.home / "data" / "secrets" / "driver" / "CLEO").exists()
    assert fleet.retained(record) == {}
