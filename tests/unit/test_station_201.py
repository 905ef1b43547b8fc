"""An emulated OCPP 2.0.1 station and a back end: the standard's rules, what no crash may lose."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from evcs.core.ocpp.back_end import BackOff
from evcs.core.ocpp.station_201_variables import VARIABLES
from evcs.core.ocpp.station_reader import Presented
from evcs.core.ocpp.station_state import MOST_READINGS, StationState
from tests.unit.station_crashes import MANY, StationCrashes
from tests.unit.station_world import Answer, World201

ATTEMPTS = "OCPPCommCtrlr.MessageAttempts[TransactionEvent]"
INTERVAL = "OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]"
UNKNOWN = {"AuthCtrlr.OfflineTxForUnknownIdEnabled": "true"}


@pytest.fixture
def world() -> World201:
    return World201()


@pytest.fixture
def online(world: World201) -> World201:
    return world.online()


def events(world: World201) -> list[Answer]:
    """What it told of transactions."""
    return world.said("TransactionEvent")


def kinds(world: World201) -> list[tuple[str, str]]:
    """Of each its type, and what triggered it."""
    return [(one["eventType"], one["triggerReason"]) for one in events(world)]


def set_(world: World201, **values: str) -> list[str]:
    """Set variables, by Component__Variable; the words for each."""
    asked = [
        {
            "component": {"name": name.partition("__")[0]},
            "variable": {"name": name.partition("__")[2]},
            "attributeValue": value,
        }
        for name, value in values.items()
    ]
    found = world.ask("SetVariables", setVariableData=asked)["setVariableResult"]
    assert [one["attributeType"] for one in found] == ["Actual"] * len(asked)
    return [one["attributeStatus"] for one in found]


def remote(world: World201, number: int = 1, tag: str = "AFAR", **more: Any) -> str:
    """Ask for a charge; the word."""
    token = {"idToken": tag, "type": "Central"}
    answer = world.ask("RequestStartTransaction", idToken=token, remoteStartId=number, **more)
    assert "transactionId" not in answer
    return str(answer["status"])


def by_transaction(told: list[Answer]) -> list[list[Answer]]:
    """What follows each other of one transaction."""
    by_id = groupby(told, lambda one: one["transactionInfo"]["transactionId"])
    return [list(of) for _, of in by_id]


def registers(event: Answer) -> dict[str, float]:
    """Of each context the energy."""
    return {
        sampled["context"]: sampled["value"]
        for value in event.get("meterValue", [])
        for sampled in value["sampledValue"]
        if sampled["measurand"] == "Energy.Active.Import.Register"
    }


def test_it_boots_then_tells_its_state_then_beats(world: World201) -> None:
    world.open()
    world.talk()
    assert world.actions() == [
        "BootNotification", "StatusNotification", "SecurityEventNotification",
    ]  # fmt: skip
    assert world.said("BootNotification") == [{
        "reason": "PowerUp",
        "chargingStation": {
            "vendorName": "evcs", "model": "emulated", "serialNumber": "CP-001",
            "firmwareVersion": "0.1.0",
        },
    }]  # fmt: skip
    (status,) = world.said("StatusNotification")
    assert (status["connectorStatus"], status["evseId"], status["connectorId"]) == (
        "Available", 1, 1,
    )  # fmt: skip
    world.pass_(300)
    assert world.actions()[-1] == "Heartbeat"


def test_while_pending_it_says_what_it_is_asked_for_and_begins_nothing(world: World201) -> None:
    """B02."""
    world.boot_status, world.interval = "Pending", 30
    world.open()
    world.talk()
    assert remote(world) == "Rejected"
    assert world.ask("GetBaseReport", requestId=1, reportBase="SummaryInventory") == {
        "status": "Accepted"
    }
    world.talk()
    assert world.ask("TriggerMessage", requestedMessage="BootNotification")["status"] == "Accepted"
    world.talk()
    assert world.actions() == ["BootNotification", "NotifyReport", "BootNotification"]
    assert world.said("BootNotification")[1]["reason"] == "Triggered"
    world.boot_status = "Accepted"
    world.pass_(30)
    world.talk()
    assert world.actions()[3:5] == ["BootNotification", "StatusNotification"]


def test_while_rejected_it_answers_nothing(world: World201) -> None:
    """B03."""
    world.boot_status, world.interval = "Rejected", 30
    world.open()
    world.talk()
    assert world.ask("ClearCache")[0] == "SecurityError"
    world.pass_(29)
    assert world.actions() == ["BootNotification"]
    world.pass_(1)
    assert world.actions() == ["BootNotification"] * 2


def test_a_whole_charge_by_card(online: World201) -> None:
    """C01, E03, E07, J02."""
    online.present("04A1B2C3")
    online.talk()
    assert online.station.reader.answers == [Presented("04A1B2C3", True, "accepted")]
    assert online.station.wants_power
    for _ in range(3):
        online.meter(500)
        online.pass_(60)
        online.talk()
    online.present("04a1b2c3")
    online.talk()
    assert online.said("Authorize") == [{"idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}}]
    assert kinds(online) == [
        ("Started", "Authorized"), ("Updated", "ChargingStateChanged"),
        ("Updated", "MeterValuePeriodic"), ("Updated", "MeterValuePeriodic"),
        ("Ended", "StopAuthorized"),
    ]  # fmt: skip
    told = events(online)
    assert [one["seqNo"] for one in told] == list(range(5))
    assert {len(one["transactionInfo"]["transactionId"]) for one in told} == {36}
    assert len({one["transactionInfo"]["transactionId"] for one in told}) == 1
    assert not any("offline" in one for one in told)
    start, charging, *read, end = told
    assert start["idToken"] == {"idToken": "04A1B2C3", "type": "ISO14443"}
    assert start["evse"] == {"id": 1, "connectorId": 1}
    assert start["transactionInfo"]["chargingState"] == "EVConnected"
    assert charging["transactionInfo"]["chargingState"] == "Charging"
    assert registers(start) == {"Transaction.Begin": 0}
    assert [registers(one) for one in read] == [
        {"Sample.Periodic": 1000},
        {"Sample.Periodic": 1500},
    ]
    assert registers(end) == {"Transaction.Begin": 0, "Transaction.End": 1500}
    assert end["transactionInfo"]["stoppedReason"] == "Local"
    assert not any("idToken" in one or "evse" in one for one in told[1:-1])
    states = [one["connectorStatus"] for one in online.said("StatusNotification")]
    assert states == ["Occupied", "Available"]


@pytest.mark.parametrize(
    ("tag", "token"),
    [
        ("KeyCode:1234", ("1234", "KeyCode")), ("eMAID:DE-8AA-123", ("DE-8AA-123", "eMAID")),
        ("Odd:1234", ("Odd:1234", "ISO14443")), ("Local:", ("Local:", "ISO14443")),
    ],
)  # fmt: skip
def test_a_card_may_be_of_another_type(online: World201, tag: str, token: tuple[str, str]) -> None:
    online.present(tag)
    online.talk()
    sent = online.said("Authorize")[0]["idToken"]
    assert (sent["idToken"], sent["type"]) == token
    online.present(token[0] if tag.startswith("KeyCode") else tag)
    found = online.station.reader.answers[-1]
    assert found == Presented(*((token[0], False, "busy") if tag.startswith("KeyCode")
                                else (tag, True, "stopped")))  # fmt: skip


def test_a_card_that_is_not_accepted_here_charges_nothing(online: World201) -> None:
    online.tags["BAD"] = "NoCredit"
    online.present("BAD")
    online.talk()
    online.info = {"evseId": [2]}
    online.present("ELSEWHERE")
    online.talk()
    assert [one.word for one in online.station.reader.answers] == ["nocredit", "notatthislocation"]
    assert events(online) == []


def test_another_card_of_the_group_ends_a_charge(online: World201) -> None:
    """C09."""
    online.info = {"groupIdToken": {"idToken": "FAMILY", "type": "Central"}}
    for tag in ("A", "A", "B"):
        online.present(tag)
        online.talk()
    online.present("C")
    online.present("A")
    online.talk()
    assert [one.word for one in online.station.reader.answers[-2:]] == ["busy", "stopped"]
    assert events(online)[-1]["idToken"]["idToken"] == "A"


def test_what_is_not_accepted_afterwards_stops_or_takes_nothing(online: World201) -> None:
    """E05."""
    for stops in ("true", "false"):
        set_(online, TxCtrlr__StopTxOnInvalidId=stops)
        assert remote(online, tag="BAD") == "Accepted"
        online.tags["BAD"] = "Invalid"
        online.talk()
        assert not online.station.wants_power
        assert (online.station.held.transaction is None) == (stops == "true")
    ended = next(one for one in events(online) if one["eventType"] == "Ended")
    assert ended["triggerReason"] == "Deauthorized"
    assert ended["transactionInfo"]["stoppedReason"] == "DeAuthorized"
    last = events(online)[-1]
    assert (last["eventType"], last["triggerReason"]) == ("Updated", "ChargingStateChanged")
    assert last["transactionInfo"]["chargingState"] == "SuspendedEVSE"


def test_from_afar_a_charge_begins_and_ends_once(online: World201) -> None:
    """F02, F03."""
    assert remote(online, evseId=2) == "Rejected"
    assert remote(online, 77, evseId=1) == "Accepted"
    assert remote(online, 78) == "Rejected"
    online.talk()
    start = events(online)[0]
    assert start["triggerReason"] == "RemoteStart"
    assert start["transactionInfo"]["remoteStartId"] == 77
    assert start["idToken"] == {"idToken": "AFAR", "type": "Central"}
    assert online.said("Authorize") == []
    for id_, word in (
        ("other", "Rejected"),
        (start["transactionInfo"]["transactionId"], "Accepted"),
        (start["transactionInfo"]["transactionId"], "Rejected"),
    ):
        assert online.ask("RequestStopTransaction", transactionId=id_) == {"status": word}
    online.talk()
    assert kinds(online)[-1] == ("Ended", "RemoteStop")
    assert events(online)[-1]["transactionInfo"]["stoppedReason"] == "Remote"


def test_from_afar_a_card_is_asked_for_where_that_is_configured(online: World201) -> None:
    """F02.FR.09; a start of no card is not."""
    set_(online, AuthCtrlr__AuthorizeRemoteStart="true")
    online.tags["BAD"] = "Invalid"
    assert remote(online, tag="BAD") == "Accepted"
    online.talk()
    assert events(online) == []
    assert remote(online, 5, tag="GOOD") == "Accepted"
    online.talk()
    assert events(online)[0]["transactionInfo"]["remoteStartId"] == 5
    online.station.end("Local", online.at)
    online.talk()
    asked = len(online.said("Authorize"))
    token = {"idToken": "", "type": "NoAuthorization"}
    answer = online.ask("RequestStartTransaction", idToken=token, remoteStartId=6)
    assert answer == {"status": "Accepted"}
    online.talk()
    assert len(online.said("Authorize")) == asked


def test_who_is_authorised_first_charges_once_the_car_is_there(online: World201) -> None:
    """E03, F02: or not within EVConnectionTimeOut."""
    set_(online, TxCtrlr__EVConnectionTimeOut="30")
    online.station.unplug(online.at)
    assert remote(online, 5) == "Accepted"
    assert remote(online, 6) == "Rejected"
    online.pass_(30)
    online.station.plug(online.at)
    online.flush()
    online.talk()
    assert events(online) == []
    online.station.unplug(online.at)
    assert remote(online, 7) == "Accepted"
    online.station.plug(online.at)
    online.flush()
    online.talk()
    started = events(online)[0]
    assert (started["triggerReason"], started["transactionInfo"]["remoteStartId"]) == (
        "RemoteStart", 7,
    )  # fmt: skip
    online.station.unplug(online.at)
    online.flush()
    online.talk()
    ended = events(online)[-1]
    assert ended["triggerReason"] == "EVCommunicationLost"
    assert ended["transactionInfo"]["stoppedReason"] == "EVDisconnected"
    assert online.said("StatusNotification")[-1]["connectorStatus"] == "Available"


def test_what_happens_offline_is_told_in_order_as_such(online: World201) -> None:
    """E04, E08, E12: an hour away, three charges."""
    online.present("KNOWN")
    online.talk()
    online.present("KNOWN")
    online.talk()
    online.cut()
    online.heard.clear()
    for _ in range(3):
        online.clock += 600
        online.present("KNOWN")
        for _ in range(10):
            online.meter(70)
            online.pass_(60)
        online.present("KNOWN")
    online.present("STRANGER")
    assert online.station.reader.answers[-1] == Presented("STRANGER", False, "offline")
    online.clock += 600
    online.open()
    online.talk()
    told = events(online)
    assert all(one["offline"] for one in told)
    charges = by_transaction(told)
    assert len(charges) == 3
    for charge in charges:
        assert [one["seqNo"] for one in charge] == list(range(len(charge)))
        assert [charge[0]["eventType"], charge[-1]["eventType"]] == ["Started", "Ended"]
        wh = registers(charge[-1])
        assert wh["Transaction.End"] - wh["Transaction.Begin"] == 700
    assert [one["timestamp"] for one in told] == sorted(one["timestamp"] for one in told)
    online.heard.clear()
    online.present("KNOWN")
    online.talk()
    assert not any("offline" in one for one in events(online))


def test_what_waits_when_the_connection_goes_is_offline_and_keeps_its_number(
    online: World201,
) -> None:
    """E11.FR.07."""
    remote(online)
    online.reply()
    sent = online.waiting[0]
    assert "offline" not in sent[2]
    online.cut()
    online.open()
    assert online.waiting[0][0] == sent[0]
    assert online.waiting[0][2] == {**sent[2], "offline": True}
    online.talk()
    assert [one["seqNo"] for one in events(online)] == [0, 0, 1]


def test_who_owes_an_answer_is_dialled_anew_and_told_the_same(online: World201) -> None:
    remote(online)
    online.reply()  # the status
    sent = online.waiting[0]
    online.pass_(60)
    assert online.station.hangs(online.at)
    online.cut()
    online.open()
    online.talk()
    again = [one for one in online.heard if one[0] == sent[0]]
    assert [one[2]["seqNo"] for one in again] == [0, 0]
    assert [one["seqNo"] for one in events(online)] == [0, 0, 1]


def test_states_are_told_again_after_a_long_absence_alone(online: World201) -> None:
    """B04."""
    for away_s, told in ((59, 0), (61, 1)):
        online.heard.clear()
        online.cut()
        online.clock += away_s
        online.open()
        online.talk()
        assert len(online.said("StatusNotification")) == told
    online.heard.clear()
    online.cut()
    online.station.plugged = True
    online.open()
    online.talk()
    assert [one["connectorStatus"] for one in online.said("StatusNotification")] == ["Occupied"]


def test_what_the_back_end_can_not_take_is_tried_again_ever_later_and_given_up(
    online: World201,
) -> None:
    """E13; the numbers say that one is missing."""
    remote(online)
    online.reply()  # the status
    for wait in (0, 60, 120):
        if wait:
            online.pass_(wait - 1)
            assert online.waiting == []
            online.pass_(1)
        assert online.waiting[0][2]["eventType"] == "Started"
        online.reply(error="InternalError")
    assert [one["seqNo"] for one in events(online)] == [0, 0, 0, 1]
    online.talk()
    online.station.end("Local", online.at)
    online.flush()
    online.talk()
    assert online.station.held.queue == ()
    assert remote(online) == "Accepted"
    online.talk()
    assert events(online)[-2]["seqNo"] == 0


def test_whether_something_waits_is_said(online: World201) -> None:
    """E14."""
    assert online.ask("GetTransactionStatus") == {"messagesInQueue": False}
    remote(online)
    online.reply()
    id_ = events(online)[0]["transactionInfo"]["transactionId"]
    both = {"ongoingIndicator": True, "messagesInQueue": True}
    assert online.ask("GetTransactionStatus", transactionId=id_) == both
    assert online.ask("GetTransactionStatus") == {"messagesInQueue": True}
    online.talk()
    assert online.ask("GetTransactionStatus", transactionId=id_) == {
        **both, "messagesInQueue": False,
    }  # fmt: skip
    assert online.ask("GetTransactionStatus", transactionId="x") == {
        "ongoingIndicator": False, "messagesInQueue": False,
    }  # fmt: skip


def availability(world: World201, status: str, **evse: int) -> str:
    """Change it; the word."""
    more = {"evse": evse} if evse else {}
    return str(world.ask("ChangeAvailability", operationalStatus=status, **more)["status"])


def test_each_level_is_out_of_service_by_itself_and_after_the_charge(online: World201) -> None:
    """G03, G04: over restarts, too."""
    remote(online)
    online.talk()
    assert availability(online, "Operative", id=1) == "Accepted"
    assert availability(online, "Inoperative", id=1) == "Scheduled"
    assert online.station.status == "Occupied"
    online.station.end("Local", online.at)
    online.flush()
    online.talk()
    assert online.said("StatusNotification")[-1]["connectorStatus"] == "Unavailable"
    online.born()
    online.open()
    online.talk()
    assert remote(online) == "Rejected"
    assert availability(online, "Inoperative", id=1, connectorId=1) == "Accepted"
    assert availability(online, "Operative", id=1) == "Accepted"
    assert online.station.status == "Unavailable"
    assert availability(online, "Operative", id=1, connectorId=1) == "Accepted"
    assert online.station.status == "Available"
    assert availability(online, "Inoperative") == "Accepted"
    assert availability(online, "Operative") == "Accepted"
    for wrong in ({"id": 2}, {"id": 1, "connectorId": 2}):
        assert availability(online, "Inoperative", **wrong) == "Rejected"


def test_a_reset_at_once_ends_what_is_under_way(online: World201) -> None:
    """B12.FR.04."""
    assert online.ask("Reset", type="Immediate", evseId=1) == {"status": "Rejected"}
    remote(online)
    online.talk()
    assert online.ask("Reset", type="Immediate") == {"status": "Accepted"}
    assert online.station.restarts == "RemoteReset"
    online.talk()
    online.born(online.station.restarts)
    online.heard.clear()
    online.open()
    online.talk()
    assert online.said("BootNotification")[0]["reason"] == "RemoteReset"
    (ended,) = events(online)
    assert (ended["triggerReason"], ended["offline"], ended["seqNo"]) == ("ResetCommand", True, 2)
    assert ended["transactionInfo"]["stoppedReason"] == "ImmediateReset"


def test_a_reset_on_idle_waits_for_the_charge(online: World201) -> None:
    """B11, B12.FR.01."""
    remote(online)
    online.talk()
    assert online.ask("Reset", type="OnIdle") == {"status": "Scheduled"}
    assert online.station.restarts == ""
    online.present("AFAR")
    online.station.end("Local", online.at)
    assert online.station.restarts == "ScheduledReset"
    online.flush()
    online.born()
    online.open()
    online.talk()
    assert online.ask("Reset", type="OnIdle") == {"status": "Accepted"}
    assert online.station.restarts == "RemoteReset"


def test_an_unlock_ends_no_charge(online: World201) -> None:
    """F05."""
    assert online.ask("UnlockConnector", evseId=1, connectorId=2)["status"] == "UnknownConnector"
    assert online.ask("UnlockConnector", evseId=1, connectorId=1) == {"status": "Unlocked"}
    remote(online)
    word = {"status": "OngoingAuthorizedTransaction"}
    assert online.ask("UnlockConnector", evseId=1, connectorId=1) == word


def test_messages_are_triggered(online: World201) -> None:
    """F06."""

    def trigger(message: str, **evse: int) -> str:
        more = {"evse": evse} if evse else {}
        return str(online.ask("TriggerMessage", requestedMessage=message, **more)["status"])

    assert trigger("TransactionEvent", id=1) == "Rejected"
    assert trigger("BootNotification") == "Rejected"
    assert trigger("SignChargingStationCertificate") == "NotImplemented"
    assert trigger("MeterValues", id=2) == "Rejected"
    for message in ("Heartbeat", "StatusNotification", "MeterValues"):
        assert trigger(message, id=1, connectorId=1) == "Accepted"
    online.talk()
    assert online.actions() == ["Heartbeat", "StatusNotification", "MeterValues"]
    sampled = online.said("MeterValues")[0]["meterValue"][0]["sampledValue"][0]
    assert sampled == {
        "value": 0, "context": "Trigger", "measurand": "Energy.Active.Import.Register",
        "unitOfMeasure": {"unit": "Wh"},
    }  # fmt: skip
    remote(online)
    online.talk()
    online.meter(500)
    assert trigger("TransactionEvent") == "Accepted"
    online.talk()
    last = events(online)[-1]
    assert (last["triggerReason"], last["seqNo"], registers(last)) == (
        "Trigger",
        2,
        {"Trigger": 500},
    )
    assert last["transactionInfo"]["chargingState"] == "Charging"


def test_readings_by_the_clock(online: World201) -> None:
    """J01: of no transaction as MeterValues, if it is online; of one as its event, unless idle
    alone is wanted."""
    assert set_(online, AlignedDataCtrlr__Interval="900") == ["Accepted"]
    online.pass_(1)
    online.pass_(899)
    online.talk()
    assert online.said("MeterValues")[0]["meterValue"][0]["timestamp"].startswith(
        "2026-11-30T07:15"
    )
    set_(online, SampledDataCtrlr__TxUpdatedInterval="0")
    remote(online)
    online.pass_(900)
    online.talk()
    assert kinds(online)[-1] == ("Updated", "MeterValueClock")
    set_(online, AlignedDataCtrlr__SendDuringIdle="true")
    online.pass_(900)
    online.talk()
    assert len(events(online)) == 3
    online.station.end("Local", online.at)
    online.cut()
    online.pass_(900)
    online.open()
    online.talk()
    assert len(online.said("MeterValues")) == 1


def test_a_fault_ends_what_is_under_way_and_is_told(online: World201) -> None:
    remote(online)
    online.talk()
    online.station.faulted("it burns", online.at)
    online.flush()
    online.talk()
    assert online.said("StatusNotification")[-1]["connectorStatus"] == "Faulted"
    assert kinds(online)[-1] == ("Ended", "AbnormalCondition")
    online.station.faulted(None, online.at)
    online.flush()
    online.talk()
    assert online.said("StatusNotification")[-1]["connectorStatus"] == "Available"


def test_variables_are_read_and_set_by_their_kinds(online: World201) -> None:
    """B05, B06."""
    words = set_(
        online, TxCtrlr__StopTxOnInvalidId="False", SampledDataCtrlr__TxUpdatedInterval="10",
        OCPPCommCtrlr__HeartbeatInterval="0", AuthCtrlr__LocalPreAuthorize="1",
        SampledDataCtrlr__TxUpdatedMeasurands="Voltage,SoC", TxCtrlr__TxStartPoint="Authorized",
        TxCtrlr__Nothing="1", Nothing__Enabled="true", EVSE__Available="true",
        sampleddatactrlr__txendedmeasurands="Voltage, Current.Import",
    )  # fmt: skip
    assert words == [
        "Accepted", "Accepted", "Rejected", "Rejected", "Rejected", "Rejected",
        "UnknownVariable", "UnknownComponent", "UnknownComponent", "Accepted",
    ]  # fmt: skip
    online.born()
    online.open()
    online.talk()
    names: list[Answer] = [
        {"component": {"name": "TxCtrlr"}, "variable": {"name": "StopTxOnInvalidId"}},
        {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "MessageAttempts", "instance": "TransactionEvent"},
        },
        {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "MessageAttempts"}},
        {
            "component": {"name": "EVSE", "evse": {"id": 1}},
            "variable": {"name": "AvailabilityState"}, "attributeType": "Actual",
        },
        {
            "component": {"name": "TxCtrlr"}, "variable": {"name": "TxStartPoint"},
            "attributeType": "Target",
        },
        {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxEndedMeasurands"}},
    ]  # fmt: skip
    found = online.ask("GetVariables", getVariableData=names)["getVariableResult"]
    assert [(one["component"], one["variable"]) for one in found] == [
        (one["component"], one["variable"]) for one in names
    ]
    assert [(one["attributeStatus"], one.get("attributeValue")) for one in found] == [
        ("Accepted", "false"), ("Accepted", "3"), ("UnknownVariable", None),
        ("Accepted", "Available"), ("NotSupportedAttributeType", None),
        ("Accepted", "Voltage,Current.Import"),
    ]  # fmt: skip
    answer = online.ask("GetVariables", getVariableData=names * 10)
    assert answer[0] == "OccurrenceConstraintViolation"


def test_what_is_set_of_its_dialling_holds(online: World201) -> None:
    set_(
        online, OCPPCommCtrlr__RetryBackOffWaitMinimum="3",
        OCPPCommCtrlr__RetryBackOffRandomRange="0", OCPPCommCtrlr__RetryBackOffRepeatTimes="2",
    )  # fmt: skip
    assert online.dialect.back_off(online.station.keys) == BackOff(3, 0, 2)


def reported(world: World201, request: int) -> list[Answer]:
    """A report's data; its pages are in order, and the last says that it is."""
    world.talk()
    pages = [one for one in world.said("NotifyReport") if one["requestId"] == request]
    assert [one["seqNo"] for one in pages] == list(range(len(pages)))
    assert [one["tbc"] for one in pages] == [True] * (len(pages) - 1) + [False] * bool(pages)
    return [data for one in pages for data in one["reportData"]]


