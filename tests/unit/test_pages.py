"""Answers that grow with the fleet or with time come in pages, each small enough to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.session import Phase, Session
from evcs.services.central import driver_requests, pages
from evcs.services.central.service import TICK_S
from tests.unit.test_central import DESIRED, Stage

TS = "2026-11-22T09:00:00.000Z"
#: The longest that a request's id may be, each character of four bytes.
LONGEST = "🔌" * 128


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "ledger.db")
    yield made
    made.ledger.close()


def pages_of(stage: Stage, verb: str, name: str, limit: int | None = None) -> list[list[Any]]:
    """All pages, as a driver asks for them; each could be sent."""
    found: list[list[Any]] = []
    after: str | None = None
    while True:
        asked = m.DriverRequest("ALICE", verb, LONGEST, after=after, limit=limit)
        (answer,) = stage.hears(asked)
        assert len(topics.encode(answer, TS).payload) <= topics.MAX_PACKET
        found.append(answer.body[name])
        if not answer.body["more"]:
            assert answer.body["next"] is None
            return found
        after = answer.body["next"]


def tickets(stage: Stage, count: int, reason: str) -> list[str]:
    """Tickets in the ledger, the oldest first; pairs of them began at the same moment."""
    made = [
        Session(
            f"S{n:04d}", "CP-1", "ALICE", "0.30", 2000, 22_000,
            f"2026-11-22T09:00:00.{n // 2:03d}Z", phase=Phase.SETTLED, energy_wh=n, reason=reason,
            ended_at=TS, cost_eur="0.00", request_id="x" * 4_096,
        )
        for n in range(count)
    ]  # fmt: skip
    stage.ledger.commit(made, [], [])
    return [one.session_id for one in made]


@pytest.mark.parametrize("place", ["", "x" * 100, "🔌" * 200, "\x01" * 200])
def test_every_cp_is_on_one_page_however_many_and_wherever(stage: Stage, place: str) -> None:
    names = [f"CP-{n:04d}" for n in range(700)]
    stage.hears(*(DESIRED._replace(cp=name, id=name, location=place) for name in names))
    found = pages_of(stage, "list", "cps")
    assert [cp["id"] for page in found for cp in page] == sorted(["CP-1", *names])
    assert len(found) > 1


@pytest.mark.parametrize("reason", ["completed", "\x01" * 4_096, "🔌" * 4_096])
def test_every_ticket_is_on_one_page_whatever_its_reason(stage: Stage, reason: str) -> None:
    made = tickets(stage, 600, reason)
    found = [row for page in pages_of(stage, "history", "sessions") for row in page]
    assert [row["session_id"] for row in found] == made[::-1]
    assert all(len(row["reason"]) <= 200 and row["reason"].isprintable() for row in found)


@pytest.mark.parametrize(("verb", "name"), [("list", "cps"), ("history", "sessions")])
def test_a_page_is_as_small_as_is_asked_for(stage: Stage, verb: str, name: str) -> None:
    stage.hears(*(DESIRED._replace(cp=f"C{n}", id=f"C{n}") for n in range(5)))
    tickets(stage, 6, "completed")
    assert [len(page) for page in pages_of(stage, verb, name, limit=4)] == [4, 2]
    assert [len(page) for page in pages_of(stage, verb, name, limit=6)] == [6]
    for limit in (0, -1, pages.MAX_ROWS + 1):
        (denied,) = stage.hears(m.DriverRequest("ALICE", verb, "r", limit=limit))
        assert denied.body["code"] == "bad_value"


def test_a_page_behind_a_cp_that_is_gone_goes_on_from_its_place(stage: Stage) -> None:
    stage.hears(*(DESIRED._replace(cp=f"C{n}", id=f"C{n}") for n in (1, 3)))
    (answer,) = stage.hears(m.DriverRequest("ALICE", "list", "r", after="C2"))
    assert [cp["id"] for cp in answer.body["cps"]] == ["C3", "CP-1"]
    (answer,) = stage.hears(m.DriverRequest("ALICE", "history", "r", after="none"))
    assert answer.body == {"sessions": [], "more": False, "next": None}


def test_a_charge_waits_behind_a_few_pages_however_many_are_asked_for(stage: Stage) -> None:
    lists = [m.DriverRequest(f"D{n % 20}", "list", f"l{n}") for n in range(200)]
    said = stage.hears(*lists, m.DriverRequest("ALICE", "charge", "c", "CP-1", 100))
    assert [one.verb for one in said if isinstance(one, m.Command)] == ["start"]
    answered = {one.id for one in said if isinstance(one, m.DriverEvent)}
    assert len(answered) == driver_requests.AT_ONCE
    while stage.central.handle([]) == 0.0:
        assert stage.central.tick(stage.clock.now) in (0.0, TICK_S)
    answered |= {one.id for one in stage.bus.taken() if isinstance(one, m.DriverEvent)}
    assert answered == {one.id for one in lists}, "each in its turn"
    assert stage.central.tick(stage.clock.now) == TICK_S
