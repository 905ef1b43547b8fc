"""A station's Engine and a journal that takes nothing: what is not kept has not begun."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evcs.adapters.log import NamedLog
from evcs.adapters.ocpp_schemas import OcppSchemas
from evcs.core import messages as m
from evcs.core.charger import EmulatedCharger
from evcs.core.ocpp import back_end as b
from evcs.core.ocpp.rules import Version
from evcs.core.ocpp.station_16 import Dialect16
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Identity
from evcs.core.ocpp.station_record import StationRecord, matters
from evcs.core.ocpp.station_state import StationState
from evcs.core.ocpp.station_tokens import Token
from evcs.core.ports import Connected, Received
from evcs.services.station.engine import StationEngine
from evcs.services.station.outside import StationOutside
from tests.ocpp.back_ends import answer_to
from tests.unit.fakes import FakeBus, FakeJournal

CP = "CP-1"


class FakeBackEnd:
    """A connection that keeps what is said; `dropped` counts how often it was closed."""

    def __init__(self) -> None:
        self.connected = True
        self.said: list[Any] = []
        self.dropped = 0
        self.password = b""

    def send(self, text: str) -> bool:
        """Keep it."""
        self.said.append(json.loads(text))
        return self.connected

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Note it."""
        self.dropped += 1

    def set_password(self, password: bytes) -> None:
        """Keep it."""
        self.password = password

    def set_ping(self, every_s: float) -> None:
        """Nobody is pinged here."""

    def set_back_off(self, back_off: b.BackOff) -> None:
        """Nor dialled."""