def named(data: Answer) -> str:
    """As the table names it."""
    instance = data["variable"].get("instance")
    end = f"[{instance}]" if instance else ""
    return f"{data['component']['name']}.{data['variable']['name']}{end}"


def test_its_variables_are_reported(online: World201) -> None:
    """B07."""
    for number, base in enumerate(("FullInventory", "ConfigurationInventory", "SummaryInventory")):
        answer = online.ask("GetBaseReport", requestId=number, reportBase=base)
        assert answer == {"status": "Accepted"}
    full, settable, summary = (reported(online, number) for number in range(3))
    assert [named(one) for one in full] == list(VARIABLES)
    mutable = [one for one in full if one["variableAttribute"][0]["mutability"] != "ReadOnly"]
    assert settable == mutable
    assert {one["variable"]["name"] for one in summary} == {"AvailabilityState", "Problem"}
    by_name = {named(one): one for one in full}
    profile = by_name["SecurityCtrlr.SecurityProfile"]["variableAttribute"][0]
    assert (profile["value"], profile["mutability"]) == ("2", "ReadOnly")
    assert by_name["EVSE.Power"]["variableCharacteristics"]["maxLimit"] == 22_000
    assert by_name["Connector.Available"]["component"]["evse"] == {"id": 1, "connectorId": 1}


