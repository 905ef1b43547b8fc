"""An emulated OCPP 2.0.1 station and its back end's charging profiles: part 2, K."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.station_world import Answer, World201


@pytest.fixture
def online() -> World201:
    return World201().online()


def profile(purpose: str, limit: float, **more: Any) -> Answer:
    schedule = {
        "id": 40, "chargingRateUnit": more.pop("unit", "W"),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }  # fmt: skip
    return {
        "id": 1, "stackLevel": 0, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative", "chargingSchedule": [schedule], **more,
    }  # fmt: skip


def set_(world: World201, evse: int, purpose: str, limit: float, **more: Any) -> str:
    """Set a profile; the word."""
    asked = profile(purpose, limit, **more)
    answer = world.ask("SetChargingProfile", evseId=evse, chargingProfile=asked)
    return str(answer["status"])


def charge(world: World201, **more: Any) -> str:
    """Begin one from afar; its transaction."""
    token = {"idToken": "AFAR", "type": "Central"}
    answer = world.ask("RequestStartTransaction", idToken=token, remoteStartId=1, **more)
    assert answer == {"status": "Accepted"}
    world.talk()
    return str(world.said("TransactionEvent")[-1]["transactionInfo"]["transactionId"])


def limit_w(world: World201) -> int:
    return world.station.limit_w(world.at)


def states(world: World201) -> list[str]:
    """What was told of its charging state."""
    return [one["transactionInfo"]["chargingState"] for one in world.said("TransactionEvent")]


def test_a_transaction_takes_its_own_then_the_default_and_none_more_than_the_station(
    online: World201,
) -> None:
    """K01, K02."""
    assert set_(online, 0, "TxDefaultProfile", 8_000) == "Accepted"
    assert set_(online, 1, "TxProfile", 12_000, id=2, transactionId="x") == "Rejected"
    id_ = charge(online)
    assert limit_w(online) == 8_000
    for wrong in (
        {}, {"transactionId": "x"}, {"transactionId": id_, "stackLevel": 10},
        {"transactionId": id_, "chargingSchedule": profile("TxProfile", 1)["chargingSchedule"] * 2},
    ):  # fmt: skip
        assert set_(online, 1, "TxProfile", 12_000, id=2, **wrong) == "Rejected", wrong
    assert set_(online, 0, "TxProfile", 12_000, id=2, transactionId=id_) == "Rejected"
    assert set_(online, 1, "TxProfile", 12_000, id=2, transactionId=id_) == "Accepted"
    assert limit_w(online) == 12_000
    assert set_(online, 1, "ChargingStationMaxProfile", 5_000, id=3) == "Rejected"
    assert set_(online, 0, "ChargingStationExternalConstraints", 5_000, id=3) == "Rejected"
    assert set_(online, 0, "ChargingStationMaxProfile", 5_000, id=3) == "Accepted"
    assert limit_w(online) == 5_000
    online.station.end("Local", online.at)
    assert [one.id for one in online.station.held.profiles] == [1, 3]


def test_of_one_purpose_and_level_there_is_one(online: World201) -> None:
    """K01.FR.05, FR.52, FR.53."""
    assert set_(online, 0, "TxDefaultProfile", 8_000) == "Accepted"
    assert set_(online, 1, "TxDefaultProfile", 7_000, id=2) == "Rejected"
    assert set_(online, 0, "TxDefaultProfile", 7_000) == "Accepted"
    assert set_(online, 1, "TxDefaultProfile", 9_000, id=2, stackLevel=1) == "Accepted"
    assert limit_w(online) == 9_000


def test_one_that_comes_with_the_start_is_of_that_transaction(online: World201) -> None:
    """F01.FR.11, K05."""
    wrong = profile("TxDefaultProfile", 6_000)
    token = {"idToken": "AFAR", "type": "Central"}
    answer = online.ask(
        "RequestStartTransaction", idToken=token, remoteStartId=1, chargingProfile=wrong
    )
    assert answer == {"status": "Rejected"}
    charge(online, chargingProfile=profile("TxProfile", 6_000))
    assert limit_w(online) == 6_000
    online.station.end("Local", online.at)
    assert limit_w(online) == 22_000


def test_below_what_a_car_takes_it_takes_nothing_and_says_so(online: World201) -> None:
    """E01.FR.18."""
    charge(online)
    set_(online, 0, "TxDefaultProfile", 5, unit="A")
    online.talk()
    online.born()
    online.open()
    online.pass_(1)
    online.talk()
    assert online.ask("ClearChargingProfile") == {"status": "Accepted"}
    online.talk()
    told = states(online)
    assert told[:3] == ["EVConnected", "Charging", "SuspendedEVSE"]
    assert told[-1] == "Charging"
    numbers = [one["seqNo"] for one in online.said("TransactionEvent")]
    assert numbers == list(range(len(numbers)))


def test_a_charge_that_begins_below_that_is_suspended_from_its_begin(online: World201) -> None:
    set_(online, 0, "TxDefaultProfile", 0)
    charge(online)
    assert states(online) == ["EVConnected", "SuspendedEVSE"]


def test_the_composite_schedule(online: World201) -> None:
    """K08."""
    set_(online, 0, "TxDefaultProfile", 16, unit="A")
    answer = online.ask("GetCompositeSchedule", evseId=1, duration=60)
    assert answer == {
        "status": "Accepted",
        "schedule": {
            "evseId": 1, "duration": 60, "chargingRateUnit": "A",
            "scheduleStart": "2026-11-30T07:00:00.000Z",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
        },
    }  # fmt: skip
    answer = online.ask("GetCompositeSchedule", evseId=1, duration=60, chargingRateUnit="W")
    assert answer["schedule"]["chargingSchedulePeriod"][0]["limit"] == 11_040
    assert online.ask("GetCompositeSchedule", evseId=2, duration=60) == {"status": "Rejected"}


def reported(world: World201, request: int, evse: int | None = None, **wanted: Any) -> list[Answer]:
    """What is reported of the profiles that are asked for."""
    more = {} if evse is None else {"evseId": evse}
    answer = world.ask("GetChargingProfiles", requestId=request, chargingProfile=wanted, **more)
    world.talk()
    pages = [one for one in world.said("ReportChargingProfiles") if one["requestId"] == request]
    assert answer["status"] == ("Accepted" if pages else "NoProfiles")
    assert [one["tbc"] for one in pages] == [True] * (len(pages) - 1) + [False] * bool(pages)
    return [one for page in pages for one in page["chargingProfile"]]


def test_profiles_are_reported_as_they_were_told_and_cleared(online: World201) -> None:
    """K09, K10."""
    id_ = charge(online)
    told = [
        profile("TxDefaultProfile", 8_000, id=1),
        profile("ChargingStationMaxProfile", 20_000, id=2, chargingProfileKind="Recurring",
                recurrencyKind="Weekly", validTo="2027-01-01T00:00:00Z"),
        profile("TxProfile", 7_000, id=3, transactionId=id_, stackLevel=2),
    ]  # fmt: skip
    told[1]["chargingSchedule"][0] |= {"startSchedule": "2026-11-01T00:00:00Z", "duration": 3_600}
    for evse, one in zip((0, 0, 1), told, strict=True):
        answer = online.ask("SetChargingProfile", evseId=evse, chargingProfile=one)
        assert answer == {"status": "Accepted"}
    assert reported(online, 1) == told
    assert reported(online, 2, evse=1) == told[2:]
    assert reported(online, 3, chargingProfileId=[2]) == told[1:2]
    assert reported(online, 4, chargingProfilePurpose="TxProfile", stackLevel=2) == told[2:]
    assert reported(online, 5, chargingLimitSource=["EMS"]) == []
    assert online.ask("ClearChargingProfile", chargingProfileId=9) == {"status": "Unknown"}
    assert online.ask("ClearChargingProfile", chargingProfileId=2) == {"status": "Accepted"}
    criteria = {"chargingProfilePurpose": "TxProfile", "stackLevel": 2}
    answer = online.ask("ClearChargingProfile", chargingProfileCriteria=criteria)
    assert answer == {"status": "Accepted"}
    assert reported(online, 6) == told[:1]
