"""A limit of power at an Engine: it holds at once, runs out, and its fallback stays."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from evcs.core import messages as m
from evcs.core.charger import EmulatedCharger
from evcs.core.ports import Connected, Received
from evcs.services.engine import IDLE_S, Engine
from tests.unit.fakes import FakeBus, FakeJournal

CP = "CP-1"
START = m.Command(CP, "start", "c1", "261122-0123456789ab", 50_000, 22_000)
SETTLED = m.Command(CP, "settled", "c2", "261122-0123456789ab")
STOP = m.Command(CP, "stop", "c3", "261122-0123456789ab")


def limit(power_w: int | None, fallback_w: int | None = 0, for_s: int | None = 60) -> m.Command:
    return m.Command(CP, "limit", "limit", max_power_w=power_w, for_s=for_s, fallback_w=fallback_w)


class Stage:
    """An Engine on a clock that goes on by seconds."""

    def __init__(self, journal: FakeJournal | None = None) -> None:
        self.bus, self.journal = FakeBus(), journal or FakeJournal()
        log = logging.getLogger("evcs")
        self.engine = Engine(CP, "b", self.bus, self.journal, EmulatedCharger(1.0), log)
        self.engine.handle([Connected()])
        self.now = 0.0

    def hears(self, *commands: m.Command) -> list[Any]:
        self.bus.taken()
        self.engine.handle([Received(one, False) for one in commands])
        return self.bus.taken()

    def seconds(self, count: int) -> list[Any]:
        self.bus.taken()
        for _ in range(count):
            self.now += 1
            self.next = self.engine.tick(self.now)
        return self.bus.taken()

    def power_w(self) -> int:
        (meter,) = [one for one in self.seconds(1) if isinstance(one, m.Meter)]
        return meter.power_w


def status(said: list[Any]) -> m.EngineStatus:
    return [one for one in said if isinstance(one, m.EngineStatus)][-1]


@pytest.fixture
def supplying() -> Stage:
    stage = Stage()
    stage.hears(limit(22_000, 4_140), START)
    stage.seconds(10)
    return stage


def test_a_limit_holds_within_a_second_and_is_told(supplying: Stage) -> None:
    assert supplying.power_w() == 22_000
    said = supplying.hears(limit(6_000, 4_140))
    assert (status(said).limit_w, status(said).fallback_w) == (6_000, 4_140)
    assert [one.ok for one in said if isinstance(one, m.Reply)] == [True]
    (meter,) = [one for one in supplying.seconds(1) if isinstance(one, m.Meter)]
    assert (meter.power_w, meter.limit_w) == (6_000, 6_000)


def test_the_same_limit_once_more_makes_no_status(supplying: Stage) -> None:
    said = supplying.hears(limit(22_000, 4_140))
    assert [type(one) for one in said] == [m.Reply]


def test_below_the_minimum_nothing_flows(supplying: Stage) -> None:
    supplying.hears(limit(4_000))
    assert supplying.power_w() == 0


@pytest.mark.parametrize(("power_w", "lasts_s"), [(22_000, 60), (0, 120)])
def test_one_that_is_not_told_again_gives_way_to_the_fallback(
    supplying: Stage, power_w: int, lasts_s: int
) -> None:
    supplying.hears(limit(power_w, 4_140))
    supplying.seconds(lasts_s)
    assert supplying.power_w() == 4_140
    supplying.hears(limit(power_w, 4_140))
    said = supplying.seconds(lasts_s - 1)
    assert not [one for one in said if isinstance(one, m.EngineStatus)]


def test_an_idle_engine_looks_when_its_limit_runs_out() -> None:
    stage = Stage()
    assert stage.engine.handle([Received(limit(9_000, 4_140), False)]) == 0.0
    stage.seconds(1)
    assert stage.next == 60.0
    said = stage.seconds(61)
    assert status(said).limit_w == 4_140
    assert stage.next == IDLE_S


def test_a_process_begins_with_the_fallback(supplying: Stage) -> None:
    again = Stage(supplying.journal)
    resume = m.Command(CP, "resume", "c4", START.session_id)
    assert status(again.hears(resume)).limit_w == 4_140
    again.seconds(9)
    assert again.power_w() == 4_140


def test_the_next_supply_does_not_begin_with_the_limit_of_the_last(supplying: Stage) -> None:
    said = supplying.hears(STOP, SETTLED)
    assert (status(said).limit_w, status(said).phase) == (4_140, "idle")


def test_a_limit_is_lifted(supplying: Stage) -> None:
    supplying.hears(limit(4_140, 4_140))
    said = supplying.hears(limit(None, None, None))
    assert (status(said).limit_w, status(said).fallback_w) == (None, None)
    supplying.seconds(5)
    assert supplying.power_w() == 22_000
    assert Stage(supplying.journal).hears(START)  # and stays so


@pytest.mark.parametrize(
    "bad", [limit(-1), limit(5_000, -5), limit(5_000, 0, 0), limit(5_000, 0, 10**9)]
)
def test_what_is_no_limit_is_refused_and_changes_nothing(supplying: Stage, bad: m.Command) -> None:
    (reply,) = supplying.hears(bad)[:1]
    assert (reply.ok, reply.error) == (False, "bad_command")
    assert supplying.power_w() == 22_000


def test_a_fallback_that_can_t_be_kept_is_told(supplying: Stage) -> None:
    supplying.journal.full = True
    (reply,) = [one for one in supplying.hears(limit(9_000, 1_380)) if isinstance(one, m.Reply)]
    assert (reply.ok, reply.error) == (False, "disk_full")
    assert supplying.power_w() == 9_000
