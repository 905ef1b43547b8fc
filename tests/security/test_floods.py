"""B7, B8: what a CP or a driver sends, however bad or much, stops nobody else."""

from __future__ import annotations

import contextlib
import json
import random
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from evcs.adapters.broker_clients import MOST_CONNECTIONS
from evcs.core import topics
from evcs.core.said import A_DROPPED, FLOOD_AT_ONCE
from evcs.services.central.fair_share import A_PAGE, AT_ONCE
from tests.faults.charging import begin, no_ticket_is_doubled, ticket
from tests.security import floods
from tests.security.clients import ALLOWED, REFUSED, MqttClient
from tests.system_under_test import ROOT, System, eventually

SERVICES = ("central", "cp-manager", "mosquitto", "registry", "web")
CP = "CP-001"
ENGINE: dict[str, dict[str, Any]] = {
    "status": {"online": True, "boot": "b", "phase": "idle", "plugged": False,
               "session_id": None, "fault": None, "central": True},
    "meter": {"session_id": "S", "seq": 1, "energy_wh": 1, "power_w": 1, "voltage_v": 230.0,
              "current_a": 1.0},
    "session": {"event": "ended", "session_id": "S", "seq": 1, "energy_wh": 1, "reason": "x"},
    "reply": {"id": "S.start", "ok": True, "error": None},
}  # fmt: skip
MONITOR: dict[str, dict[str, Any]] = {
    "status": {"online": True, "boot": "b", "engine": "ok", "latency_ms": 1.0, "fault": None},
}
DRIVER: dict[str, dict[str, Any]] = {
    "request": {"verb": "charge", "id": "1", "cp": CP, "energy_wh": 100},
}
BAD_CPS = ("CP-001", "CP-002", "CP-003", "CP-004")
BAD_DRIVERS = ("ALICE", "DAVE", "ERIN", "EVE")
#: Identity -> topic -> what is said there. No sender sends more than Central takes from one.
SENDERS = {
    **{f"cp/{cp}/engine": ENGINE for cp in BAD_CPS},
    **{f"cp/{cp}/monitor": MONITOR for cp in BAD_CPS},
    **{f"driver/{driver}": DRIVER for driver in BAD_DRIVERS},
}
MESSAGES = 10_000


@pytest.fixture(scope="module")
def fleet(system: System) -> System:
    system.ok("evcs-cp", "create", "CP-{001..006}")
    system.ok("evcs", "driver", "add", "BOB", *BAD_DRIVERS)
    return system


def pids(system: System) -> dict[str, int]:
    """Processes of all but the CPs that misbehave."""
    return {who: pid for who, pid in system.steady().items() if not who.startswith(BAD_CPS)}


