"""An emulated OCPP 1.6 station and its back end's charging profiles."""

from __future__ import annotations

from typing import Any

import pytest

from evcs.core.ocpp import station_charging
from evcs.core.ocpp.station_profiles import MOST_COMPOSITE_S
from tests.unit.station_world import World

Answer = dict[str, Any]
ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


@pytest.fixture
def online() -> World:
    return World().online()


def profile(purpose: str, limit: float, **more: Any) -> Answer:
    schedule = {
        "chargingRateUnit": more.pop("unit", "W"),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}], **more.pop("schedule", {}),
    }  # fmt: skip
    return {
        "chargingProfileId": more.pop("id", 1), "stackLevel": 0, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative", "chargingSchedule": schedule, **more,
    }  # fmt: skip


def set_(world: World, connector: int, purpose: str, limit: float, **more: Any) -> Any:
    asked = profile(purpose, limit, **more)
    return world.ask("SetChargingProfile", connectorId=connector, csChargingProfiles=asked)


def charge(world: World) -> None:
    world.present("CARD")
    world.talk()


def limit_w(world: World) -> int:
    return world.station.limit_w(world.at)


def test_a_transaction_takes_its_own_then_the_default_and_none_more_than_the_station(
    online: World,
) -> None:
    assert limit_w(online) == 22_000
    assert set_(online, 0, "TxDefaultProfile", 8_000) == ACCEPTED
    assert set_(online, 1, "TxProfile", 12_000, id=2) == REJECTED
    charge(online)
    assert limit_w(online) == 8_000
    assert set_(online, 1, "TxProfile", 12_000, id=2, transactionId=9) == REJECTED
    assert set_(online, 1, "TxProfile", 12_000, id=2, transactionId=1) == ACCEPTED
    assert limit_w(online) == 12_000
    assert set_(online, 0, "ChargePointMaxProfile", 16, id=3, unit="A") == ACCEPTED
    assert limit_w(online) == 11_040
    online.born()
    assert limit_w(online) == 11_040
    online.open()
    online.talk()
    charge(online)
    assert limit_w(online) == 8_000
    assert [one.id for one in online.station.held.profiles] == [1, 3]


@pytest.mark.parametrize(
    ("connector", "purpose"),
    [(1, "ChargePointMaxProfile"), (0, "TxProfile"), (2, "TxProfile"), (2, "TxDefaultProfile")],
)
def test_a_profile_is_of_its_place_alone(online: World, connector: int, purpose: str) -> None:
    charge(online)
    assert set_(online, connector, purpose, 5_000) == REJECTED
    assert online.station.held.profiles == ()


def test_what_is_no_profile_is_rejected(online: World) -> None:
    late: Answer = {"chargingSchedulePeriod": [{"startPeriod": 5, "limit": 1}]}
    none: Answer = {"chargingSchedulePeriod": []}
    wrong: list[Answer] = [
        {"schedule": late}, {"schedule": none}, {"stackLevel": 10},
        {"chargingProfileKind": "Recurring"},
        {"chargingProfileKind": "Recurring", "schedule": {"startSchedule": "2026-11-30T00:00:00Z"}},
    ]  # fmt: skip
    for more in wrong:
        assert set_(online, 0, "TxDefaultProfile", 5_000, **more) == REJECTED, more


def test_at_nothing_it_is_suspended_and_says_so_and_goes_on(online: World) -> None:
    charge(online)
    assert set_(online, 1, "TxProfile", 0, transactionId=1) == ACCEPTED
    online.talk()
    assert online.said("StatusNotification")[-1]["status"] == "SuspendedEVSE"
    assert set_(online, 1, "TxProfile", 4_140, transactionId=1) == ACCEPTED
    online.talk()
    assert online.said("StatusNotification")[-1]["status"] == "Charging"
    schedule = {"startSchedule": "2026-11-30T07:01:00Z", "duration": 60}
    assert set_(online, 1, "TxProfile", 0, id=7, stackLevel=1, schedule=schedule,
                chargingProfileKind="Absolute") == ACCEPTED  # fmt: skip
    for seconds, status in ((59, "Charging"), (1, "SuspendedEVSE"), (60, "Charging")):
        online.pass_(seconds)
        online.talk()
        assert online.said("StatusNotification")[-1]["status"] == status


