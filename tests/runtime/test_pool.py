"""CPs that share a loop: what one does or suffers is not another's."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest

from evcs.adapters.log import NamedLog
from evcs.core.errors import EvcsError
from evcs.runtime.loop import Loop
from evcs.runtime.pool import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    START_AT_ONCE,
    CpParts,
    CpRuntime,
    Pool,
    Put,
)
from tests.runtime.test_loop import Clock

CPS = ("CP-1", "CP-2", "CP-3")


class Connection:
    """Is left at once, unless it takes long."""

    stopped = takes_long = False

    @property
    def left(self) -> bool:
        return self.stopped and not self.takes_long

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.stopped = True


class Role:
    """Fails when it is told so: at its making, an event, or its tick."""

    def __init__(self, stage: Stage, cp: str) -> None:
        self.stage, self.cp = stage, cp
        stage.fail_at(cp, "make")

    def handle(self, events: list[Any]) -> None:
        self.stage.fail_at(self.cp, "handle")
        self.stage.handled.append((self.cp, events))

    def tick(self, _now: float) -> float:
        self.stage.fail_at(self.cp, "tick")
        self.stage.ticks[self.cp] += 1
        return 1.0


class Stage:
    """Three CPs, and time that passes only where a test says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = Loop(self.clock)
        self.fails: dict[str, str] = {}
        self.handled: list[Any] = []
        self.ticks: dict[str, int] = defaultdict(int)
        self.made: dict[str, list[tuple[Connection, Put]]] = {cp: [] for cp in CPS}
        self.closed: list[str] = []
        self.cps = {cp: self.runtime(cp) for cp in CPS}
        self.members: list[str] | None = [*CPS]
        self.pool = Pool(self.loop, self.cps.__getitem__, lambda: self.members)

    def runtime(self, cp: str) -> CpRuntime[Role]:
        def make(put: Put) -> CpParts[Role]:
            role, bus = Role(self, cp), Connection()
            self.made[cp].append((bus, put))
            return CpParts(role, bus, role.tick, lambda: self.closed.append(cp))

        return CpRuntime(self.loop, make, NamedLog(f"{cp} engine"))

    def fail_at(self, cp: str, step: str) -> None:
        if self.fails.get(cp) == step:
            raise ValueError("no such thing")

    def start(self) -> None:
        self.pool.look()
        self.loop.turn(0.0)

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1.0
            self.loop.turn(0.0)


@pytest.fixture
def stage() -> Any:
    made = Stage()
    yield made
    made.loop.close()