def test_reports_are_made_of_what_is_asked_for(online: World201) -> None:
    """B08."""

    def report(number: int, **asked: Any) -> list[str]:
        answer = online.ask("GetReport", requestId=number, **asked)
        assert answer["status"] in ("Accepted", "EmptyResultSet")
        found = [named(one) for one in reported(online, number)]
        assert bool(found) == (answer["status"] == "Accepted")
        return found

    tx = {"component": {"name": "TxCtrlr"}}
    assert report(1, componentVariable=[tx]) == [one for one in VARIABLES if one.startswith("TxC")]
    of = {"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage"}}
    assert len(report(2, componentVariable=[of])) == 3
    one = {**of, "variable": {"name": "ItemsPerMessage", "instance": "GetReport"}}
    assert report(3, componentVariable=[one]) == ["DeviceDataCtrlr.ItemsPerMessage[GetReport]"]
    evse = {"component": {"name": "EVSE", "evse": {"id": 2}}}
    assert report(4, componentVariable=[evse]) == []
    connector = {"component": {"name": "Connector", "evse": {"id": 1}}}
    assert len(report(5, componentVariable=[connector])) == 4
    assert report(6, componentCriteria=["Problem"]) == []
    available = report(7, componentCriteria=["Available"])
    assert "TxCtrlr.TxStartPoint" in available
    assert "ReservationCtrlr.Available" not in available
    online.station.faulted("it burns", online.at)
    assert "ChargingStation.Problem" in report(8, componentCriteria=["Problem"])