def dropped(system: System) -> float:
    """Messages that Central could not read, by its own count."""
    with urllib.request.urlopen(f"{system.web_url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    line = r'^evcs_bus_unreadable_total{reader="central"} (\S+)$'
    found = re.search(line, text, re.MULTILINE)
    assert found, text
    return float(found[1])


def no_traceback(system: System) -> None:
    for name in SERVICES:
        log = (system.home / "log" / f"{name}.log").read_text(errors="replace")
        assert "Traceback" not in log, name
        assert "internal error" not in log, name


def serves(system: System, cps: int = 6) -> None:
    """Another driver is answered and charged at another CP, and has its ticket."""
    assert ticket(system, begin(system, "CP-005", "BOB", "0.4"))["reason"] == "completed"
    assert len(system.ok("evcs-driver", "list", "--driver", "BOB", "--json").json) == cps


def _sender(identity: str) -> str:
    return "/".join(identity.split("/")[:2])


def _all_settled(fleet: System) -> bool:
    for driver in BAD_DRIVERS:
        fleet.run("evcs-driver", "stop", "--driver", driver)
    rows = fleet.ok("evcs", "sessions", "--json").json
    return all(row["state"] == "settled" for row in rows)


def test_ten_thousand_bad_messages(fleet: System) -> None:
    before, count, dice = pids(fleet), dropped(fleet), random.Random(7)
    # The same from each CP and driver, below what Central takes of one at once.
    topics_of = Counter[str]()
    for identity, found in SENDERS.items():
        topics_of[_sender(identity)] += len(found)
    sent = 0
    for identity, found in SENDERS.items():
        share = MESSAGES // len(topics_of) // topics_of[_sender(identity)] + 1
        taken = 0
        with MqttClient(fleet.mqtt_port, identity, fleet.secret(identity)) as client:
            for name, good in found.items():
                topic = f"evcs/v1/{identity}/{name}"
                for _ in range(share):
                    payload = floods.mutated(good, dice)
                    client.send(topic, payload, dice.random() < 0.1)
                    sent += 1
                    taken += 1 + len(payload) // A_DROPPED
            assert client.all_answered() <= ALLOWED
        assert taken < FLOOD_AT_ONCE, "bad messages are tried here, not a flood"
        assert fleet.ok("evcs-driver", "list", "--driver", "BOB", "--json").json
    assert sent >= MESSAGES
    serves(fleet)
    eventually("they are counted", lambda: dropped(fleet) > count + MESSAGES / 4)
    log = (fleet.home / "log" / "central.log").read_text()
    assert "dropped=" in log
    assert "too many from one sender" not in log
    assert pids(fleet) == before
    no_traceback(fleet)

    # What they are judged by was their own word: once they speak for themselves all is well.
    fleet.ok("evcs-cp", "restart", *BAD_CPS, "--no-wait")
    # A message that happened to be good may have begun a charge: it ends like any other.
    eventually("no session is left open", lambda: _all_settled(fleet), every_s=1)
    for cp in BAD_CPS:
        fleet.wait_for_state(cp, "ACTIVATED")
    assert ticket(fleet, begin(fleet, CP, "ALICE", "0.4"))["reason"] == "completed"
    no_ticket_is_doubled(fleet)


def test_messages_that_are_too_large(fleet: System) -> None:
    before = pids(fleet)
    for identity, found in (("cp/CP-001/engine", ENGINE), ("driver/ALICE", DRIVER)):
        for size in (65_000, 70_000, 1_048_576):
            client = MqttClient(fleet.mqtt_port, identity, fleet.secret(identity))
            assert client.code == 0
            client.send(f"evcs/v1/{identity}/{next(iter(found))}", b"{" + b" " * size)
            if size > topics.MAX_PACKET:
                assert client.dropped.wait(20), "the broker takes none of that size"
            client.close()
    serves(fleet)
    assert pids(fleet) == before
    no_traceback(fleet)


@pytest.fixture
def flooded(fleet: System) -> Iterator[System]:
    command = [sys.executable, "-m", "tests.security.floods", str(fleet.mqtt_port),
               f"cp/{CP}/engine", "5000", "40"]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(fleet.secret(f"cp/{CP}/engine") + "\n")
    process.stdin.flush()
    yield fleet
    out, _ = process.communicate(timeout=60)
    found = re.match(r"(\d+) sent in (\S+) s", out)
    assert found, out
    assert int(found[1]) > FLOOD_AT_ONCE / 2
    assert float(found[2]) < 39, "who floods is shut out"
    with MqttClient(fleet.mqtt_port, f"cp/{CP}/engine", fleet.secret(f"cp/{CP}/engine")) as again:
        assert again.code == REFUSED
    with MqttClient(fleet.mqtt_port, f"cp/{CP}/monitor", fleet.secret(f"cp/{CP}/monitor")) as other:
        assert other.code == 0


@pytest.mark.alone
def test_five_thousand_messages_a_second_from_one_cp(flooded: System) -> None:
    """Authorisations of others, granted and denied, while it goes on."""
    waits: list[float] = []
    with MqttClient(flooded.mqtt_port, "driver/BOB", flooded.secret("driver/BOB")) as client:
        client.read("evcs/v1/central/driver/BOB/event")
        flooding_until = time.monotonic() + 6
        while time.monotonic() < flooding_until:
            number = len(waits)
            cp = "CP-006" if number % 10 == 0 else "CP-999"
            asked = {"id": f"a{number}", "verb": "charge", "cp": cp, "energy_wh": 1}
            begun = time.monotonic()
            client.write("evcs/v1/driver/BOB/request", json.dumps(asked).encode())
            client.wait_for_answer(f"a{number}")
            waits.append(time.monotonic() - begun)
    waits.sort()
    assert len(waits) > 20
    assert waits[int(len(waits) * 0.99) - 1] < 1.0, waits[-5:]

    def all_over() -> bool:
        rows = flooded.ok("evcs", "sessions", "--driver", "BOB", "--json").json
        return all(row["state"] == "settled" for row in rows)

    eventually("his charges are over", all_over, every_s=0.2)


@pytest.mark.alone
def test_who_subscribes_without_end_is_shut_out(fleet: System) -> None:
    """Each subscription is looked at at each publication, and each may be to the same."""
    with MqttClient(fleet.mqtt_port, "driver/DAVE", fleet.secret("driver/DAVE")) as client:
        for number in range(20_000):
            client.client.subscribe(f"$share/g{number}/evcs/#")
            if client.dropped.is_set():
                break
        assert client.dropped.wait(20), "the broker drops him"
    eventually("it is audited", lambda: any(
        (row["who"], row["what"], row["outcome"]) == ("driver/DAVE", "flood", "shut out")
        for row in fleet.ok("evcs", "audit", "--json").json
    ), 20)  # fmt: skip
    serves(fleet)


@pytest.mark.alone
def test_who_connects_hundreds_of_times_is_shut_out(fleet: System) -> None:
    """99 shared subscriptions over each of 1,900 connections end the broker."""
    secret = fleet.secret("driver/ERIN")
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS + 50):
            with contextlib.suppress(OSError, IndexError):  # shut out already
                stack.enter_context(floods.connect(fleet.mqtt_port, "driver/ERIN", secret))
        eventually("it is audited", lambda: any(
            (row["who"], row["what"], row["outcome"]) == ("driver/ERIN", "flood", "shut out")
            for row in fleet.ok("evcs", "audit", "--json").json
        ), 20)  # fmt: skip
    serves(fleet)


