"""An emulated OCPP 1.6 station whose car comes and goes by hand, and what its end tells of it."""

from __future__ import annotations

import pytest

from evcs.core.ocpp.station_reader import Presented
from evcs.core.ocpp.station_state import MOST_DATA
from tests.unit.station_world import World


@pytest.fixture
def online() -> World:
    return World().online()


def unplug(world: World) -> None:
    world.station.unplug(world.at)
    world.flush()
    world.talk()


def plug(world: World) -> None:
    world.station.plug(world.at)
    world.flush()
    world.talk()


def takes(world: World) -> bool:
    return world.station.wants_power


def statuses(world: World) -> list[str]:
    return [one["status"] for one in world.said("StatusNotification") if one["connectorId"] == 1]


@pytest.mark.parametrize("how", ["card", "from afar"])
def test_who_has_no_car_there_waits_for_one_and_then_begins(online: World, how: str) -> None:
    unplug(online)
    if how == "card":
        online.present("CARD")
    else:
        asked = online.ask("RemoteStartTransaction", idTag="CARD")
        assert asked == {"status": "Accepted"}
    online.talk()
    assert statuses(online) == ["Preparing"]
    online.present("OTHER")
    assert online.station.reader.answers[-1] == Presented("OTHER", False, "busy")
    assert online.ask("RemoteStartTransaction", idTag="X") == {"status": "Rejected"}
    online.pass_(59)
    assert online.said("StartTransaction") == []
    plug(online)
    assert online.said("StartTransaction")[0]["idTag"] == "CARD"
    assert statuses(online) == ["Preparing", "Charging"]
    assert takes(online)


def test_whose_car_does_not_come_in_time_does_not_charge(online: World) -> None:
    online.ask("ChangeConfiguration", key="ConnectionTimeOut", value="20")
    unplug(online)
    online.present("CARD")
    online.talk()
    assert online.station.due == pytest.approx(20)
    online.pass_(20)
    online.talk()
    assert statuses(online) == ["Preparing", "Available"]
    plug(online)
    assert online.said("StartTransaction") == []
    assert statuses(online)[-1] == "Preparing"
    online.present("CARD")
    online.talk()
    assert len(online.said("StartTransaction")) == 1


def test_that_no_car_comes_by_itself_holds_over_restarts_until_one_is_plugged_in(
    online: World,
) -> None:
    unplug(online)
    online.born()
    online.open()
    online.talk()
    online.present("CARD")
    online.talk()
    assert online.said("StartTransaction") == []
    plug(online)
    online.present("CARD")
    online.talk()
    online.present("CARD")
    online.talk()
    assert len(online.said("StartTransaction")) == 2


def test_a_fault_or_out_of_service_ends_the_waiting(online: World) -> None:
    unplug(online)
    online.present("CARD")
    online.talk()
    online.station.faulted("it burns", online.at)
    online.station.faulted(None, online.at)
    online.present("CARD")
    online.talk()
    online.ask("ChangeAvailability", connectorId=0, type="Inoperative")
    plug(online)
    assert online.said("StartTransaction") == []


def test_unplugged_it_goes_on_where_that_is_configured(online: World) -> None:
    key = {"key": "StopTransactionOnEVSideDisconnect", "value": "false"}
    online.ask("ChangeConfiguration", **key)
    online.present("CARD")
    online.talk()
    unplug(online)
    assert not takes(online)
    assert statuses(online) == ["Charging", "SuspendedEV"]
    online.born()
    assert not takes(online)
    online.open()
    online.talk()
    plug(online)
    assert takes(online)
    online.station.filled(online.at)
    online.flush()
    online.talk()
    assert (takes(online), statuses(online)[-1]) == (False, "SuspendedEV")
    assert online.said("StopTransaction") == []
    assert online.ask("RemoteStopTransaction", transactionId=1) == {"status": "Accepted"}


def test_its_end_tells_the_readings_that_are_configured(online: World) -> None:
    for key, value in (
        ("StopTxnSampledData", "Energy.Active.Import.Register"),
        ("StopTxnAlignedData", "Energy.Active.Import.Register,Voltage"),
        ("MeterValuesSampledData", ""), ("MeterValuesAlignedData", ""),
        ("MeterValueSampleInterval", "60"), ("ClockAlignedDataInterval", "90"),
    ):  # fmt: skip
        assert online.ask("ChangeConfiguration", key=key, value=value) == {"status": "Accepted"}
    online.present("CARD")
    online.talk()
    for _ in range(4):
        online.meter(500)
        online.pass_(30)
    online.born()
    online.open()
    online.talk()
    online.present("CARD")
    online.talk()
    told = online.said("StopTransaction")[0]["transactionData"]
    assert [one["sampledValue"][0]["context"] for one in told] == [
        "Transaction.Begin", "Sample.Periodic", "Sample.Clock", "Transaction.End",
    ]  # fmt: skip
    assert [one["sampledValue"][0]["value"] for one in told] == ["0", "1500", "1500", "2000"]
    assert [len(one["sampledValue"]) for one in told] == [1, 1, 2, 1]
    assert online.said("MeterValues") == []
    assert online.station.held.data == ()


def test_of_a_long_charge_not_all_are_told_with_its_end(online: World) -> None:
    key = {"key": "StopTxnSampledData", "value": "Energy.Active.Import.Register"}
    online.ask("ChangeConfiguration", **key)
    online.present("CARD")
    online.talk()
    for _ in range(MOST_DATA * 3):
        online.pass_(60)
        online.talk()
    online.present("CARD")
    online.talk()
    told = online.said("StopTransaction")[0]["transactionData"]
    assert MOST_DATA // 2 <= len(told) <= MOST_DATA
    contexts = [one["sampledValue"][0]["context"] for one in told]
    assert (contexts[0], contexts[-1]) == ("Transaction.Begin", "Transaction.End")
    times = [one["timestamp"] for one in told]
    assert times == sorted(times)
