"""Pools begin in turn, and one that hangs holds nobody up for long."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from evcs.adapters.start_turn import (
    AT_ONCE,
    HOLD_AT_MOST_S,
    LOOK_EVERY_S,
    WAIT_AT_MOST_S,
    StartTurn,
)
from evcs.home import Home
from evcs.runtime.loop import Loop
from tests.runtime.test_loop import Clock


class Stage:
    """As many that may begin at once, and one more."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.loop = Loop(self.clock)
        self.begun: list[int] = []
        self.done: set[int] = set()
        for number in range(AT_ONCE + 1):
            begin, done = partial(self.begun.append, number), partial(self.is_done, number)
            StartTurn(self.loop, Home(path), begin, done)
        self.go_on(0.0)

    def is_done(self, number: int) -> bool:
        return number in self.done

    def go_on(self, seconds: float) -> None:
        self.clock.now += seconds
        for _ in range(3):
            self.loop.turn(0.0)


def test_the_next_begins_when_one_is_done(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert stage.begun == [*range(AT_ONCE)]
    stage.go_on(LOOK_EVERY_S)
    assert AT_ONCE not in stage.begun
    stage.done.add(0)
    stage.go_on(LOOK_EVERY_S)
    stage.go_on(LOOK_EVERY_S)
    assert stage.begun == [*range(AT_ONCE + 1)]


def test_one_that_never_is_done_gives_its_turn_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.go_on(HOLD_AT_MOST_S)
    stage.go_on(LOOK_EVERY_S)
    stage.go_on(LOOK_EVERY_S)
    assert AT_ONCE in stage.begun


def test_a_process_that_hangs_is_waited_for_no_longer(tmp_path: Path) -> None:
    hung = Stage(tmp_path)
    stage = Stage(tmp_path)
    assert hung.begun
    assert not stage.begun
    stage.go_on(WAIT_AT_MOST_S)
    assert len(stage.begun) == AT_ONCE + 1