def test_what_it_has_not_it_says_as_the_standard_lets_it(online: World201) -> None:
    assert online.ask("CancelReservation", reservationId=1) == {"status": "Rejected"}
    assert online.ask("DataTransfer", vendorId="x") == {"status": "UnknownVendorId"}
    assert online.ask("CostUpdated", totalCost=1, transactionId="x")[0] == "NotSupported"
    assert online.ask("Heartbeat")[0] == "NotSupported"
    assert online.ask("Nothing")[0] == "NotImplemented"
    assert online.ask("Reset", type="Warm")[0] == "PropertyConstraintViolation"


def test_with_local_pre_authorisation_a_known_card_waits_for_nobody(online: World201) -> None:
    """C12, C11."""
    set_(online, AuthCtrlr__LocalPreAuthorize="true")
    for _ in range(4):
        online.present("CARD")
        online.talk()
    assert online.actions().count("Authorize") == 1
    assert online.ask("ClearCache") == {"status": "Accepted"}
    online.present("CARD")
    online.talk()
    assert online.actions().count("Authorize") == 2
    set_(online, AuthCacheCtrlr__Enabled="false")
    assert online.ask("ClearCache") == {"status": "Rejected"}


def test_firmware_and_a_log_are_told_by_their_states(online: World201) -> None:
    """L01, L02, N01."""
    asked: Answer = {"location": "https://x/f", "retrieveDateTime": "2026-11-30T07:00:00Z"}
    answer = online.ask("UpdateFirmware", requestId=4, firmware=asked)
    assert answer == {"status": "Accepted"}
    log = {"remoteLocation": "https://x/l"}
    answer = online.ask("GetLog", requestId=5, logType="SecurityLog", log=log)
    assert answer == {"status": "Accepted", "filename": "security.log"}
    for message in ("FirmwareStatusNotification", "LogStatusNotification"):
        answer = online.ask("TriggerMessage", requestedMessage=message)
        assert answer == {"status": "Accepted"}
    online.talk()
    for _ in range(5):
        online.pass_(10)
        online.talk()
    told = [(one["status"], one["requestId"]) for one in online.said("FirmwareStatusNotification")]
    assert told == [
        ("Downloading", 4), ("Downloading", 4), ("Downloaded", 4), ("Installing", 4),
        ("Installed", 4),
    ]  # fmt: skip
    assert [one["status"] for one in online.said("LogStatusNotification")] == [
        "Uploading", "Uploading", "Uploaded",
    ]  # fmt: skip
    assert online.said("SecurityEventNotification")[-1]["type"] == "FirmwareUpdated"
    wrong = {**asked, "signingCertificate": "x", "signature": "x"}
    answer = online.ask("UpdateFirmware", requestId=6, firmware=wrong)
    assert answer == {"status": "InvalidCertificate"}


