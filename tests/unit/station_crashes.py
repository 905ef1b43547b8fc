"""Charges, cuts, errors, kills of an emulated station in any order, whatever its version."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.unit.station_world import Answer, World

MANY = settings(
    max_examples=150, stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


class StationCrashes(RuleBasedStateMachine):
    """At the end all is well: what did the back end take? `delivered`: Wh of each charge."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.delivered: list[int] = []

    def take(self) -> Answer | None:
        """The back end does what it is asked, once a message; None: it answers as a good one."""
        raise NotImplementedError

    def judge(self) -> None:
        """What it took is whole."""
        raise NotImplementedError

    @rule()
    def card(self) -> None:
        before = self.world.station.held.transaction
        self.world.present("CARD")
        self._counted(before)

    @precondition(lambda self: self.world.station.held.transaction is not None)
    @rule(wh=st.integers(1, 5_000))
    def supply(self, wh: int) -> None:
        self.delivered[-1] += wh
        self.world.meter(wh)

    @rule(seconds=st.sampled_from([0.5, 5.0, 61.0]))
    def time(self, seconds: float) -> None:
        self.world.pass_(seconds)

    @precondition(lambda self: not self.world.station.talk.is_open)
    @rule()
    def connect(self) -> None:
        self.world.open()

    @precondition(lambda self: self.world.station.talk.is_open)
    @rule()
    def cut(self) -> None:
        before = self.world.station.held.transaction
        self.world.cut()
        self._counted(before)

    @precondition(lambda self: self.world.waiting)
    @rule(how=st.sampled_from(["good", "good", "good", "error", "cut before", "cut after"]))
    def back_end(self, how: str) -> None:
        before = self.world.station.held.transaction
        if how == "error":
            self.world.reply(error="InternalError")
        else:
            answer = None if how == "cut before" else self.take()
            if how == "good":
                self.world.reply(answer)
            else:
                self.world.cut()
        self._counted(before)

    def _counted(self, before: Any) -> None:
        if before is None and self.world.station.held.transaction is not None:
            self.delivered.append(0)

    @rule()
    def kill(self) -> None:
        """The process ends after what was told was kept."""
        self.world.born()

    @rule()
    def kill_before_it_is_kept(self) -> None:
        """What was decided and not kept was not told, either."""
        self.world.station.present("CARD", self.world.at)
        self.world.born()

    def teardown(self) -> None:
        world = self.world
        if not world.station.talk.is_open:
            world.open()
        while (held := world.station.held).queue or held.transaction or world.waiting:
            before = held.transaction
            if world.waiting:
                world.reply(self.take())
                self._counted(before)
            elif held.transaction is not None:
                world.station.end("Local", world.at)
                world.flush()
            else:
                world.pass_(2_000)
        self.judge()
