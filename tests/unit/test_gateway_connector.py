"""A charger's connector as a CP: what it tells the bus, the charger and its journal, and when."""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evcs.core import messages as m
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.charging_profiles import Allowance
from evcs.core.ocpp.ports import NoAnswer
from evcs.core.ocpp.readings import ChargerReading, reading
from evcs.core.ports import Connected, Received
from evcs.services.gateway.connector import MOST_HELD, MOST_OPEN, Connector
from evcs.services.gateway.outside import ConnectorOutside, Place
from evcs.services.gateway.questions import CentralAway
from evcs.services.gateway.voice import Voice
from tests.unit.fakes import FakeBus

SESSION = "261130-0123456789ab"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Journal:
    """Keeps the last record, or none where the disk is full."""

    def __init__(self) -> None:
        self.record: dict[str, Any] | None = None
        self.full = False

    def last(self, is_record: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        return self.record if self.record is not None and is_record(self.record) else None

    def append(self, record: dict[str, Any], sync: bool) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.record = record

    def close(self) -> None:
        pass


class Charger:
    """Says what a test wants."""

    connection_timeout_s = 60.0
    rate_unit = "W"

    def __init__(self) -> None:
        self.word: str | None = "Accepted"
        self.started: list[str] = []
        self.stopped: list[int] = []
        self.limits: list[Allowance] = []

    async def start(self, connector: int, session_id: str) -> str:
        self.started.append(session_id)
        return self._word()

    async def stop(self, one: t.Transaction) -> str:
        self.stopped.append(one.id)
        return self._word()

    async def set_limit(self, allowance: Allowance) -> str:
        self.limits.append(allowance)
        return self._word()

    async def clear_limits(self, connector: int) -> str:
        self.limits.clear()
        return self._word()

    def _word(self) -> str:
        if self.word is None:
            raise NoAnswer
        return self.word


class Scene:
    """A connector with all that is around it."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.engine, self.monitor, self.charger = FakeBus(), FakeBus(), Charger()
        self.time, numbers = NOON, itertools.count(1)
        #: How far the clock was set.
        self.ahead = timedelta()
        outside = ConnectorOutside(
            Voice("CP-1", "boot", self.engine, self.monitor), self.journal,
            lambda: next(numbers), lambda: self.time + self.ahead, lambda: self.time,
            logging.getLogger("test"), 0.2,
        )  # fmt: skip
        self.connector = Connector(Place("CP-1", "S", 1, 22_000), outside)
        self.connector.handle([Connected()])
        self.connector.connected(self.charger)
        self.heard()

    def heard(self) -> list[Any]:
        """What the bus was told since the last call."""
        return self.engine.taken() + self.monitor.taken()

    def hear(self, message: Any) -> None:
        self.connector.handle([Received(message, False)])

    def command(self, verb: str, **more: Any) -> None:
        self.hear(m.Command("CP-1", verb, f"{SESSION}.{verb}", SESSION, **more))

    async def begun(self, tag: str = "CARD", meter_wh: int = 100) -> t.Transaction:
        """A charge that Central has taken."""
        self.heard()
        told = t.Begun(tag, "2026-11-30T12:00:00Z", meter_wh)
        beginning = asyncio.ensure_future(self.connector.begin(told))
        await asyncio.sleep(0)
        asked = next(one for one in self.heard() if isinstance(one, m.StationRequest))
        self.hear(m.StationAnswer("CP-1", asked.id, True, "accepted", "ALICE", SESSION))
        number, status = await beginning
        assert status == "accepted"
        found = self.connector.find(number)
        assert isinstance(found, t.Transaction)
        return found

    async def limited(self, limit_w: int) -> None:
        """Central has told a limit, and the charger taken it."""
        self.command("limit", max_power_w=limit_w, for_s=60, fallback_w=4_140)
        for _ in range(10):
            await asyncio.sleep(0)
        self.heard()

    def told(self, kind: type) -> list[Any]:
        return [one for one in self.heard() if isinstance(one, kind)]


def play(act: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    """Within asyncio's loop."""

    async def run() -> None:
        await act(Scene())

    # In a thread of its own: a browser's loop may run in this one, of another test.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()


#: A register alone, as each version has it; Wh.
REGISTERS: list[Callable[[int], list[dict[str, Any]]]] = [
    lambda wh: [{"value": f"{wh / 1_000}", "unit": "kWh"}],
    lambda wh: [{"value": wh, "measurand": "Energy.Active.Import.Register"}],
]


@pytest.mark.parametrize("samples", REGISTERS)
@pytest.mark.parametrize("obeys", [True, False])
def test_a_register_alone_says_whether_a_limit_is_obeyed(
    samples: Callable[[int], list[dict[str, Any]]], obeys: bool
) -> None:
    async def act(scene: Scene) -> None:
        one, register_wh, power_w = await scene.begun(), 100, 9_000

        def metered(minutes: int) -> m.Meter:
            nonlocal register_wh
            for _ in range(minutes):
                scene.time += timedelta(minutes=1)
                register_wh += power_w // 60
                scene.connector.meter(one, reading(samples(register_wh)), scene.time)
            told = scene.told(m.Meter)
            assert len(told) == minutes
            found: m.Meter = told[-1]
            return found

        await scene.limited(9_000)
        assert metered(1).limit_w is None
        last = metered(2)
        assert (last.power_w, last.limit_w) == (9_000, 9_000)
        await scene.limited(4_500)
        power_w = 4_500 if obeys else 9_000
        assert metered(1).limit_w == 9_000
        last = metered(1)
        assert (last.power_w, last.limit_w) == (power_w, 4_500)

    play(act)


def test_a_reading_of_nothing_that_is_metered_is_no_power() -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        scene.connector.meter(one, ChargerReading(200, 7_000), scene.time)
        scene.heard()
        for told in ("SoC", "Voltage"):
            scene.connector.meter(one, reading([{"value": "40", "measurand": told}]), scene.time)
        assert scene.told(m.Meter) == []

    play(act)


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("charger_is_set", [True, False])
def test_a_clock_that_is_set_in_a_charge_takes_no_energy(days: int, charger_is_set: bool) -> None:
    async def act(scene: Scene) -> None:
        at = (lambda: scene.time + scene.ahead) if charger_is_set else (lambda: None)
        one = await scene.begun()
        scene.time += timedelta(minutes=10)
        scene.connector.meter(one, ChargerReading(3_000, 20_000), at())
        scene.ahead = timedelta(days=days)
        scene.time += timedelta(minutes=10)
        scene.connector.meter(one, ChargerReading(6_000, 20_000), at())
        scene.connector.end(one, 6_500, "stopped", at())
        (ended,) = [x for x in scene.told(m.SessionEvent) if x.event == "ended"]
        assert ended.energy_wh == 6_400

    play(act)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_set_ends_no_request(days: int) -> None:
    async def act(scene: Scene) -> None:
        scene.command("start", energy_wh=500, max_power_w=22_000)
        await asyncio.sleep(0)
        scene.ahead = timedelta(days=days)
        scene.connector.tick(0.0)
        assert [x for x in scene.told(m.SessionEvent) if x.event == "ended"] == []
        scene.time += timedelta(minutes=5)
        scene.connector.tick(0.0)
        (ended,) = [x for x in scene.told(m.SessionEvent) if x.event == "ended"]
        assert ended.reason == "not_started"

    play(act)


def test_a_charge_by_card() -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        status = scene.told(m.EngineStatus)[-1]
        assert (status.phase, status.session_id) == ("supplying", SESSION)
        scene.time += timedelta(minutes=10)
        scene.connector.meter(one, ChargerReading(600, 7_400), None)
        (meter,) = scene.told(m.Meter)
        assert (meter.session_id, meter.energy_wh, meter.power_w) == (SESSION, 500, 7_400)
        scene.connector.end(one, 800, "stopped", None)
        (ended,) = scene.told(m.SessionEvent)
        assert (ended.event, ended.energy_wh) == ("ended", 700)
        scene.connector.tick(0.0)
        assert scene.told(m.SessionEvent) == [ended], "it is told until it is settled"
        scene.command("settled")
        scene.heard()
        scene.connector.tick(0.0)
        assert scene.heard() == []

    play(act)


def test_the_journal_is_before_the_answer_and_outlives_the_process() -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        again = Scene(scene.journal)
        found = again.connector.find(one.id)
        assert isinstance(found, t.Transaction)
        assert (found.session_id, found.meter_wh) == (SESSION, 100)
        again.connector.end(found, 300, "stopped", None)
        assert again.told(m.SessionEvent)[-1].energy_wh == 200

    play(act)


def test_what_can_t_be_kept_is_not_answered() -> None:
    async def act(scene: Scene) -> None:
        scene.journal.full = True
        with pytest.raises(OSError, match="space"):
            await scene.connector.begin(t.Begun("CARD", "2026-11-30T12:00:00Z", 0))
        scene.journal.full = False
        one = await scene.begun()
        scene.journal.full = True
        with pytest.raises(OSError, match="space"):
            scene.connector.end(one, 300, "stopped", None)
        scene.connector.meter(one, ChargerReading(200), None)  # a reading is no reason to stop
        scene.journal.full = False
        scene.connector.tick(0.0)
        assert Scene(scene.journal).connector.find(one.id).energy_wh == 100  # type: ignore[union-attr]

    play(act)


def test_while_central_is_away_a_card_that_was_seen_is_taken_and_no_other() -> None:
    async def act(scene: Scene) -> None:
        with pytest.raises(CentralAway):
            await scene.connector.authorise("CARD")
        one = await scene.begun()
        scene.connector.end(one, 300, "stopped", None)
        assert await scene.connector.authorise("CARD") == "accepted"
        with pytest.raises(CentralAway):
            await scene.connector.authorise("OTHER")
        number, status = await scene.connector.begin(t.Begun("CARD", "2026-11-30T13:00:00Z", 300))
        assert status == "accepted"
        scene.heard()
        scene.connector.tick(0.0)
        (asked,) = scene.told(m.StationRequest)
        assert (asked.verb, asked.meter_wh) == ("start", 300), "it is told again"
        assert number == one.id + 1

    play(act)


@pytest.mark.parametrize(("word", "said"), [("Rejected", "Rejected"), (None, "nothing")])
def test_a_charger_that_does_not_start(word: str | None, said: str) -> None:
    async def act(scene: Scene) -> None:
        scene.charger.word = word
        scene.command("start", energy_wh=500, max_power_w=22_000)
        await asyncio.sleep(0.05)
        (reply,) = scene.told(m.Reply)
        assert not reply.ok
        assert reply.error.endswith(f"answered {said}")
        assert scene.connector.open == []

    play(act)


def test_a_start_from_afar_and_a_stop_at_what_was_asked_for() -> None:
    async def act(scene: Scene) -> None:
        for _ in range(2):  # told twice, asked once
            scene.command("start", energy_wh=500, max_power_w=22_000)
            await asyncio.sleep(0.05)
        assert scene.charger.started == [SESSION]
        assert [one.ok for one in scene.told(m.Reply)] == [True, True]
        one = await scene.begun(SESSION)
        scene.time += timedelta(hours=1)
        for register in (400, 601, 620):
            scene.connector.meter(one, ChargerReading(register), None)
            await asyncio.sleep(0.05)
        assert scene.charger.stopped == [one.id], "and not again at each reading"
        scene.connector.end(one, 630, "stopped", None)
        ended = scene.told(m.SessionEvent)[-1]
        assert (ended.energy_wh, ended.reason) == (530, "completed")

    play(act)


def test_a_car_that_does_not_come() -> None:
    async def act(scene: Scene) -> None:
        scene.command("start", energy_wh=500, max_power_w=22_000)
        await asyncio.sleep(0.05)
        scene.connector.tick(0.0)
        assert scene.told(m.SessionEvent) == []
        scene.time += timedelta(seconds=80)
        scene.connector.tick(0.0)
        (ended,) = scene.told(m.SessionEvent)
        assert (ended.event, ended.energy_wh, ended.reason) == ("ended", 0, "not_started")

    play(act)


def test_a_charger_that_is_away_goes_on_charging() -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        scene.heard()
        scene.connector.left(Charger())  # another connection's end is not this one's
        assert scene.heard() == []
        scene.connector.left(scene.charger)
        heard = scene.heard()
        assert {type(one) for one in heard if not one.online} == {m.EngineStatus, m.MonitorStatus}
        scene.command("start", energy_wh=500, max_power_w=22_000)
        assert scene.told(m.Reply)[0].ok, "it has that session"
        scene.connector.connected(scene.charger)
        (goes_on,) = scene.told(m.SessionEvent)
        assert (goes_on.event, goes_on.session_id) == ("started", one.session_id)

    play(act)


def test_a_charge_of_an_hour_ago_is_no_live_one_until_it_is_read() -> None:
    async def act(scene: Scene) -> None:
        told = t.Begun("CARD", "2026-11-30T11:00:00Z", 0, offline=True)
        beginning = asyncio.ensure_future(scene.connector.begin(told))
        await asyncio.sleep(0)
        asked = scene.told(m.StationRequest)[0]
        assert asked.offline
        scene.hear(m.StationAnswer("CP-1", asked.id, True, "accepted", "ALICE", SESSION))
        number, _ = await beginning
        heard = scene.heard()
        assert [one.session_id for one in heard if isinstance(one, m.EngineStatus)] == [None]
        assert not [one for one in heard if isinstance(one, m.SessionEvent)]
        one = scene.connector.find(number)
        assert isinstance(one, t.Transaction)
        scene.connector.meter(one, ChargerReading(9_000), NOON - timedelta(minutes=30))
        assert scene.told(m.Meter) == []
        scene.connector.meter(one, ChargerReading(9_500), NOON)
        heard = scene.heard()
        assert [one.energy_wh for one in heard if isinstance(one, m.Meter)] == [9_500]
        assert [one.session_id for one in heard if isinstance(one, m.EngineStatus)] == [SESSION]

    play(act)


def test_days_away_by_a_clock_that_was_never_set_lose_nothing() -> None:
    async def act(scene: Scene) -> None:
        scene.journal.record = {**t.to_record(t.Held()), "room": [0.0, scene.time.timestamp()]}
        scene = Scene(scene.journal)
        scene.connector.left(scene.charger)
        scene.time += timedelta(days=3)
        scene.connector.connected(scene.charger)
        for register in (30_000, 60_000):
            begun = t.Begun("CARD", f"1970-01-01T00:00:{register // 1000}Z", 0)
            beginning = asyncio.ensure_future(scene.connector.begin(begun))
            await asyncio.sleep(0)
            asked = scene.told(m.StationRequest)[-1]
            session = f"261130-{register:012x}"
            scene.hear(m.StationAnswer("CP-1", asked.id, True, "accepted", "ALICE", session))
            number, _ = await beginning
            one = scene.connector.find(number)
            assert isinstance(one, t.Transaction)
            scene.connector.end(one, register, "stopped", None)
            told = [x for x in scene.told(m.SessionEvent) if x.event == "ended"]
            assert told[-1].energy_wh == register

    play(act)


def test_what_is_beyond_our_clock_is_a_charge_of_nobody_s() -> None:
    async def act(scene: Scene) -> None:
        scene.journal.record = {**t.to_record(t.Held()), "room": [4_000.0, NOON.timestamp()]}
        scene = Scene(scene.journal)
        told = t.Begun("CARD", "2026-11-30T02:00:00Z", 0, offline=True)
        beginning = asyncio.ensure_future(scene.connector.begin(told))
        await asyncio.sleep(0)
        asked = scene.told(m.StationRequest)[0]
        scene.hear(m.StationAnswer("CP-1", asked.id, True, "accepted", "ALICE", SESSION))
        number, _ = await beginning
        one = scene.connector.find(number)
        assert isinstance(one, t.Transaction)
        scene.connector.end(one, 90_000, "stopped", NOON)
        heard = scene.heard()
        assert [x.energy_wh for x in heard if isinstance(x, m.SessionEvent)] == [4_000]
        again = Scene(scene.journal)
        again.connector.tick(0.0)
        assert again.told(m.StationRequest) == [], "the charge before is not settled"
        again.command("settled")
        again.connector.tick(0.0)
        (rest,) = again.told(m.StationRequest)
        assert (rest.tag, rest.offline, rest.meter_wh) == ("", True, 4_000)
        other = "261130-000000000001"
        again.hear(m.StationAnswer("CP-1", rest.id, False, "invalid", None, other))
        ended = again.told(m.SessionEvent)
        assert [x.energy_wh for x in ended if x.session_id == other] == [86_000]

    play(act)


def test_a_cp_that_is_deleted_waits_for_its_charger_no_longer_than_a_minute() -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        scene.time += timedelta(minutes=10)
        scene.connector.meter(one, ChargerReading(600), None)
        scene.connector.left(scene.charger)
        scene.connector.place = scene.connector.place._replace(leaves=True)
        scene.connector.tick(0.0)
        scene.time += timedelta(seconds=50)
        scene.connector.tick(0.0)
        assert not [x for x in scene.told(m.SessionEvent) if x.event == "ended"]
        scene.time += timedelta(seconds=20)
        scene.connector.tick(0.0)
        (ended,) = [x for x in scene.told(m.SessionEvent) if x.event == "ended"]
        assert (ended.energy_wh, ended.reason) == (500, "deleted")
        scene.command("settled")
        assert scene.connector.health().session_id is None, "it may go"

    play(act)


def test_a_charge_whose_end_was_lost_is_over_once_the_next_begins() -> None:
    async def act(scene: Scene) -> None:
        lost = await scene.begun()
        told = t.Begun("CARD", "2026-11-30T13:00:00Z", 500)
        beginning = asyncio.ensure_future(scene.connector.begin(told))
        await asyncio.sleep(0)
        asked = scene.told(m.StationRequest)[-1]
        scene.hear(m.StationAnswer("CP-1", asked.id, True, "accepted", "ALICE", "S2"))
        number, _ = await beginning
        one = scene.connector.find(number)
        assert isinstance(one, t.Transaction)
        scene.connector.end(one, 700, "stopped", None)
        scene.hear(m.Command("CP-1", "settled", "S2.settled", "S2"))
        assert scene.connector.health().session_id is None
        scene.heard()
        scene.hear(m.Command("CP-1", "start", "S3.start", "S3", energy_wh=500, max_power_w=9))
        await asyncio.sleep(0.05)
        assert [reply.ok for reply in scene.told(m.Reply)] == [True], "it is not busy"
        scene.connector.end(lost, 400, "stopped", None)
        ended = [x for x in scene.told(m.SessionEvent) if x.session_id == SESSION]
        assert ended[-1].energy_wh == 300, "an end that comes all the same is told"

    play(act)


@pytest.mark.parametrize("late", [False, True])
def test_a_charge_whose_connector_is_free_for_long_has_lost_its_end(late: bool) -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        scene.connector.meter(one, ChargerReading(300), None)
        scene.connector.told("Available", None)
        for minute in range(25):
            scene.time += timedelta(minutes=1)
            if minute == 4:
                scene.connector.meter(one, ChargerReading(400), None)
            scene.connector.tick(0.0)
            assert (scene.connector.health().session_id is None) == (minute == 24)
        (told,) = scene.told(m.EngineStatus)[-1:]
        assert told.session_id is None
        scene.command("stop", reason="journal_lost")
        (reply,) = scene.told(m.Reply)
        assert (reply.error, scene.charger.stopped) == ("no_session", [])
        if late:
            scene.connector.end(one, 450, "stopped", None)
            (ended,) = scene.told(m.SessionEvent)
            assert (ended.session_id, ended.energy_wh) == (SESSION, 350)
        scene.hear(m.Command("CP-1", "start", "S3.start", "S3", energy_wh=500, max_power_w=9))
        await asyncio.sleep(0.05)
        assert scene.told(m.Reply)[0].ok, "it is not busy"

    play(act)


@pytest.mark.parametrize("begins", [True, False])
def test_a_start_that_was_asked_for_waits_for_a_charger_whose_line_is_cut(begins: bool) -> None:
    async def act(scene: Scene) -> None:
        scene.command("start", energy_wh=500, max_power_w=9)
        await asyncio.sleep(0.05)
        scene.connector.left(scene.charger)
        scene.time += timedelta(hours=2)
        scene.connector.tick(0.0)
        assert scene.told(m.SessionEvent) == []
        scene.connector.connected(scene.charger)
        scene.time += timedelta(seconds=70)
        scene.connector.tick(0.0)
        assert not [x for x in scene.told(m.SessionEvent) if x.event == "ended"]
        if begins:
            told = t.Begun(SESSION, "2026-11-30T12:00:01Z", 0, offline=True)
            beginning = asyncio.ensure_future(scene.connector.begin(told))
            await asyncio.sleep(0)
            asked = scene.told(m.StationRequest)[-1]
            scene.hear(m.StationAnswer("CP-1", asked.id, True, "accepted", "ALICE", SESSION))
            number, status = await beginning
            assert (status, scene.connector.health().session_id) == ("accepted", SESSION)
            one = scene.connector.find(number)
            assert isinstance(one, t.Transaction)
            scene.connector.end(one, 15_000, "stopped", None)
        else:
            scene.time += timedelta(seconds=10)
            scene.connector.tick(0.0)
        ended = next(x for x in scene.told(m.SessionEvent) if x.event == "ended")
        energy_wh, reason = (15_000, "stopped") if begins else (0, "not_started")
        assert (ended.session_id, ended.energy_wh, ended.reason) == (SESSION, energy_wh, reason)

    play(act)


@pytest.mark.parametrize("readings", [True, False])
def test_a_cp_s_power_that_is_lowered_in_a_charge_takes_no_energy(readings: bool) -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        for _ in range(60):
            scene.time += timedelta(minutes=1)
            scene.connector.tick(0.0)
        if readings:
            scene.connector.meter(one, ChargerReading(20_100), None)
        scene.connector.place = scene.connector.place._replace(max_power_w=3_700)
        if readings:
            scene.connector.meter(one, ChargerReading(20_300), None)
        scene.heard()
        scene.connector.end(one, 20_600, "stopped", None)
        (ended,) = scene.told(m.SessionEvent)
        assert ended.energy_wh == 20_500

    play(act)


def test_a_charger_that_is_away_or_says_that_it_charges_has_lost_nothing() -> None:
    async def act(scene: Scene) -> None:
        await scene.begun()
        scene.connector.told("Available", None)
        scene.time += timedelta(minutes=19)
        scene.connector.told("Charging", None)
        scene.time += timedelta(hours=9)
        scene.connector.tick(0.0)
        scene.connector.told("Available", None)
        scene.connector.left(scene.charger)
        scene.time += timedelta(hours=9)
        scene.connector.tick(0.0)
        assert scene.connector.health().session_id == SESSION

    play(act)


def test_a_charge_that_begins_where_it_was_free_for_long_is_under_way() -> None:
    async def act(scene: Scene) -> None:
        scene.connector.told("Available", None)
        scene.time += timedelta(hours=9)
        await scene.begun()
        scene.connector.tick(0.0)
        assert scene.connector.health().session_id == SESSION

    play(act)


def test_commands_of_an_emulated_charger_are_none() -> None:
    async def act(scene: Scene) -> None:
        for verb in ("plug", "unplug", "fault", "clear", "start"):
            scene.hear(m.Command("CP-1", verb, "x", None))
        assert [one.error for one in scene.told(m.Reply)] == ["bad_command"] * 5
        scene.command("stop")
        assert scene.told(m.Reply)[0].error == "no_session"

    play(act)


def test_a_stop_that_overtakes_the_answer_is_not_of_nobody() -> None:
    async def act(scene: Scene) -> None:
        begun = t.Begun("CARD", "2026-11-30T12:00:00Z", 0)
        beginning = asyncio.ensure_future(scene.connector.begin(begun))
        await asyncio.sleep(0)
        (asked,) = scene.told(m.StationRequest)
        scene.command("stop", reason="unauthorised")
        assert scene.told(m.Reply) == []
        scene.hear(m.StationAnswer("CP-1", asked.id, False, "invalid", None, SESSION))
        number, status = await beginning
        assert status == "invalid"
        scene.command("stop", reason="unauthorised")
        await asyncio.sleep(0.05)
        assert [one.ok for one in scene.told(m.Reply)] == [True]
        assert scene.charger.stopped == [number]

    play(act)


def test_a_charger_that_ends_nothing_and_shows_ever_new_cards_fills_nothing() -> None:
    async def act(scene: Scene) -> None:
        for number in range(MOST_OPEN + 20):
            told = t.Begun(f"CARD-{number}", "2026-11-30T12:00:00Z", number)
            beginning = asyncio.ensure_future(scene.connector.begin(told))
            await asyncio.sleep(0)
            asked = scene.told(m.StationRequest)[-1]
            session = f"261130-{number:012x}"
            scene.hear(m.StationAnswer("CP-1", asked.id, True, "accepted", "ALICE", session))
            await beginning
        assert len(scene.connector.open) == MOST_OPEN
        scene.connector.tick(0.0)
        ended = {one.session_id for one in scene.told(m.SessionEvent) if one.event == "ended"}
        assert len(ended) == 20, "what it gave up is told, and Central settles it"

    play(act)


def test_a_charger_keeps_what_can_t_be_told() -> None:
    async def act(scene: Scene) -> None:
        one = await scene.begun()
        held = t.Held(tuple(one._replace(id=n, request_id=str(n)) for n in range(MOST_HELD)))
        scene.journal.record = t.to_record(held)
        again = Scene(scene.journal)
        with pytest.raises(CentralAway, match="too many"):
            await again.connector.begin(t.Begun("CARD", "2026-11-30T13:00:00Z", 0))

    play(act)
