"""Limits as a charger is told them: one at a time, again after each connection, by the schemas."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evcs.adapters.ocpp_schemas import OcppSchemas
from evcs.core import messages as m
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.charging_profiles import Allowance, for_16, for_201
from evcs.core.ocpp.ports import NoAnswer
from evcs.core.ocpp.rules import Version
from evcs.services.gateway.limits import LimitParts, Limits
from evcs.services.gateway.voice import Voice
from tests.unit.fakes import FakeBus

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ONE = t.Transaction(7, "r", t.Phase.SUPPLYING, "s", "CARD", target_wh=1, since=0.0)


class Charger:
    """Answers what a test wants, when it wants."""

    connection_timeout_s = 60.0
    rate_unit = "W"

    def __init__(self) -> None:
        self.told: list[Allowance] = []
        self.cleared = 0
        self.word: str | None = "Accepted"
        self.gate = asyncio.Event()
        self.gate.set()

    async def set_limit(self, allowance: Allowance) -> str:
        self.told.append(allowance)
        await self.gate.wait()
        if self.word is None:
            raise NoAnswer
        return self.word

    async def clear_limits(self, connector: int) -> str:
        self.cleared += 1
        return "Unknown" if self.word == "Accepted" else "NotSupported"


class Scene:
    def __init__(self) -> None:
        self.bus, self.charger, self.time = FakeBus(), Charger(), NOON
        self.confirmed: list[tuple[int | None, int | None]] = []
        self.refused: list[str | None] = []
        self.transaction: t.Transaction | None = ONE
        parts = LimitParts(
            lambda: self.time, lambda *told: self.confirmed.append(told), self.refused.append,
            logging.getLogger("test"),
        )  # fmt: skip
        self.most_w = 22_000
        self.limits = Limits(1, lambda: self.most_w, Voice("CP-1", "b", self.bus, self.bus), parts)
        self.connect()

    def connect(self, is_limited: bool = True) -> None:
        """The charger dials in."""
        charger: Any = self.charger
        self.limits.connected(charger, lambda: self.transaction, is_limited)

    async def hears(self, power_w: int | None, fallback_w: int | None = 4_140, **more: Any) -> None:
        self.limits.take(
            m.Command("CP-1", "limit", "limit", max_power_w=power_w, fallback_w=fallback_w,
                      for_s=60, **more)
        )  # fmt: skip
        for _ in range(10):
            await asyncio.sleep(0)

    def replies(self) -> list[str | None]:
        return [one.error for one in self.bus.taken() if isinstance(one, m.Reply)]


async def _told_once() -> None:
    scene = Scene()
    await scene.hears(9_000)
    default, own = scene.charger.told
    assert (default.limit_w, default.transaction) == (4_140, None)
    assert (own.limit_w, own.transaction, own.for_s, own.at) == (9_000, 7, 60, NOON)
    assert (scene.confirmed, scene.replies()) == ([(9_000, 4_140)], [None])
    await scene.hears(0)
    assert [one.for_s for one in scene.charger.told[2:]] == [120]


async def _another_power() -> None:
    scene = Scene()
    scene.charger.rate_unit = "A"
    await scene.hears(9_000)
    scene.most_w = 7_400
    await scene.hears(7_000, 1_380)
    scene.most_w = 22_000
    await scene.hears(7_000, 1_380)
    powers = [(one.limit_w, one.most_w) for one in scene.charger.told[2:]]
    assert powers == [(1_380, 7_400), (7_000, 7_400), (1_380, 22_000), (7_000, 22_000)]


async def _no_charge() -> None:
    scene = Scene()
    scene.transaction = None
    await scene.hears(9_000)
    assert [one.transaction for one in scene.charger.told] == [None]
    assert scene.confirmed == [(4_140, 4_140)]


async def _again_after_a_connection() -> None:
    scene = Scene()
    await scene.hears(9_000)
    scene.limits.left()
    assert scene.confirmed[-1] == (None, None)
    await scene.hears(9_000)
    assert scene.replies()[-1] == "the charger is away"
    scene.connect()
    await scene.hears(9_000)
    assert len(scene.charger.told) == 4


async def _the_last_of_those_that_wait() -> None:
    scene = Scene()
    await scene.hears(9_000)
    scene.charger.gate.clear()
    for power_w in (8_000, 7_000, 6_000):
        await scene.hears(power_w)
    scene.charger.gate.set()
    await asyncio.sleep(0.01)
    assert [one.limit_w for one in scene.charger.told[1:]] == [9_000, 8_000, 6_000]
    assert scene.replies() == [None, "overtaken", None, None]


async def _refused() -> None:
    scene = Scene()
    for word, error in (("Rejected", "the charger answered Rejected"),
                        (None, "the charger answered nothing")):  # fmt: skip
        scene.charger.word = word
        await scene.hears(9_000)
        assert scene.replies() == [error]
        assert scene.refused[-1] == error
    assert scene.confirmed == []
    scene.charger.word = "Accepted"
    await scene.hears(9_000)
    assert (scene.confirmed, scene.refused[-1]) == ([(9_000, 4_140)], None)


async def _refused_for_a_charge() -> None:
    """Twice: one that has just ended has no limit any more. It is known beyond that charge."""
    scene = Scene()
    await scene.hears(9_000)
    scene.refused.clear()
    scene.charger.word = "Rejected"
    await scene.hears(8_000)
    assert scene.refused == []
    await scene.hears(8_000)
    assert scene.refused == ["the charger answered Rejected"]
    scene.transaction, scene.charger.word = None, "Accepted"
    scene.limits.left()
    scene.connect()
    await scene.hears(4_140)
    assert len(scene.refused) == 1
    scene.transaction = ONE._replace(id=8)
    await scene.hears(8_000)
    assert scene.refused[1:] == [None]


async def _runs_out() -> None:
    scene = Scene()
    await scene.hears(9_000)
    scene.time += timedelta(seconds=59)
    scene.limits.look()
    assert scene.confirmed == [(9_000, 4_140)]
    scene.time += timedelta(seconds=1)
    scene.limits.look()
    assert scene.confirmed[-1] == (4_140, 4_140)


async def _lifted() -> None:
    scene = Scene()
    await scene.hears(9_000)
    await scene.hears(None, None)
    assert (scene.charger.cleared, scene.confirmed[-1]) == (1, (None, None))
    await scene.hears(-1)
    assert scene.replies()[-1] == "bad_command"


async def _cleared_of_old_ones() -> None:
    """Of a circuit in which it is no more; some refuse all until they have said who they are."""
    scene = Scene()
    scene.limits.look()
    scene.connect(is_limited=False)
    scene.charger.word = "Rejected"
    for word, cleared in (("Rejected", 1), ("Accepted", 2), ("Accepted", 2)):
        scene.charger.word = word
        scene.limits.look()
        await asyncio.sleep(0.01)
        assert scene.charger.cleared == cleared
    scene.charger.word = "Rejected"
    scene.connect(is_limited=False)
    for _ in range(5):
        scene.limits.look()
        await asyncio.sleep(0.01)
    assert scene.charger.cleared == 5
    scene.connect(is_limited=False)
    await scene.hears(9_000)
    scene.limits.look()
    await asyncio.sleep(0.01)
    assert scene.charger.cleared == 5


@pytest.mark.parametrize(
    "story",
    [_told_once, _another_power, _no_charge, _again_after_a_connection,
     _the_last_of_those_that_wait, _refused,
     _refused_for_a_charge, _cleared_of_old_ones, _runs_out, _lifted],
    ids=lambda story: story.__name__,
)  # fmt: skip
def test_a_charger_is_told(story: Any) -> None:
    # In a thread of its own: a browser's loop may run in this one, of another test.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, story()).result()


@pytest.mark.parametrize("transaction", [None, 7])
@pytest.mark.parametrize(("unit", "limit"), [("W", 4_140), ("A", 6.0)])
def test_profiles_are_as_the_schemas_have_them(
    transaction: int | None, unit: str, limit: float
) -> None:
    at = NOON if transaction else None
    one = Allowance(1, 4_140, 22_000, unit, transaction, at, 60)
    in_16, in_201 = for_16(one), for_201(one._replace(transaction=transaction and "tx"))
    for version, payload in ((Version.V16, in_16), (Version.V201, in_201)):
        assert OcppSchemas().violation(version, "SetChargingProfile", payload) is None
    schedule = in_16["csChargingProfiles"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": limit, "numberPhases": 3}
    ]
    assert schedule.get("duration") == (60 if transaction else None)