def _is_answered_within_a_second(system: System, bob: MqttClient, until: float) -> None:
    """A driver charges, and stops, and charges again."""
    waits: list[float] = []
    while time.monotonic() < until:
        begun = time.monotonic()
        number = f"c{len(waits)}"
        asked = {"id": number, "verb": "charge", "cp": "CP-006", "energy_wh": 20_000}
        bob.write("evcs/v1/driver/BOB/request", json.dumps(asked).encode())
        bob.wait_for_answer(number)
        waits.append(time.monotonic() - begun)
        system.run("evcs-driver", "stop", "--driver", "BOB")
    assert any(b'"event":"authorised"' in payload for _, payload in bob.heard)
    assert len(waits) > 3
    assert max(waits) < 1.0, waits


@pytest.mark.alone
def test_a_fleet_larger_than_a_payload_asked_for_again_and_again(fleet: System) -> None:
    with MqttClient(fleet.mqtt_port, "registry", fleet.secret("registry")) as registry:
        for n in range(400):
            cp = {"id": f"X-{n:03d}", "service": "in", "price_eur_kwh": "0.30", "max_power_w": 1,
                  "location": "x" * 200, "host": "elsewhere", "revoked": False, "deleted": False,
                  "revision": 1}  # fmt: skip
            registry.send(f"evcs/v1/registry/cp/X-{n:03d}", json.dumps(cp).encode(), retain=True)
        assert registry.all_answered() <= ALLOWED
    names = [cp["id"] for cp in fleet.ok("evcs-driver", "list", "--driver", "BOB", "--json").json]
    assert names == sorted(names)
    assert len(names) == 406
    before, left_out = fleet.processes()["central"], dropped(fleet)
    asked = json.dumps({"id": "l", "verb": "list"}).encode()
    eve, bob = (
        MqttClient(fleet.mqtt_port, f"driver/{name}", fleet.secret(f"driver/{name}"))
        for name in ("EVE", "BOB")
    )
    with eve, bob:
        bob.read("evcs/v1/central/driver/BOB/event")
        over = threading.Event()

        def repeat() -> None:
            while not over.is_set():
                eve.send("evcs/v1/driver/EVE/request", asked)
                time.sleep(0.002)

        asking = threading.Thread(target=repeat)
        asking.start()
        _is_answered_within_a_second(fleet, bob, time.monotonic() + 5)
        over.set()
        asking.join()
    assert fleet.processes()["central"] == before
    answered = AT_ONCE / A_PAGE
    eventually("the rest is dropped", lambda: dropped(fleet) > left_out + answered, 20)
    log = (fleet.home / "log" / "central.log").read_text(errors="replace")
    assert "Packet too large" not in log


@pytest.mark.alone
def test_after_the_flood(fleet: System) -> None:
    """The last one. That the CP is let in again is tests/adapters/test_registry.py's."""
    rows = fleet.ok("evcs", "audit", "--limit", "1000", "--json").json
    assert {row["who"] for row in rows if row["what"] == "flood"} == {
        f"cp/{CP}/engine", "driver/DAVE", "driver/ERIN",
    }  # fmt: skip
    serves(fleet, cps=406)
    no_traceback(fleet)
    rows = fleet.ok("evcs", "audit", "--cp", CP, "--limit", "100000", "--json").json
    assert len(rows) < 5_000, "a flood must not fill the ledger"