class World:
    """An Engine that is online."""

    def __init__(self, security_profile: int = 0) -> None:
        self.clock, self.numbers = 0.0, 0
        self.bus, self.journal, self.back_end = FakeBus(), FakeJournal(), FakeBackEnd()
        self.charger = EmulatedCharger(60)
        self.engine = StationEngine(CP, StationOutside(
            "boot", "key", self.bus, self.back_end, self.journal, self.charger, OcppSchemas(),
            Dialect16(Identity("evcs", "emulated", CP, "0", security_profile)), self.now,
            lambda: 22_000, NamedLog(CP),
        ))  # fmt: skip
        self.engine.handle([Connected(), b.Opened(Version.V16)])
        self.talk()

    def now(self) -> At:
        return At(self.clock, datetime(2026, 11, 30, tzinfo=UTC) + timedelta(seconds=self.clock))

    def talk(self) -> list[str]:
        """Answer all that is asked; the actions."""
        found = []
        while self.back_end.said:
            said, self.back_end.said = self.back_end.said, []
            for frame in said:
                if frame[0] == 2:
                    found.append(frame[2])
                    answer = json.dumps([3, frame[1], answer_to(frame[2], frame[3], 7)])
                    self.engine.handle([b.Said(answer)])
        return found

    def command(self, verb: str, **fields: Any) -> m.Reply | None:
        """The reply to a command, if there is one."""
        self.numbers += 1
        id_ = f"c{self.numbers}"
        self.engine.handle([Received(m.Command(CP, verb, id_, **fields), retained=False)])
        self.talk()
        found = (one for one in self.bus.said if isinstance(one, m.Reply) and one.id == id_)
        return next(found, None)

    def pass_(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock += 1.0
            self.engine.tick(self.clock)

    def phase(self) -> str:
        told = [one for one in self.bus.said if isinstance(one, m.EngineStatus)]
        return told[-1].phase


def test_what_begins_and_can_not_be_kept_has_not_begun() -> None:
    world = World()
    world.journal.full = True
    reply = world.command("present", tag="CARD")
    assert reply is not None
    assert (reply.ok, reply.error) == (False, "disk_full")
    assert "StartTransaction" not in world.talk()
    world.pass_(5)
    assert world.phase() == "idle"
    assert world.back_end.dropped == 1
    world.journal.full = False
    world.engine.handle([b.Lost("closed"), b.Opened(Version.V16)])
    world.talk()
    reply = world.command("present", tag="CARD")
    assert reply is not None
    assert reply.ok
    assert world.phase() == "supplying"


def test_what_ends_on_a_full_disk_stops_at_once_and_is_told_once_there_is_room() -> None:
    world = World()
    world.command("present", tag="CARD")
    world.pass_(30)
    world.journal.full = True
    world.engine.handle([
        Received(m.Command(CP, "unplug", "x"), retained=False)
    ])  # fmt: skip
    wh = world.charger.step(1.0).energy_wh
    assert world.charger.step(1.0).energy_wh == wh
    assert not [
        one for one in world.back_end.said if one[:1] == [2] and one[2] == "StopTransaction"
    ]
    world.journal.full = False
    world.pass_(2)
    assert world.talk().count("StopTransaction") == 1


def test_what_a_full_disk_does_not_take_central_is_not_told() -> None:
    world = World()
    world.command("present", tag="CARD")
    asked = next(one for one in world.bus.said if isinstance(one, m.StationRequest))
    answer = m.StationAnswer(CP, asked.id, True, "accepted", None, "S1")
    world.engine.handle([Received(answer, retained=False)])
    world.pass_(30)
    world.journal.full = True
    world.bus.said.clear()
    world.pass_(30)
    reply = world.command("present", tag="CARD")
    assert reply is not None
    assert (reply.ok, reply.error) == (False, "disk_full")
    world.engine.handle([Connected()])
    world.pass_(10)
    assert not [one for one in world.bus.said if isinstance(one, m.Meter | m.SessionEvent)]
    world.journal.full = False
    world.pass_(2)
    (told,) = {one for one in world.bus.said if isinstance(one, m.SessionEvent)}
    assert told.event == "ended"


def test_a_card_that_is_held_to_it_twice_is_answered_twice() -> None:
    world = World()
    for id_ in ("a", "b"):
        world.engine.handle([Received(m.Command(CP, "present", id_, tag="CARD"), retained=False)])
    world.talk()
    replies = [(one.id, one.error) for one in world.bus.said if isinstance(one, m.Reply)]
    assert replies == [("a", None), ("b", "busy")]


def test_after_a_reset_no_id_comes_again() -> None:
    """Back ends would take it for a repetition."""
    world = World()
    ids: set[str] = set()
    for _ in range(3):
        world.engine.handle([b.Said('[2,"r","Reset",{"type":"Soft"}]')])
        world.back_end.said.clear()
        world.engine.handle([b.Lost("closed"), b.Opened(Version.V16)])
        asked = [frame[1] for frame in world.back_end.said if frame[0] == 2]
        assert asked
        assert not ids & set(asked)
        ids |= set(asked)
        world.talk()


def test_its_power_follows_a_charging_profile_within_a_second() -> None:
    world = World()
    world.command("present", tag="CARD")
    world.pass_(10)
    assert world.charger.step(0).power_w > 20_000
    for limit in (0, 6_000, 1_000, 8_000):
        schedule = {
            "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        }  # fmt: skip
        profile = {
            "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative", "chargingSchedule": schedule,
        }  # fmt: skip
        asked = {"connectorId": 1, "csChargingProfiles": profile}
        world.engine.handle([b.Said(json.dumps([2, "s", "SetChargingProfile", asked]))])
        world.pass_(1)
        # Of less than 6 A on three phases a car takes nothing.
        assert world.charger.step(0).power_w == (limit if limit > 4_140 else 0)
    world.command("unplug")
    world.command("plug")
    world.command("present", tag="CARD")
    world.pass_(10)
    assert world.charger.step(0).power_w > 20_000


@pytest.mark.parametrize("verb", ["present", "dance"])
def test_what_is_no_command_is_refused(verb: str) -> None:
    """A card without a tag, and a verb that there isn't."""
    reply = World().command(verb)
    assert reply is not None
    assert reply.error == "bad_command"


def test_a_reading_lasts_before_it_is_told_and_its_answer_may_be_forgotten() -> None:
    """What was answered and is told again after a power cut has the same id."""
    held = StationState("k").begun(Token("CARD"), "2026-11-30T00:00:00Z")
    kept = StationRecord(held.put("MeterValues", {}, 1))
    assert matters(kept) != matters(StationRecord(held))
    (reading,) = kept.station.queue
    assert matters(StationRecord(kept.station.without(reading))) == matters(kept)
    assert matters(StationRecord(kept.station.again(reading))) != matters(kept)
    ended = StationRecord(kept.station.put("StopTransaction", {}, 1))
    stop = ended.station.queue[-1]
    assert matters(StationRecord(ended.station.without(stop))) != matters(ended)


def test_a_back_end_whose_certificate_would_not_do_hears_of_it_once_it_is_trusted() -> None:
    world = World(security_profile=2)
    world.back_end.said.clear()
    for _ in range(3):
        world.engine.handle([b.Lost(f"{b.UNTRUSTED}: expired", refused=True)])
    world.engine.handle([b.Opened(Version.V16)])
    assert world.talk().count("SecurityEventNotification") == 1