@pytest.mark.parametrize("step", ["make", "handle", "tick"])
def test_one_that_fails_ends_alone_and_comes_back(
    step: str, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.fails["CP-2"] = step
    stage.start()
    stage.cps["CP-2"].put("event")
    stage.loop.turn(0.0)
    assert stage.cps["CP-2"].failed
    told = capsys.readouterr().out
    assert told.count(" ERROR CP-2 engine failed") == told.count(" ERROR ") == 1
    assert "ValueError: no such thing" in told
    assert stage.pool.each(lambda role: role.cp) == {"CP-1": "CP-1", "CP-3": "CP-3"}
    stage.fails.clear()
    stage.go_on(2)
    assert list(stage.pool.each(lambda role: role.cp)) == [*CPS]
    assert (len(stage.made["CP-1"]), len(stage.made["CP-3"])) == (1, 1)
    before = dict(stage.ticks)
    stage.go_on(3)
    assert {cp: stage.ticks[cp] - before[cp] for cp in CPS} == dict.fromkeys(CPS, 3)


def test_it_goes_offline_with_what_it_holds_and_a_new_one_hears_nothing_of_the_old(
    stage: Stage,
) -> None:
    stage.start()
    old, put = stage.made["CP-2"][0]
    stage.fails["CP-2"] = "handle"
    stage.cps["CP-2"].put("event")
    stage.loop.turn(0.0)
    assert (old.left, stage.closed) == (True, ["CP-2"])
    stage.fails.clear()
    stage.go_on(2)
    stage.handled.clear()
    put("of the old connection")
    stage.made["CP-2"][1][1]("of the new")
    stage.go_on(1)
    assert stage.handled == [("CP-2", ["of the new"])]


def test_its_pause_grows_and_begins_anew_once_it_has_lasted(stage: Stage) -> None:
    stage.fails["CP-2"] = "tick"
    stage.start()
    starts: list[int] = []
    for second in range(60):
        if len(stage.made["CP-2"]) > len(starts):
            starts.append(second)
        stage.go_on(1)
    pauses = [later - sooner for sooner, later in pairwise(starts)]
    assert pauses[0] == FIRST_PAUSE_S
    assert pauses[-1] == LONGEST_PAUSE_S
    assert pauses == sorted(pauses)
    stage.fails.clear()
    stage.go_on(60)
    stage.fails["CP-2"] = "tick"
    stage.go_on(1)
    stage.fails.clear()
    assert stage.cps["CP-2"].failed
    stage.go_on(1)
    assert not stage.cps["CP-2"].failed


def test_all_of_a_turn_is_one_batch_for_each(stage: Stage) -> None:
    stage.start()
    for cp in CPS:
        stage.pool.put(cp, "first")
        stage.pool.put(cp, "second")
    stage.go_on(1)
    assert stage.handled == [(cp, ["first", "second"]) for cp in CPS]


def test_at_a_stop_all_leave_the_bus(stage: Stage) -> None:
    stage.loop.call_later(0.0, stage.loop.stop)
    stage.pool.run()
    assert [stage.made[cp][0][0].left for cp in CPS] == [True] * 3


def test_a_process_of_one_cp_ends_with_it_and_is_begun_anew_by_supervisord(stage: Stage) -> None:
    stage.fails = {"CP-1": "make"}
    alone = Pool(stage.loop, stage.cps.__getitem__, lambda: ["CP-1"], alone=True)
    with pytest.raises(SystemExit) as ended:
        alone.run()
    assert ended.value.code == 1


def test_a_pool_goes_on_where_all_of_it_have_failed(stage: Stage) -> None:
    stage.fails = dict.fromkeys(CPS, "make")
    stage.start()
    assert stage.pool.each(lambda role: role.cp) == {}
    stage.fails.clear()
    stage.go_on(2)
    assert list(stage.pool.each(lambda role: role.cp)) == [*CPS]


def test_who_comes_is_begun_and_who_goes_gives_back_what_it_held_once_it_has_left(
    stage: Stage,
) -> None:
    stage.members = ["CP-1", "CP-2"]
    stage.start()
    assert list(stage.pool.cps) == ["CP-1", "CP-2"]
    going, _ = stage.made["CP-2"][0]
    going.takes_long = True
    stage.members = ["CP-1", "CP-3"]
    stage.start()
    assert (list(stage.pool.cps), stage.closed) == (["CP-1", "CP-3"], [])
    going.takes_long = False
    stage.go_on(1)
    assert stage.closed == ["CP-2"]
    stage.go_on(20)
    assert [len(stage.made[cp]) for cp in CPS] == [1, 1, 1]


def test_one_that_goes_in_the_turn_in_which_it_came_is_never_begun(stage: Stage) -> None:
    stage.pool.look()
    stage.members = []
    stage.start()
    assert [len(stage.made[cp]) for cp in CPS] == [0, 0, 0]


def test_many_begin_some_at_a_time_so_that_the_loop_goes_on_turning(stage: Stage) -> None:
    names = [f"CP-{n}" for n in range(4 * START_AT_ONCE + 1)]
    stage.made = {cp: [] for cp in names}
    cps = {cp: stage.runtime(cp) for cp in names}
    pool = Pool(stage.loop, cps.__getitem__, lambda: names)
    pool.look()
    begun = []
    for _ in range(4):
        stage.loop.turn(0.0)
        begun.append(sum(map(len, stage.made.values())))
    assert begun == [2 * START_AT_ONCE, 4 * START_AT_ONCE, len(names), len(names)]
    assert list(pool.cps) == names


def test_all_stay_where_nobody_can_tell_who_is_a_member(stage: Stage) -> None:
    stage.start()
    stage.members = None
    stage.start()
    assert list(stage.pool.cps) == [*CPS]


def test_one_that_is_ended_by_hand_comes_back_after_the_first_pause(stage: Stage) -> None:
    stage.start()
    for _ in range(3):
        stage.pool.end("CP-2")
        assert list(stage.pool.each(lambda role: role.cp)) == ["CP-1", "CP-3"]
        stage.clock.now += FIRST_PAUSE_S
        stage.loop.turn(0.0)
        assert list(stage.pool.each(lambda role: role.cp)) == [*CPS]
    stage.pool.end("CP-9")


def test_a_known_failure_is_one_line(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    def make(_put: Put) -> CpParts[Role]:
        raise EvcsError("the journal is of another format", "upgrade evcs")

    CpRuntime(stage.loop, make, NamedLog("CP-9 engine")).start()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(" ERROR CP-9 engine the journal is of another format; upgrade evcs")
