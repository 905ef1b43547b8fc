"""`evcs driver remove --forget`: the name goes, the tickets keep their sums."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.security.clients import MqttClient
from tests.system.test_old_formats import OPEN, backup_v1
from tests.system_under_test import ROOT, System, eventually

NAME = "WILHELMINE"


@pytest.fixture(scope="module")
def charged(new_system: Callable[..., System]) -> System:
    system = new_system(time_scale=600.0)
    system.up()
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", NAME, "BERT")
    for driver in (NAME, "BERT"):
        system.ok("evcs-driver", "charge", "CP-001", "--driver", driver, "--kwh", "0.5")
    return system


def sums(system: System) -> list[Any]:
    return system.http("GET", f"{system.web_url}/api/v1/sessions/sums")[1]


def test_a_driver_who_charges_stays(charged: System) -> None:
    """Nothing of it is done, the identity included."""
    started = charged.ok(
        "evcs-driver", "charge", "CP-001", "--driver", NAME, "--kwh", "900", "--no-watch", "--json"
    ).json
    done = charged.run("evcs", "driver", "remove", NAME, "--forget", "--json")
    assert (done.code, done.json["error"]["code"]) == (5, "conflict")
    assert {"id": NAME, "tags": []} in charged.ok("evcs", "driver", "list", "--json").json
    charged.ok("evcs-driver", "stop", "--driver", NAME)
    eventually(
        "settled",
        lambda: (
            {one["session_id"]: one for one in charged.ok("evcs", "sessions", "--json").json}[
                started["session_id"]
            ]["state"]
            == "settled"
        ),
    )


def test_a_forgotten_driver(charged: System) -> None:
    flood(charged)
    before = sums(charged)
    done = charged.ok("evcs", "driver", "remove", NAME, "--forget", "--json").json
    assert done == {"id": NAME, "done": "removed and forgotten"}
    assert sums(charged) == before
    tickets = charged.ok("evcs", "sessions", "--json").json
    names = {one["driver"] for one in tickets}
    assert len(names) == 2
    (pseudonym,) = names - {"BERT"}
    assert pseudonym.startswith("removed-")
    audit = charged.ok("evcs", "audit", "--json").json
    of_drivers = [one for one in audit if one["what"].startswith("driver ")]
    assert sorted((one["what"], one["detail"]) for one in of_drivers) == [
        ("driver add", "BERT"), ("driver add", pseudonym), ("driver remove", pseudonym),
    ]  # fmt: skip
    assert NAME not in repr([tickets, audit, done | {"id": ""}])
    assert [one["detail"] for one in audit if one["what"] == "forget"] == [""]
    assert charged.ok("evcs", "sessions", "--driver", NAME, "--json").json == []
    refused = charged.run("evcs", "driver", "add", pseudonym)
    assert (refused.code, "reserved" in refused.err) == (2, True)


def flood(system: System) -> None:
    """What can't be read, again and again: Central and the Registry have the name in their logs."""
    with MqttClient(system.mqtt_port, f"driver/{NAME}", system.secret(f"driver/{NAME}")) as driver:
        for _ in range(40_000):
            driver.client.publish(f"evcs/v1/driver/{NAME}/request", b"{")
        assert driver.dropped.wait(60), "it is shut out"
    logs = [system.home / "log" / f"{service}.log" for service in ("central", "registry")]
    eventually("both name the driver", lambda: all(map(holds, logs)), 30)


def test_where_the_name_is_left(charged: System) -> None:
    """As docs/security.md says: logs, until they are rotated."""
    left = {
        path.relative_to(charged.home).parts[0]
        for path in charged.home.rglob("*")
        if path.is_file() and NAME.encode() in path.read_bytes()
    }
    assert left <= {"log"}
    logs = {path.name for path in (charged.home / "log").iterdir() if holds(path)}
    assert logs <= {"mosquitto.log", "central.log", "registry.log"}
    told = (ROOT / "docs" / "security.md").read_text()
    assert all(f"`log/{name}`" in told for name in logs)


def holds(path: Path) -> bool:
    return path.is_file() and NAME.encode() in path.read_bytes()


def test_one_who_was_removed_before_is_forgotten_later(charged: System) -> None:
    charged.ok("evcs", "driver", "remove", "BERT")
    assert "BERT" in {one["driver"] for one in charged.ok("evcs", "sessions", "--json").json}
    charged.ok("evcs", "driver", "remove", "BERT", "--forget")
    assert "BERT" not in {one["driver"] for one in charged.ok("evcs", "sessions", "--json").json}
    assert charged.run("evcs", "driver", "remove", "BERT", "--forget").code == 4


def test_what_central_has_not_taken_up_yet_is_forgotten_with_the_rest(charged: System) -> None:
    charged.ok("supervisorctl", "stop", "central")
    charged.ok("evcs", "driver", "add", "EMIL")
    charged.ok("evcs", "driver", "remove", "EMIL")
    charged.ok("supervisorctl", "start", "central")
    charged.ok("evcs", "driver", "remove", "EMIL", "--forget")
    eventually("the spool is cut", lambda: not any(charged.home.glob("data/audit/*/*")))
    assert "EMIL" not in charged.ok("evcs", "audit", "--json").out
    assert not [one for one in charged.home.glob("data/**/*") if holds_name(one, "EMIL")]


def holds_name(path: Path, name: str) -> bool:
    return path.is_file() and name.encode() in path.read_bytes()


def test_a_new_driver_without_tickets_is_removed_all_the_same(charged: System) -> None:
    charged.ok("evcs", "driver", "add", "DORA")
    charged.ok("evcs", "driver", "remove", "DORA", "--forget")
    assert "DORA" not in charged.ok("evcs", "audit", "--json").out
    assert charged.ok("evcs", "driver", "list", "--json").json == []


def test_what_is_old_goes_when_it_is_set_and_the_rest_stays(
    new_system: Callable[..., System], tmp_path: Path
) -> None:
    system = new_system(time_scale=600.0)
    system.ok("evcs", "restore", str(backup_v1(tmp_path)))
    (system.home / "conf").mkdir(exist_ok=True)
    (system.home / "conf" / "evcs.toml").write_text("[keep]\nsessions_days = 5\n")
    shown = {one["setting"]: one for one in system.ok("evcs", "config", "show", "--json").json}
    assert shown["keep.sessions_days"]["value"] == 5
    assert shown["keep.audit_days"]["value"] == 0
    refused = system.run("evcs", "config", "show", EVCS_KEEP_AUDIT_DAYS="-1")
    assert (refused.code, "keep.audit_days" in refused.err) == (2, True)
    system.up()

    def left() -> set[str]:
        return {one["session_id"][:6] for one in system.ok("evcs", "sessions", "--json").json}

    eventually("what is old is gone", lambda: left() <= {OPEN[:6]})
    assert system.run("evcs", "status", "--check").code == 0