def test_from_afar_a_charge_begins_with_its_profile(online: World) -> None:
    wrong = profile("TxDefaultProfile", 5_000)
    asked = online.ask("RemoteStartTransaction", idTag="A", chargingProfile=wrong)
    assert asked == REJECTED
    mine = profile("TxProfile", 5_000)
    assert online.ask("RemoteStartTransaction", idTag="A", chargingProfile=mine) == ACCEPTED
    online.talk()
    assert limit_w(online) == 5_000
    assert set_(online, 1, "TxProfile", 6_000, id=9, transactionId=1) == ACCEPTED
    assert limit_w(online) == 6_000
    assert len(online.station.held.profiles) == 1
    assert online.ask("RemoteStopTransaction", transactionId=1) == ACCEPTED
    online.talk()
    charge(online)
    assert limit_w(online) == 22_000


def test_what_was_wished_for_a_card_that_is_refused_is_for_no_other(online: World) -> None:
    online.ask("ChangeConfiguration", key="AuthorizeRemoteTxRequests", value="true")
    online.tags["BAD"] = "Invalid"
    mine = profile("TxProfile", 5_000)
    assert online.ask("RemoteStartTransaction", idTag="BAD", chargingProfile=mine) == ACCEPTED
    online.talk()
    charge(online)
    assert limit_w(online) == 22_000


def test_profiles_are_cleared_by_what_is_given(online: World) -> None:
    set_(online, 0, "TxDefaultProfile", 5_000)
    set_(online, 0, "ChargePointMaxProfile", 9_000, id=2)
    assert online.ask("ClearChargingProfile", id=9) == {"status": "Unknown"}
    assert online.ask("ClearChargingProfile", chargingProfilePurpose="TxDefaultProfile") == ACCEPTED
    assert limit_w(online) == 9_000
    assert online.ask("ClearChargingProfile") == ACCEPTED
    assert online.ask("ClearChargingProfile") == {"status": "Unknown"}
    assert limit_w(online) == 22_000


def test_its_composite_schedule_is_of_all_of_them(online: World) -> None:
    periods = [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 300, "limit": 10.0}]
    set_(online, 0, "TxDefaultProfile", 0, unit="A", schedule={"chargingSchedulePeriod": periods})
    assert online.ask("GetCompositeSchedule", connectorId=2, duration=600) == REJECTED
    found = online.ask("GetCompositeSchedule", connectorId=1, duration=600)
    schedule = found["chargingSchedule"]
    assert (found["connectorId"], found["scheduleStart"]) == (1, "2026-11-30T07:00:00.000Z")
    assert (schedule["duration"], schedule["chargingRateUnit"]) == (600, "A")
    assert schedule["chargingSchedulePeriod"] == periods
    set_(online, 0, "ChargePointMaxProfile", 8_000, id=2)
    found = online.ask("GetCompositeSchedule", connectorId=0, duration=10**9, chargingRateUnit="W")
    assert found["chargingSchedule"]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 8_000}, {"startPeriod": 300, "limit": 6_900},
    ]  # fmt: skip
    assert found["chargingSchedule"]["duration"] == MOST_COMPOSITE_S


def test_a_composite_schedule_of_too_many_periods_covers_less(
    online: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station_charging, "MOST_SHOWN", 20)
    periods = [
        {"startPeriod": second * 1_800, "limit": 9_000.0 + second % 2} for second in range(48)
    ]  # fmt: skip
    schedule = {"chargingSchedulePeriod": periods, "startSchedule": "2026-11-20T00:00:00Z"}
    kind = {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
    assert set_(online, 0, "TxDefaultProfile", 0, schedule=schedule, **kind) == ACCEPTED
    found = online.ask("GetCompositeSchedule", connectorId=1, duration=MOST_COMPOSITE_S)
    told = found["chargingSchedule"]
    assert len(told["chargingSchedulePeriod"]) == 20
    assert told["chargingSchedulePeriod"][-1]["startPeriod"] == 19 * 1_800
    assert told["duration"] == 20 * 1_800
