"""An emulated OCPP 1.6 station and a back end: the standard's rules, and what no crash may lose."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from evcs.core.ocpp.station_16_keys import KEYS
from evcs.core.ocpp.station_begins import MOST_BEGINS, MOST_WAITING, WITHIN_S
from evcs.core.ocpp.station_meter import to_aligned_s
from evcs.core.ocpp.station_reader import Presented
from evcs.core.ocpp.station_state import MOST_READINGS, StationState, from_record, to_record
from tests.unit.station_crashes import MANY, StationCrashes
from tests.unit.station_world import Answer, World

PATIENT = {"TransactionMessageAttempts": "1000", "TransactionMessageRetryInterval": "1"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def online(world: World) -> World:
    return world.online()


def test_it_boots_then_tells_its_state_then_beats(world: World) -> None:
    world.open()
    world.talk()
    assert world.actions() == ["BootNotification", "StatusNotification", "StatusNotification"]
    assert [one["status"] for one in world.said("StatusNotification")] == ["Available"] * 2
    world.pass_(299)
    assert len(world.heard) == 3
    world.pass_(1)
    assert world.actions()[-1] == "Heartbeat"


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_until_it_is_accepted_it_says_nothing_else_and_asks_by_the_interval(
    world: World, status: str
) -> None:
    world.boot_status, world.interval = status, 30
    world.open()
    world.talk()
    world.present("CARD")
    assert world.station.reader.answers == [Presented("CARD", False, "offline")]
    world.pass_(29)
    assert world.actions() == ["BootNotification"]
    world.boot_status = "Accepted"
    world.pass_(1)
    world.talk()
    assert world.actions()[:3] == ["BootNotification", "BootNotification", "StatusNotification"]


def test_what_is_triggered_while_pending_is_said(world: World) -> None:
    world.boot_status, world.interval = "Pending", 30
    world.open()
    world.talk()
    assert world.ask("TriggerMessage", requestedMessage="StatusNotification") == {
        "status": "Accepted"
    }
    world.talk()
    assert world.actions() == ["BootNotification", "StatusNotification", "StatusNotification"]


def test_an_error_to_its_boot_is_tried_again(world: World) -> None:
    world.open()
    world.reply(error="InternalError")
    world.pass_(59)
    assert len(world.heard) == 1
    world.pass_(1)
    assert world.actions() == ["BootNotification"] * 2


def test_a_whole_charge_by_card(online: World) -> None:
    online.present("CARD")
    online.talk()
    assert online.station.reader.answers == [Presented("CARD", True, "accepted")]
    assert online.station.wants_power
    for _ in range(3):
        online.meter(500)
        online.pass_(60)
        online.talk()
    online.present("card")
    online.talk()
    assert online.actions() == [
        "Authorize", "StatusNotification", "StartTransaction", "MeterValues", "MeterValues",
        "StatusNotification", "StopTransaction",
    ]  # fmt: skip
    start, stop = online.said("StartTransaction")[0], online.said("StopTransaction")[0]
    assert (start["meterStart"], stop["meterStop"], stop["transactionId"]) == (0, 1_500, 1)
    assert (stop["reason"], stop["idTag"]) == ("Local", "card")
    readings = [one["meterValue"][0]["sampledValue"][0] for one in online.said("MeterValues")]
    assert [one["value"] for one in readings] == ["1000", "1500"]
    assert [one["status"] for one in online.said("StatusNotification")] == ["Charging", "Available"]
    assert not online.station.wants_power


def test_a_card_that_is_not_accepted_charges_nothing(online: World) -> None:
    online.tags["BAD"] = "Blocked"
    online.present("BAD")
    online.talk()
    assert online.station.reader.answers == [Presented("BAD", False, "blocked")]
    assert online.actions() == ["Authorize"]


def test_another_card_does_not_end_a_charge_but_one_of_its_group_does(online: World) -> None:
    online.info = {"parentIdTag": "FAMILY"}
    for tag in ("A", "A", "B"):
        online.present(tag)
        online.talk()
    online.station.reader.answers.clear()
    online.present("C")
    online.present("A")
    assert online.station.reader.answers == [
        Presented("C", False, "busy"),
        Presented("A", True, "stopped"),
    ]


def test_what_is_not_accepted_afterwards_stops_or_takes_nothing(online: World) -> None:
    for stops in ("true", "false"):
        online.ask("ChangeConfiguration", key="StopTransactionOnInvalidId", value=stops)
        online.ask("RemoteStartTransaction", idTag="BAD")
        online.tags["BAD"] = "Invalid"
        online.talk()
        assert not online.station.wants_power
        assert (online.station.held.transaction is None) == (stops == "true")
    assert online.said("StopTransaction")[0]["reason"] == "DeAuthorized"
    assert online.station.status == "SuspendedEVSE"


def test_from_afar_a_charge_begins_and_ends_once(online: World) -> None:
    assert online.ask("RemoteStartTransaction", idTag="AFAR") == {"status": "Accepted"}
    assert online.ask("RemoteStartTransaction", idTag="AFAR") == {"status": "Rejected"}
    online.talk()
    assert online.ask("RemoteStopTransaction", transactionId=99) == {"status": "Rejected"}
    assert online.ask("RemoteStopTransaction", transactionId=1) == {"status": "Accepted"}
    assert online.ask("RemoteStopTransaction", transactionId=1) == {"status": "Rejected"}
    online.talk()
    assert online.said("StopTransaction")[0]["reason"] == "Remote"


def test_from_afar_a_card_is_asked_for_where_that_is_configured(online: World) -> None:
    online.ask("ChangeConfiguration", key="AuthorizeRemoteTxRequests", value="true")
    online.tags["BAD"] = "Invalid"
    assert online.ask("RemoteStartTransaction", idTag="BAD") == {"status": "Accepted"}
    online.talk()
    assert online.said("StartTransaction") == []


def test_offline_a_known_card_charges_and_all_is_told_in_order_once(online: World) -> None:
    online.present("KNOWN")
    online.talk()
    online.present("KNOWN")
    online.talk()
    online.cut()
    online.heard.clear()
    for _ in range(3):
        online.clock += 600
        online.present("KNOWN")
        online.meter(700)
        online.present("KNOWN")
    online.present("STRANGER")
    assert online.station.reader.answers[-1] == Presented("STRANGER", False, "offline")
    online.open()
    online.talk()
    assert online.actions() == [
        "StatusNotification", "StatusNotification", *["StartTransaction", "StopTransaction"] * 3,
        "Heartbeat",
    ]  # fmt: skip
    starts, stops = online.said("StartTransaction"), online.said("StopTransaction")
    assert [one["timestamp"] for one in starts] == [
        f"2026-11-30T07:{minutes}:00.000Z" for minutes in (10, 20, 30)
    ]
    assert [one["meterStart"] for one in starts] == [0, 700, 1_400]
    assert [one["meterStop"] for one in stops] == [700, 1_400, 2_100]
    assert [one["transactionId"] for one in stops] == [2, 3, 4]
    online.pass_(10_000)
    online.talk()
    assert len(online.said("StopTransaction")) == 3


def test_a_card_that_waits_for_an_answer_is_decided_when_the_back_end_goes(online: World) -> None:
    online.ask("ChangeConfiguration", key="AllowOfflineTxForUnknownId", value="true")
    online.present("CARD")
    online.cut()
    assert online.station.reader.answers == [Presented("CARD", True, "accepted")]
    online.open()
    online.talk()
    assert len(online.said("StartTransaction")) == 1


def test_what_the_back_end_can_not_take_is_tried_again_ever_later_and_given_up(
    online: World,
) -> None:
    online.ask("RemoteStartTransaction", idTag="T")
    online.reply()  # the status
    for wait in (0, 60, 120):
        if wait:
            online.pass_(wait - 1)
            assert online.waiting == []
            online.pass_(1)
        assert online.waiting[0][1] == "StartTransaction"
        online.reply(error="InternalError")
    ids = {id_ for id_, action, _ in online.heard if action == "StartTransaction"}
    assert len(ids) == 3
    online.station.end("Local", online.at)
    online.flush()
    online.talk()
    assert online.said("StopTransaction")[0]["transactionId"] == -1
    assert online.station.held.queue == ()


def test_an_answer_that_is_none_counts_as_an_error(online: World) -> None:
    online.ask("RemoteStartTransaction", idTag="T")
    online.reply()
    online.reply({"transactionId": "seven", "idTagInfo": {"status": "Accepted"}})
    assert online.station.held.head is not None
    assert online.station.held.head.failed == 1


def test_a_back_end_that_answers_twice_or_unasked_changes_nothing(online: World) -> None:
    online.present("CARD")
    id_ = online.waiting[0][0]
    online.talk()
    before = online.station.held
    for frame in ([3, id_, {"idTagInfo": {"status": "Blocked"}}], [4, "x", "GenericError", "", {}]):
        online.station.said(json.dumps(frame), online.at)
    assert online.station.held == before
    assert len(online.said("StartTransaction")) == 1


def test_one_that_owes_an_answer_hangs(online: World) -> None:
    online.present("CARD")
    online.pass_(59)
    assert not online.station.hangs(online.at)
    online.pass_(1)
    assert online.station.hangs(online.at)


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        ("nonsense", ["-1", "FormationViolation"]),
        ('{"a":1}', ["-1", "FormationViolation"]),
        ('[2,"1"]', ["1", "FormationViolation"]),
        ('[2,"1","Reset",[]]', ["1", "FormationViolation"]),
        ('[2,"1","Nothing",{}]', ["1", "NotImplemented"]),
        ('[2,"1","Heartbeat",{}]', ["1", "NotSupported"]),
        ('[2,"1","ReserveNow",{}]', ["1", "NotSupported"]),
        ('[2,"1","Reset",{}]', ["1", "OccurenceConstraintViolation"]),
        ('[2,"1","Reset",{"type":1}]', ["1", "TypeConstraintViolation"]),
        ('[2,"1","Reset",{"type":"Warm"}]', ["1", "PropertyConstraintViolation"]),
        ('[2,"1","Reset",{"type":"Soft","x":1}]', ["1", "FormationViolation"]),
    ],
)
def test_what_is_not_as_it_should_be_gets_the_standards_word(
    online: World, frame: str, answer: list[str]
) -> None:
    online.station.said(frame, online.at)
    online.flush()
    assert online.answered[-1][1:3] == answer
    assert online.station.restarts == ""


def test_out_of_service_holds_over_restarts_and_after_the_charge(online: World) -> None:
    online.present("CARD")
    online.talk()
    change = {"connectorId": 1, "type": "Inoperative"}
    assert online.ask("ChangeAvailability", **change) == {"status": "Scheduled"}
    assert online.station.status == "Charging"
    online.present("CARD")
    online.talk()
    assert online.said("StatusNotification")[-1]["status"] == "Unavailable"
    online.born()
    online.open()
    online.talk()
    assert online.station.status == "Unavailable"
    assert online.ask("RemoteStartTransaction", idTag="T") == {"status": "Rejected"}
    assert online.ask("ChangeAvailability", connectorId=0, type="Operative") == {
        "status": "Accepted"
    }
    assert online.ask("RemoteStartTransaction", idTag="T") == {"status": "Accepted"}
    assert online.ask("ChangeAvailability", connectorId=7, type="Operative") == {
        "status": "Rejected"
    }


@pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
def test_a_reset_ends_what_is_under_way_first(online: World, kind: str, reason: str) -> None:
    online.present("CARD")
    online.talk()
    assert online.ask("Reset", type=kind) == {"status": "Accepted"}
    assert online.station.restarts == f"{kind} reset"
    online.talk()
    online.born()
    online.open()
    online.talk()
    assert online.said("StopTransaction")[0]["reason"] == reason


def test_an_unlock_ends_what_is_under_way(online: World) -> None:
    online.present("CARD")
    online.talk()
    assert online.ask("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
    online.talk()
    assert online.said("StopTransaction")[0]["reason"] == "UnlockCommand"


def test_a_fault_ends_what_is_under_way_and_is_told(online: World) -> None:
    online.present("CARD")
    online.talk()
    online.station.faulted("it burns", online.at)
    online.flush()
    online.talk()
    told = online.said("StatusNotification")[-1]
    assert (told["status"], told["errorCode"], told["info"]) == (
        "Faulted",
        "OtherError",
        "it burns",
    )
    online.present("CARD")
    assert online.station.reader.answers[-1] == Presented("CARD", False, "faulted")


def test_keys_are_read_and_set_by_their_kinds(online: World) -> None:
    all_ = online.ask("GetConfiguration")["configurationKey"]
    assert {one["key"] for one in all_} == set(KEYS)
    found = online.ask("GetConfiguration", key=["numberofconnectors", "Nope"])
    assert found == {
        "configurationKey": [{"key": "NumberOfConnectors", "readonly": True, "value": "1"}],
        "unknownKey": ["Nope"],
    }
    for key, value, word in [
        ("MeterValueSampleInterval", "10", "Accepted"),
        ("metervaluesampleinterval", "0", "Accepted"),
        ("MeterValueSampleInterval", "-1", "Rejected"),
        ("MeterValueSampleInterval", "x", "Rejected"),
        ("NumberOfConnectors", "2", "Rejected"), ("Nope", "1", "NotSupported"),
        ("LocalPreAuthorize", "TRUE", "Accepted"), ("LocalPreAuthorize", "1", "Rejected"),
        ("MeterValuesSampledData", "Voltage, Current.Import", "Accepted"),
        ("MeterValuesSampledData", "SoC", "Rejected"),
    ]:  # fmt: skip
        assert online.ask("ChangeConfiguration", key=key, value=value) == {"status": word}, key
    online.born()
    assert online.station.keys.text("MeterValueSampleInterval") == "0"
    assert online.station.keys.listed("MeterValuesSampledData") == ["Voltage", "Current.Import"]


def test_with_local_pre_authorisation_a_known_card_waits_for_nobody(online: World) -> None:
    online.ask("ChangeConfiguration", key="LocalPreAuthorize", value="true")
    for _ in range(4):
        online.present("CARD")
        online.talk()
    assert online.actions().count("Authorize") == 1
    assert online.ask("ClearCache") == {"status": "Accepted"}
    online.present("CARD")
    online.talk()
    assert online.actions().count("Authorize") == 2


def test_a_card_that_has_expired_is_not_known(online: World) -> None:
    online.present("CARD")
    ends = "2026-11-30T08:00:00Z"
    online.reply({"idTagInfo": {"status": "Accepted", "expiryDate": ends}})
    online.reply()
    online.reply({"transactionId": 1, "idTagInfo": {"status": "Accepted", "expiryDate": ends}})
    online.present("CARD")
    online.talk()
    online.cut()
    online.clock = 3_599
    online.present("CARD")
    online.present("CARD")
    online.clock = 3_600
    online.present("CARD")
    assert [one.ok for one in online.station.reader.answers[-3:]] == [True, True, False]


def test_readings_by_the_clock_come_without_a_transaction(online: World) -> None:
    online.ask("ChangeConfiguration", key="ClockAlignedDataInterval", value="900")
    online.pass_(1)
    online.pass_(898)
    online.talk()
    assert online.said("MeterValues") == []
    online.pass_(1)
    (told,) = online.said("MeterValues")
    assert "transactionId" not in told
    assert told["meterValue"][0]["timestamp"] == "2026-11-30T07:15:00.000Z"


def test_the_clocks_interval_begins_anew_each_day() -> None:
    assert to_aligned_s(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), 7_000) == 1.0
    assert to_aligned_s(datetime(2026, 11, 30, 0, 0, 0, tzinfo=UTC), 900) == 900.0


def test_of_too_many_readings_every_second_one_is_dropped_and_never_a_begin_or_an_end() -> None:
    world = World(StationState("k", configuration={"AllowOfflineTxForUnknownId": "true"}))
    world.present("CARD")
    for _ in range(MOST_READINGS * 3):
        world.pass_(60)
    world.present("CARD")
    waiting = [one.action for one in world.station.held.queue]
    assert (waiting[0], waiting[-1]) == ("StartTransaction", "StopTransaction")
    assert MOST_READINGS // 2 < waiting.count("MeterValues") <= MOST_READINGS


def test_a_record_of_before_2_0_1_is_read() -> None:
    before = to_record(StationState("k", 700, inoperative=("0",)))
    for field in ("seq", "last"):
        del before[field]
    for inoperative, held in ((True, ("0",)), (False, ())):
        found = from_record({**before, "inoperative": inoperative})
        assert found == StationState("k", 700, inoperative=held)


def test_a_record_that_no_station_holds_is_refused() -> None:
    good = to_record(StationState("k"))
    for wrong in ({}, {**good, "format": 2}, {**good, "queue": [[1]]}, {**good, "register_wh": -1}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            from_record(wrong)


class Crashes(StationCrashes):
    """Each begun once, ended once, in order, with its Wh."""

    def __init__(self) -> None:
        super().__init__()
        keys = {**PATIENT, "AllowOfflineTxForUnknownId": "true"}
        self.world = World(StationState("k", configuration=keys))
        self.taken: dict[str, tuple[str, Answer]] = {}
        self.numbers: dict[str, int] = {}

    def take(self) -> Answer | None:
        id_, action, asked = self.world.waiting[0]
        message = id_.rpartition("-")[0] or id_
        if message not in self.taken:
            self.taken[message] = (action, asked)
            if action == "StartTransaction":
                self.numbers[message] = len(self.numbers) + 1
        else:
            assert self.taken[message] == (action, asked)
        if action == "StartTransaction":
            return {"transactionId": self.numbers[message], "idTagInfo": {"status": "Accepted"}}
        return None

    def judge(self) -> None:
        matter = [
            (int(message.rpartition("-")[2]), *what)
            for message, what in self.taken.items()
            if what[0] in ("StartTransaction", "StopTransaction", "MeterValues")
        ]
        assert [number for number, _, _ in matter] == sorted(number for number, _, _ in matter)
        begun = [one for _, action, one in matter if action == "StartTransaction"]
        ended = [one for _, action, one in matter if action == "StopTransaction"]
        assert [one["transactionId"] for one in ended] == list(range(1, len(begun) + 1))
        assert [
            stop["meterStop"] - start["meterStart"]
            for start, stop in zip(begun, ended, strict=True)
        ] == self.delivered


TestCrashes = Crashes.TestCase
TestCrashes.settings = MANY


def test_a_back_end_that_begins_and_ends_without_rest_is_told_no(online: World) -> None:
    begun = 0
    for _ in range(MOST_BEGINS + 5):
        begun += online.ask("RemoteStartTransaction", idTag="T") == {"status": "Accepted"}
        online.ask("UnlockConnector", connectorId=1)
        online.talk()
    assert begun == MOST_BEGINS
    online.present("CARD")
    assert online.station.reader.answers[-1] == Presented("CARD", False, "too often")
    online.pass_(WITHIN_S)
    assert online.ask("RemoteStartTransaction", idTag="T") == {"status": "Accepted"}


def test_no_charge_begins_while_more_waits_than_is_lightly_kept(online: World) -> None:
    for _ in range(MOST_WAITING):
        online.ask("RemoteStartTransaction", idTag="T")
        online.ask("UnlockConnector", connectorId=1)
        online.clock += WITHIN_S  # and the back end answers nothing
    assert MOST_WAITING <= len(online.station.held.queue) < MOST_WAITING + 2
    online.present("CARD")
    assert online.station.reader.answers[-1] == Presented("CARD", False, "no room")


def test_what_a_backup_does_not_know_of_is_numbered_by_nothing_else() -> None:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    first = StationState("k").born(at)
    for _ in range(1_000):
        first = first.put("StartTransaction", {})
    again = StationState("k").born(at + timedelta(seconds=2)).put("StartTransaction", {})
    assert first.numbers < again.numbers
    assert first.born(datetime(1970, 1, 1, tzinfo=UTC)) == first
