"""Every cell of identity x topic, reading and writing, on the real broker (contract, "The bus")."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from docs import make_access_table as access
from evcs.core import topics
from tests.adapters.broker import Broker
from tests.security.clients import ALLOWED, REFUSED, MqttClient
from tests.system_under_test import ROOT, eventually

IDENTITIES = (
    "registry", "central", "web", "manager/main", "gateway/main", "operator", "inspector",
    "cp/CP-001/engine", "cp/CP-001/monitor", "cp/CP-002/engine", "cp/CP-002/monitor",
    "driver/ALICE", "driver/BOB", "meter/garage", "meter/house",
)  # fmt: skip
NOBODYS = (
    "evcs/v1", "evcs/v1/x", "evcs/v2/central/status", "evcs", "x", "evcs/v1/cp/CP-001",
    "evcs/v1/cp/CP-001/engine", "evcs/v1/cp//engine/status", "evcs/v1/cp/CP-0011/engine/status",
    "evcs/v1/driver/request", "evcs/v1/driver/ALICE/BOB/request", "evcs/v1/central",
    "evcs/v1/registry", "evcs/v1/central/central/status", "evcs/v1/manager/cp/CP-001",
    *(f"evcs/v1/{who}/{leaf}" for who in IDENTITIES for leaf in
      ("status", "request", "meter", "session", "reply", "event", "power", "x", "x/y",
       "cp/CP-001")),
)  # fmt: skip
#: Where nothing is retained, as long as Central clears it.
STRAYS = (
    r"cp/[^/]*/engine/(meter|session|reply|request)|driver/[^/]*/request|(operator|web)/request|meter/[^/]*/power"
    r"|(manager|gateway)/[^/]+/reply"
)
#: What CPs, stations and hosts that are gone have left, for the Registry to clear.
LEFT = (
    r"cp/[^/]*/(engine|monitor)/status|gateway/[^/]+/station/[^/]+/status"
    r"|manager/[^/]+/(status|cp/[^/]*)"
)
SAYS = {
    "registry": r"status|(cp|driver|station|circuit|host)/[^/]+",
    "central": r"status|summary|cp/[^/]+/(state|engine/(cmd|answer))|(manager|gateway)/[^/]+/cmd"
    r"|(circuit|host)/[^/]+/state|(driver/[^/]+|operator|web)/event|registry/flood",
    "web": "status|request",
    "manager/main": r"status|reply|cp/[^/]+",
    "gateway/main": r"status|reply|station/[^/]+/(status|frame)",
    "operator": "request",
    "inspector": "(?!)",
    "cp/engine": "status|meter|session|reply|request",
    "cp/monitor": "status",
    "driver": "request",
    "meter": "power",
}
MARK = "evcs/v1/central/status"


def _topics() -> list[str]:
    """Every topic of the contract, of two CPs, drivers and hosts, and some that are nobody's."""
    found = {
        topics.PREFIX + template.format(**levels)
        for template in access.templates()
        for levels in (access.OWN, access.OTHER)
    }
    return sorted({*found, *NOBODYS})


TOPICS = _topics()


def _below(topic: str, branch: str) -> bool:
    return topic == branch or topic.startswith(branch + "/")


def may_write(identity: str, topic: str) -> bool:
    """What the contract has each identity say, and who clears what others left."""
    if not topic.startswith("evcs/v1/"):
        return False
    topic = topic.removeprefix("evcs/v1/")
    if identity == "registry" and re.fullmatch(LEFT, topic):
        return True
    if identity == "central" and re.fullmatch(STRAYS, topic):
        return True
    kind = re.sub(r"^(cp/)[^/]+/|^(driver|meter)/.*", r"\1\2", identity)
    rest = topic.removeprefix(identity + "/")
    return rest != topic and re.fullmatch(SAYS[kind], rest) is not None


