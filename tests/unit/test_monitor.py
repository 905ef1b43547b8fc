"""What a Watch makes of a process of Engines, and a Monitor of its own one among them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from evcs.core import health as h
from evcs.core import messages as m
from evcs.core.ports import Connected
from evcs.services.monitor import Monitor, Watch
from tests.unit.fakes import FakeBus, FakeProbe

CPS = ("CP-1", "CP-2")
LOG = logging.getLogger("evcs")


WELL = h.EngineAnswer(ready=True)


class Watched:
    """Two CPs' Monitors, a Watch, and a clock that goes where the Watch wants to be called."""

    def __init__(self) -> None:
        self.now = 100.0
        self.probe = FakeProbe(dict.fromkeys(CPS, WELL))
        self.bus = {cp: FakeBus() for cp in CPS}
        self.monitors = {cp: Monitor(cp, "boot", self.bus[cp], LOG, self.now) for cp in CPS}
        self.watch = Watch(lambda: CPS, self.probe, self.put, lambda: self.now, LOG)

    def put(self, cp: str, event: Any) -> None:
        self.monitors[cp].handle([event])

    def go_on(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += self.watch.tick(self.now)

    def told(self, cp: str) -> list[str | None]:
        return [one.engine for one in self.bus[cp].taken() if isinstance(one, m.MonitorStatus)]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_one_question_is_for_all(watched: Watched) -> None:
    watched.probe.answers = {
        "CP-1": WELL,
        "CP-2": h.EngineAnswer("hot", ready=True),
    }
    watched.go_on(1.0)
    assert (watched.told("CP-1"), watched.told("CP-2")) == (
        [h.EngineHealth.OK],
        [h.EngineHealth.KO],
    )


def test_it_asks_soon_while_one_of_them_is_being_started_then_each_second(
    watched: Watched,
) -> None:
    watched.probe.answers = {"CP-1": WELL}
    assert watched.watch.tick(watched.now) < 0.1
    watched.probe.answers = dict.fromkeys(CPS, WELL)
    assert watched.watch.tick(watched.now) == h.PERIOD_S


def test_one_that_is_silent_among_others_is_told_of_and_nobody_is_ended(
    watched: Watched,
) -> None:
    watched.go_on(1.0)
    watched.probe.answers = {"CP-1": WELL}
    watched.go_on(2 * h.END_AFTER_S)
    assert watched.told("CP-1") == [h.EngineHealth.OK]
    assert watched.told("CP-2") == [h.EngineHealth.OK, h.EngineHealth.SILENT]
    assert watched.probe.ended == 0


def test_one_that_hangs_makes_all_silent_and_is_ended_once_each_fifteen_seconds(
    watched: Watched,
) -> None:
    watched.go_on(1.0)
    watched.probe.hangs = True
    watched.go_on(h.END_AFTER_S)
    assert (watched.told("CP-1"), watched.told("CP-2")) == (
        [h.EngineHealth.OK, h.EngineHealth.SILENT],
        [h.EngineHealth.OK, h.EngineHealth.SILENT],
    )
    assert watched.probe.ended == 0
    watched.go_on(h.END_AFTER_S)
    assert watched.probe.ended == 1


def test_a_monitor_tells_again_what_it_found_at_each_connection(watched: Watched) -> None:
    watched.put("CP-1", Connected())
    assert watched.told("CP-1") == []
    watched.go_on(1.0)
    watched.put("CP-1", Connected())
    assert watched.told("CP-1") == [h.EngineHealth.OK, h.EngineHealth.OK]


def test_its_monitors_begin_behind_the_first_answer_or_when_none_comes(watched: Watched) -> None:
    watched.probe.answers = {}
    found = []
    for _ in range(2):
        watched.go_on(h.FIRST_WORD_WITHIN_S / 2 + 1.0)
        found.append(watched.watch.has_heard)
    assert found == [False, True]
    other = Watched()
    other.watch.tick(other.now)
    assert other.watch.has_heard


def test_one_that_is_being_started_is_asked_for_often_and_told_of_once_a_second(
    watched: Watched,
) -> None:
    given: list[h.ProbeResult] = []
    watch = Watch(
        lambda: CPS, watched.probe, lambda _, one: given.append(one), lambda: watched.now, LOG
    )
    watched.probe.answers = {"CP-1": h.EngineAnswer()}
    for _ in range(5):
        watched.now += watch.tick(watched.now)
    assert watched.now < 101.0
    assert [one.answer for one in given] == [h.EngineAnswer(), None]
    watched.now = 101.0
    watch.tick(watched.now)
    assert [one.answer for one in given[2:]] == [h.EngineAnswer(), None]
    watched.probe.answers = dict.fromkeys(CPS, WELL)
    watched.now += 0.1
    watch.tick(watched.now)
    assert [one.answer for one in given[4:]] == [WELL, WELL]
