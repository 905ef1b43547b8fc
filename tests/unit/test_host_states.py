"""What Central tells of machines: who is there, since when, and whose clock is off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evcs.core import messages as m
from evcs.core.hosts import CLOCK_OFF_S, clock_words
from evcs.core.ports import Connected, Received
from evcs.services.central.hosts import ANSWER_WITHIN_S, ASK_EVERY_S, BACK_WITHIN_S
from tests.unit.test_central import BIRTH
from tests.unit.test_central import Stage as CentralStage

AT, LATER = "2026-11-30T12:00:00.000Z", "2026-11-30T12:05:00.000Z"
REGISTRY = m.ServiceStatus("registry", True, "r", "1")
JOINED = m.DesiredHost("h2", AT)
BORN = m.ServiceStatus("manager/h2", True, "b1", "7")
GONE = m.ServiceStatus("manager/h2", False, "b1")


class Stage(CentralStage):
    """A Central to which h2 has joined."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.clock.wall = AT
        self.hears(REGISTRY, JOINED, m.ServiceStatus("manager/main", True, "b", "7"))

    def looks(self, after_s: float = 0.0) -> list[Any]:
        """What Central says of hosts then, and asks them."""
        self.bus.taken()
        self.clock.now += after_s
        self.central.tick(self.clock.now)
        kinds = (m.HostState, m.ManagerCommand, m.Cleared)
        return [one for one in self.bus.taken() if isinstance(one, kinds)]

    def state(self) -> m.HostState:
        """What it says of h2 alone, without asking."""
        (found,) = [one for one in self.looks() if isinstance(one, m.HostState)]
        return found

    def asked(self) -> str:
        """The id of what h2 is asked now."""
        (found,) = [one.id for one in self.looks() if isinstance(one, m.ManagerCommand)]
        return str(found)

    def born(self) -> str:
        """It is there; the id of what it is asked."""
        self.looks()
        self.hears(BORN)
        return self.asked()

    def answers(self, id_: str, at: object = AT, host: str = "h2", ok: bool = True) -> None:
        """What it says of itself."""
        body = {"at": at, "address": "10.0.0.2"}
        self.hears(m.ManagerReply(host, id_, ok, None if ok else "bad_value", body))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path / "ledger.db")
    yield found
    found.ledger.close()


def test_it_is_there_since_its_cp_manager_said_so(stage: Stage) -> None:
    stage.hears(BORN)
    said = stage.looks()
    assert m.HostState("h2", True, AT, "7") in said
    assert m.HostState("main", True, AT, "7") in said
    assert {one.host for one in said if isinstance(one, m.ManagerCommand)} == {"main", "h2"}
    assert stage.looks() == [], "told and asked once"
    stage.clock.wall = LATER
    stage.hears(GONE)
    assert stage.state() == m.HostState("h2", False, LATER, "7")
    stage.hears(BORN)
    assert stage.state() == m.HostState("h2", True, LATER, "7")


@pytest.mark.parametrize(
    ("there", "took_s", "off_s"),
    [
        ("2026-11-30T12:00:00.000Z", 0.0, 0.0),
        ("2026-11-30T12:00:00.000Z", 0.8, 0.4),
        ("2026-11-30T11:59:59.980Z", 0.0, 0.0),
        ("2026-12-01T12:00:00.000Z", 0.0, 86_400.0),
        ("2026-11-29T12:00:00.000+00:00", 0.0, -86_400.0),
    ],
)
def test_how_far_its_clock_is_off(stage: Stage, there: str, took_s: float, off_s: float) -> None:
    asked = stage.born()
    stage.clock.now += took_s
    stage.answers(asked, there)
    told = stage.state()
    assert told == m.HostState("h2", True, AT, "7", "10.0.0.2", off_s)
    assert str(told.clock_off_s) == str(off_s)


@pytest.mark.parametrize("wrong", ["yesterday", "2026-11-30T12:00:00", 7, None])
def test_a_time_that_is_none_is_not_known(stage: Stage, wrong: object) -> None:
    asked = stage.born()
    stage.answers(asked, wrong)
    assert stage.state() == m.HostState("h2", True, AT, "7", "10.0.0.2", None)


def test_what_comes_late_or_was_not_asked_says_nothing_of_its_clock(stage: Stage) -> None:
    stage.answers("")
    asked = stage.born()
    for id_, host, ok in (("other", "h2", True), (asked, "main", True), (asked, "h2", False)):
        stage.answers(id_, LATER, host, ok)
        assert stage.looks() == []
    stage.clock.now += ANSWER_WITHIN_S + 0.1
    stage.answers(asked, LATER)
    assert stage.state() == m.HostState("h2", True, AT, "7", "10.0.0.2", None)


def test_it_is_asked_again_and_its_clock_is_not_known_while_it_is_away(stage: Stage) -> None:
    stage.answers(stage.born(), LATER)
    assert stage.state().clock_off_s == 300.0
    stage.looks(ASK_EVERY_S - 1.0)
    assert stage.looks(0.5) == []
    commands = [one for one in stage.looks(0.6) if isinstance(one, m.ManagerCommand)]
    stage.answers(next(one.id for one in commands if one.host == "h2"))
    assert stage.state().clock_off_s == 0.0
    stage.hears(GONE)
    assert stage.state().clock_off_s is None
    stage.hears(BORN)
    (state, asked) = stage.looks()
    assert (state.clock_off_s, asked.verb) == (None, "host"), "it is asked at once"


def test_since_goes_on_over_a_restart_of_central_and_of_the_broker(stage: Stage) -> None:
    stage.hears(m.HostState("h2", False, "2026-11-01T00:00:00.000Z", "6", "10.0.0.9"), GONE)
    assert stage.looks(BACK_WITHIN_S)[-1].host == "main", "what was told is still so"
    stage.hears(BORN)
    told = stage.state()
    assert (told.since, told.address) == (AT, "10.0.0.9")
    stage.clock.wall = LATER
    stage.central.handle([Connected()])
    stage.hears(BIRTH, REGISTRY, JOINED)
    assert told in stage.looks(BACK_WITHIN_S - 1.0), "it is on its way back"
    assert stage.looks() == []
    away = next(one for one in stage.looks(1.0) if one.host == "h2")
    assert (away.online, away.since) == (False, LATER)


def test_of_what_has_not_joined_nothing_is_told(stage: Stage) -> None:
    stage.hears(m.DesiredHost("h3", None, LATER), m.ServiceStatus("manager/h9", True, "b", "7"))
    assert {one.host for one in stage.looks(BACK_WITHIN_S)} == {"main", "h2"}


@pytest.mark.parametrize("missed", [False, True])
def test_what_was_removed_is_taken_away(stage: Stage, missed: bool) -> None:
    stage.born()
    if missed:
        stage.central.handle([Connected(), *(Received(one, True) for one in (REGISTRY, BIRTH))])
    else:
        stage.hears(m.Cleared(m.DesiredHost, {"host": "h2"}))
    gone = m.Cleared(m.HostState, {"host": "h2"})
    assert gone in stage.looks()
    assert {one.host for one in stage.looks(ASK_EVERY_S)} == {"main"}


def test_only_a_clock_that_is_far_off_is_told() -> None:
    for near in (None, 0.0, CLOCK_OFF_S, -CLOCK_OFF_S):
        assert clock_words(near) == ""
    assert clock_words(2.1) == "2.1 s ahead"
    assert clock_words(-86_400.0) == "86400.0 s behind"