def may_read(identity: str, topic: str) -> bool:
    """The contract's one rule, and who reads more."""
    if not _below(topic, "evcs/v1"):
        return False
    topic = topic.removeprefix("evcs/v1").removeprefix("/")
    if identity in ("central", "web", "inspector"):
        return True
    if topic == "central/status" or _below(topic, f"central/{identity}"):
        return True
    if identity == "registry":
        status = re.fullmatch(rf"{LEFT}|cp/[^/]*/[^/]+/status|registry/host/[^/]*", topic)
        return status is not None or _below(topic, "manager")
    if identity == "gateway/main":
        known = topic in ("registry/status", "gateway/main/status")
        return known or _below(topic, "registry/cp") or _below(topic, "registry/station")
    return identity == "manager/main" and _below(topic, "registry/cp")


@pytest.fixture
def clients(broker: Broker) -> Iterator[dict[str, MqttClient]]:
    secrets = {identity: f"secret of {identity}" for identity in IDENTITIES}
    broker.accounts(secrets)
    with ExitStack() as stack:

        def connected(identity: str) -> MqttClient:
            def attempt() -> MqttClient | None:
                client = MqttClient(broker.port, identity, secrets[identity])
                if client.code == 0:
                    return client
                client.close()
                return None

            return stack.enter_context(eventually(f"{identity} is let in", attempt, 10))

        made = {identity: connected(identity) for identity in IDENTITIES}
        yield made
        for client in made.values():
            client.close()


def wait_for(client: MqttClient, who: str) -> set[str]:
    """Topics of what a client heard, once the mark has come."""
    eventually(f"{who} has all", lambda: (MARK, b"end") in client.heard, 20)
    return {topic for topic, payload in client.heard if payload != b"end"}


def test_writing(broker: Broker, clients: dict[str, MqttClient]) -> None:
    witness = MqttClient(broker.port, "inspector", "secret of inspector")
    witness.read("evcs/#")
    expected = set()
    for identity in IDENTITIES:
        client = clients[identity]
        for topic in TOPICS:
            code = client.write(topic, identity.encode())
            if may_write(identity, topic):
                assert code in ALLOWED, (identity, topic, code)
                expected.add((topic, identity.encode()))
                continue
            assert code == REFUSED, (identity, topic, code)
            # The broker may drop who tries what it may not.
            client.close()
            client = MqttClient(broker.port, identity, f"secret of {identity}")
            assert client.code == 0
        clients[identity] = client
    clients["central"].write(MARK, b"end")
    eventually("all arrived", lambda: (MARK, b"end") in witness.heard, 10)
    assert set(witness.heard) - {(MARK, b"end")} == expected
    assert len(expected) > 30
    witness.close()


@pytest.mark.parametrize("how", ["everything", "one by one"])
def test_reading(clients: dict[str, MqttClient], how: str) -> None:
    for client in clients.values():
        client.read(*(["#", "evcs/#", "+/+/#"] if how == "everything" else TOPICS))
    said = set()
    for identity, client in clients.items():
        for topic in TOPICS:
            if may_write(identity, topic):
                client.write(topic, b"said")
                said.add(topic)
    assert len(said) > 30
    clients["central"].write(MARK, b"end")
    for identity, client in clients.items():
        heard = wait_for(client, identity)
        assert heard == {topic for topic in said if may_read(identity, topic)}, identity


def test_what_is_kept_is_given_to_nobody_else(clients: dict[str, MqttClient]) -> None:
    """Retained messages come at once with a subscription: the same rule must hold for them."""
    kept = set()
    for identity, client in clients.items():
        for topic in TOPICS:
            if may_write(identity, topic):
                client.write(topic, b"kept", retain=True)
                kept.add(topic)
    for client in clients.values():
        client.read("#")
    clients["central"].write(MARK, b"end")
    for identity, client in clients.items():
        heard = wait_for(client, identity)
        assert heard == {topic for topic in kept if may_read(identity, topic)}, identity


def test_the_table_in_the_docs_says_the_same() -> None:
    acl = access.rules(access.ACL.read_text())
    for identity in IDENTITIES:
        for topic in TOPICS:
            assert access.allowed(acl, identity, "write", topic) == may_write(identity, topic)
            assert access.allowed(acl, identity, "read", topic) == may_read(identity, topic)
    script = ROOT / "docs" / "make_access_table.py"
    done = subprocess.run([sys.executable, "-P", str(script), "--check"], capture_output=True)
    assert done.returncode == 0, done.stderr
