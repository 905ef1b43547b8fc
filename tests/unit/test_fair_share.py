"""A sender that floods loses its own messages, nobody else's."""

from __future__ import annotations

import json

import pytest

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.said import FLOOD_AT_ONCE
from evcs.services.central.fair_share import (
    A_PAGE,
    A_SECOND,
    AT_ONCE,
    FairShare,
)

REPLY = json.dumps({"id": "1", "ok": True}).encode()


class Stage:
    def __init__(self) -> None:
        self.now = 100.0
        self.floods: list[str] = []
        self.share = FairShare(lambda: self.now, lambda flood: self.floods.append(flood.identity))

    def taken(
        self, count: int, topic: str = "evcs/v1/cp/CP-001/engine/reply", payload: bytes = REPLY
    ) -> int:
        """How many of so many messages are read."""
        found = 0
        for _ in range(count):
            try:
                self.share(topic, payload)
                found += 1
            except topics.Unreadable:
                continue
        return found


def test_what_a_sender_may_at_once_and_then_each_second() -> None:
    stage = Stage()
    assert stage.taken(5_000) == AT_ONCE
    stage.now += 1.0
    assert stage.taken(5_000) == A_SECOND
    stage.now += 3_600.0
    assert stage.taken(5_000) == AT_ONCE


def test_both_processes_of_a_cp_share_and_others_do_not() -> None:
    stage = Stage()
    stage.taken(5_000)
    with pytest.raises(topics.Unreadable, match="too many"):
        stage.share("evcs/v1/cp/CP-001/monitor/status", b"{}")
    assert stage.taken(7, "evcs/v1/cp/CP-002/engine/reply") == 7


def test_what_an_engine_says_in_a_charge_is_never_too_much() -> None:
    stage = Stage()
    for _ in range(600):
        assert stage.taken(3) == 3
        stage.now += 1.0


def test_what_an_engine_answers_to_a_driver_without_rest_is_no_flood_of_its() -> None:
    """Charges that are begun and ended as fast as can be: 260 messages a second were seen."""
    stage = Stage()
    for _ in range(2_000):
        stage.share.asked(m.Command("CP-001", "start", "S.start"))
        assert stage.taken(8) == 8
        stage.now += 8 / 260
    assert not stage.floods
    assert stage.taken(50_000) <= AT_ONCE, "and no more than before"
    assert stage.floods == ["cp/CP-001/engine"]


def test_a_meter_that_floods_is_named() -> None:
    stage = Stage()
    power = json.dumps({"power_w": 7_000}).encode()
    assert stage.taken(50_000, "evcs/v1/meter/MAINS/power", power) == AT_ONCE
    assert stage.floods == ["meter/MAINS"]


def test_another_hosts_manager_that_floods_is_named_and_our_own_is_not() -> None:
    stage = Stage()
    long = json.dumps({"id": "1", "ok": True, "lines": "x" * 50_000}).encode()
    for host in ("h2", "main"):
        assert stage.taken(100, f"evcs/v1/manager/{host}/reply", long) == 100, "a page of a log"
    assert stage.taken(1_000, "evcs/v1/manager/h2/reply", long) < 100
    assert stage.floods == ["manager/h2"]
    assert stage.taken(1_000, "evcs/v1/manager/main/reply", long) == 1_000
    stage = Stage()
    stage.taken(5_000, "evcs/v1/manager/h2/cp/CP-001")
    assert stage.floods == ["manager/h2"], "whatever it speaks of"


def test_what_a_host_is_asked_for_is_no_flood_of_its() -> None:
    """Strangers read a hundred pages of logs a second, each an answer of its CP Manager's."""
    stage = Stage()
    page = json.dumps({"id": "1", "ok": True, "lines": "x" * 60_000}).encode()
    for _ in range(2_000):
        stage.share.asked(m.ManagerCommand("h2", "log", "1", "CP-1", "engine"))
        assert stage.taken(1, "evcs/v1/manager/h2/reply", page) == 1
        stage.now += 0.01
    assert not stage.floods
    assert stage.taken(1_000, "evcs/v1/manager/h2/reply", page) < 200, "and no more than before"
    assert stage.floods == ["manager/h2"]


def test_services_are_not_limited() -> None:
    stage = Stage()
    status = json.dumps({"online": True, "boot": "x"}).encode()
    assert stage.taken(20_000, "evcs/v1/registry/status", status) == 20_000
    assert not stage.floods


def test_what_can_not_be_read_is_told_apart() -> None:
    with pytest.raises(topics.Unreadable, match="not in the contract"):
        Stage().share("evcs/v1/cp/CP-001", REPLY)
    with pytest.raises(topics.Unreadable, match="not ours"):
        Stage().share("x", REPLY)


@pytest.mark.parametrize("verb", ["list", "history"])
def test_a_page_counts_as_much_as_its_answer_costs(verb: str) -> None:
    stage = Stage()
    asked = json.dumps({"verb": verb, "id": "1"}).encode()
    topic = "evcs/v1/driver/ALICE/request"
    assert stage.taken(5_000, topic, asked) == AT_ONCE / A_PAGE
    stage.now += 1.0
    assert stage.taken(5_000, topic, asked) == A_SECOND / A_PAGE
    assert stage.taken(1, "evcs/v1/driver/BOB/request", asked) == 1


def test_who_says_more_than_can_be_read_is_named_now_and_then() -> None:
    stage = Stage()
    stage.taken(int(FLOOD_AT_ONCE))
    assert not stage.floods
    stage.taken(20_000, "evcs/v1/cp/CP-001/monitor/status")
    stage.taken(50_000)
    assert stage.floods == ["cp/CP-001/monitor", "cp/CP-001/engine"]
    stage.now += 11.0
    stage.taken(50_000)
    assert stage.floods[2:] == ["cp/CP-001/engine"]


def test_long_messages_are_a_flood_sooner_and_cost_no_reading() -> None:
    stage = Stage()
    long = b'{"id":"1","ok":true,"x":[' + b"[]," * (topics.MAX_SAID // 3) + b"[]]}"
    assert stage.taken(100, payload=long) == 0
    assert stage.taken(1) == 1
    stage.taken(300, payload=b"[" * 60_000)
    assert stage.floods == ["cp/CP-001/engine"]
    half = b'{"id":"1","ok":true,"x":[' + b"[]," * (topics.MAX_SAID // 6) + b"[]]}"
    assert stage.taken(5_000, "evcs/v1/cp/CP-002/engine/reply", half) < AT_ONCE / 4