def test_a_password_is_written_and_never_read(online: World201) -> None:
    """A01."""
    assert set_(online, SecurityCtrlr__BasicAuthPassword="short") == ["Rejected"]
    assert online.dialect.password(online.station.held) is None
    assert set_(online, SecurityCtrlr__BasicAuthPassword="0123456789abcdef") == ["Accepted"]
    online.talk()
    online.born()
    assert online.dialect.password(online.station.held) == b"0123456789abcdef"
    (event,) = online.said("SecurityEventNotification")
    assert event["type"] == "ReconfigurationOfSecurityParameters"
    online.open()
    online.talk()
    one = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    (found,) = online.ask("GetVariables", getVariableData=[one])["getVariableResult"]
    assert found["attributeStatus"] == "Rejected"
    online.ask("GetReport", requestId=1, componentVariable=[one])
    (data,) = reported(online, 1)
    (attribute,) = data["variableAttribute"]
    assert (attribute["mutability"], "value" in attribute) == ("WriteOnly", False)


def test_of_too_many_readings_every_second_one_is_dropped_and_the_numbers_have_no_gap() -> None:
    """E04.FR.07, E04.FR.08."""
    world = World201(StationState("k", configuration=UNKNOWN))
    world.present("CARD")
    for _ in range(MOST_READINGS * 3):
        world.pass_(60)
    world.present("CARD")
    waiting = [one.payload["eventType"] for one in world.station.held.queue]
    assert (waiting[0], waiting[-1]) == ("Started", "Ended")
    assert MOST_READINGS // 2 < len(waiting) <= MOST_READINGS + 3
    world.open()
    world.talk()
    assert [one["seqNo"] for one in events(world)] == list(range(len(waiting)))


