"""A sender that floods loses its own messages, nobody else's."""

from __future__ import annotations

import json

import pytest

from evcs.core import topics
from evcs.services.central.fair_share import A_PAGE, A_SECOND, AT_ONCE, FairShare

REPLY = json.dumps({"id": "1", "ok": True}).encode()


class Stage:
    def __init__(self) -> None:
        self.now = 100.0
        self.share = FairShare(lambda: self.now)

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


def test_services_are_not_limited() -> None:
    share = FairShare(lambda: 0.0)
    status = json.dumps({"online": True, "boot": "x"}).encode()
    for _ in range(1_000):
        share("evcs/v1/registry/status", status)


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