class Crashes(StationCrashes):
    """Each transaction begun once, ended once, its numbers from 0 without a gap, with its Wh."""

    def __init__(self) -> None:
        super().__init__()
        keys = {**UNKNOWN, ATTEMPTS: "1000", INTERVAL: "1"}
        self.world = World201(StationState("k", configuration=keys))
        self.taken: dict[str, Answer] = {}

    def take(self) -> Answer | None:
        id_, action, asked = self.world.waiting[0]
        if action == "TransactionEvent":
            known = self.taken.setdefault(id_.rpartition("-")[0], asked)
            assert {**known, "offline": True} == {**asked, "offline": True}
        return None

    def judge(self) -> None:
        charges = by_transaction(list(self.taken.values()))
        ids = {charge[0]["transactionInfo"]["transactionId"] for charge in charges}
        assert len(charges) == len(ids) == len(self.delivered)
        for charge, wh in zip(charges, self.delivered, strict=True):
            assert [one["seqNo"] for one in charge] == list(range(len(charge)))
            assert [one["eventType"] for one in charge] == [
                "Started", *["Updated"] * (len(charge) - 2), "Ended",
            ]  # fmt: skip
            end = registers(charge[-1])
            assert end["Transaction.End"] - end["Transaction.Begin"] == wh


TestCrashes = Crashes.TestCase
TestCrashes.settings = MANY


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        ("nonsense", ["-1", "RpcFrameworkError"]),
        ('{"a":1}', ["-1", "RpcFrameworkError"]),
        ('[2,"1"]', ["1", "RpcFrameworkError"]),
        ('[9,"1","Reset",{}]', ["1", "MessageTypeNotSupported"]),
        ('[2,"1","Nothing",{}]', ["1", "NotImplemented"]),
        ('[2,"1","Heartbeat",{}]', ["1", "NotSupported"]),
        ('[2,"1","Reset",{}]', ["1", "OccurrenceConstraintViolation"]),
        ('[2,"1","Reset",{"type":1}]', ["1", "TypeConstraintViolation"]),
        ('[2,"1","Reset",{"type":"Warm"}]', ["1", "PropertyConstraintViolation"]),
        ('[2,"1","Reset",{"type":"OnIdle","x":1}]', ["1", "FormatViolation"]),
    ],
)
def test_a_frame_that_is_not_as_it_should_be_gets_the_standards_word(
    online: World201, frame: str, answer: list[str]
) -> None:
    online.station.said(frame, online.at)
    online.flush()
    assert online.answered[-1][1:3] == answer
    assert online.station.restarts == ""
