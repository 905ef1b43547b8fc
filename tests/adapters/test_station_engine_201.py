"""A CP's process as an OCPP 2.0.1 station: whole charges with back ends by others, and one that
fails on purpose; kill -9 of the process in a charge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.adapters.station_site import FAST, SLOW, Site
from tests.ocpp.back_ends import BackEnd, FailingBackEnd, OcppBackEnd, RpcBackEnd, whole_wh
from tests.system_under_test import eventually

#: 5 kW for whatever charges.
PROFILE = {
    "id": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [{
        "id": 7, "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5_000}],
    }],
}  # fmt: skip
RETRY = ("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent")


@pytest.fixture
def failing() -> Iterator[FailingBackEnd]:
    with FailingBackEnd(ocpp="2.0.1") as made:
        yield made


def online(site: Site, back_end: BackEnd, time_scale: int = SLOW) -> None:
    """Begin, and wait until it has told its state."""
    site.begin(back_end, time_scale)
    eventually("it is online", lambda: back_end.said("StatusNotification"))


def boots(back_end: BackEnd, times: int) -> bool:
    """Whether it has said so often that it begins."""
    return len(back_end.said("BootNotification")) == times


def all_is_told(site: Site) -> None:
    """Wait until nothing waits."""
    eventually("all is told", lambda: not site.held().queue and site.held().transaction is None)


def tickets(site: Site) -> list[int]:
    """What Central has of each charge, in Wh."""
    return [one.energy_wh for one in site.central.tickets.values()]


@pytest.mark.parametrize("kind", [FailingBackEnd, OcppBackEnd, RpcBackEnd])
def test_whole_charges_with_each_back_end(site: Site, kind: type[Any]) -> None:
    """By card, and from afar; Central has the same Wh as the back end."""
    with ExitStack() as held:
        back_end: BackEnd = held.enter_context(kind(ocpp="2.0.1"))
        online(site, back_end, time_scale=FAST)
        assert site.central.command("present", tag="04A1B2C3").ok
        eventually("it charges", lambda: len(site.central.metered) > 2)
        assert site.state() == "connected"
        assert site.central.command("present", tag="04A1B2C3").ok
        eventually("it has ended", lambda: len(back_end.ended()) == 1)
        all_is_told(site)
        token = {"idToken": "AFAR", "type": "Central"}
        found = back_end.ask("RequestStartTransaction", {"idToken": token, "remoteStartId": 9})
        assert found["status"] == "Accepted"
        eventually("the car is full", lambda: len(back_end.ended()) == 2)
        eventually("both are settled", lambda: len(site.central.tickets) == 2)
        wh = [whole_wh(events) for events in back_end.events().values()]
        assert wh[1] == 20_000
        assert tickets(site) == wh
        assert [one["transactionInfo"]["stoppedReason"] for one in back_end.ended()] == [
            "Local", "EVDisconnected",
        ]  # fmt: skip
        base = {"requestId": 1, "reportBase": "FullInventory"}
        assert back_end.ask("GetBaseReport", base)["status"] == "Accepted"
        eventually("it is reported", lambda: _whole_report(back_end))


def _whole_report(back_end: BackEnd) -> bool:
    pages = back_end.said("NotifyReport")
    return bool(pages) and not pages[-1]["tbc"]


@pytest.mark.parametrize("kind", [OcppBackEnd, RpcBackEnd])
def test_back_ends_by_others_limit_a_charge(site: Site, kind: type[Any]) -> None:
    """Also over a kill; what they are answered is by their schemas."""
    with ExitStack() as held:
        back_end: BackEnd = held.enter_context(kind(ocpp="2.0.1"))
        online(site, back_end)
        assert site.central.command("present", tag="CARD").ok
        eventually("it takes all", lambda: site.power_w() > 20_000)
        asked = {"evseId": 0, "chargingProfile": PROFILE}
        assert back_end.ask("SetChargingProfile", asked)["status"] == "Accepted"
        eventually("it takes less", lambda: site.power_w() == 5_000)
        site.kill()
        site.begin(back_end)
        eventually("it is online", partial(boots, back_end, 2))
        site.charges()
        assert 0 < site.power_w() <= 5_000
        found = back_end.ask("GetCompositeSchedule", {"evseId": 1, "duration": 60})
        (period,) = found["schedule"]["chargingSchedulePeriod"]
        assert period["limit"] == 5_000
        asked = {"requestId": 1, "chargingProfile": {"stackLevel": 0}}
        assert back_end.ask("GetChargingProfiles", asked)["status"] == "Accepted"
        (report,) = eventually("it is told", lambda: back_end.said("ReportChargingProfiles"))
        assert report["chargingProfile"] == [PROFILE]
        assert (
            back_end.ask("ClearChargingProfile", {"chargingProfileId": 1})["status"] == "Accepted"
        )
        eventually("it takes all", lambda: site.power_w() > 20_000)


def test_killed_in_a_charge_it_goes_on_and_ends_once(site: Site, failing: FailingBackEnd) -> None:
    online(site, failing)
    set_(failing, ("SampledDataCtrlr", "TxUpdatedInterval", ""), "1")
    assert site.central.command("present", tag="CARD").ok
    for round_ in range(1, 4):
        site.charges()
        site.kill()
        site.begin(failing)
        eventually("it boots", partial(boots, failing, round_ + 1))
    site.charges()
    assert site.central.command("present", tag="CARD").ok
    eventually("it is settled", lambda: site.central.tickets)
    all_is_told(site)
    (events,) = failing.events().values()
    assert tickets(site) == [whole_wh(events)]
    assert len(events) > 6
    assert {one["reason"] for one in failing.said("BootNotification")} == {"PowerUp"}


@pytest.mark.parametrize("step", ["station.kept", "station.sent", "station.heard"])
def test_killed_at_each_step_nothing_is_lost_or_said_twice(
    site: Site, failing: FailingBackEnd, step: str
) -> None:
    """Each of the first steps of a charge in turn; the process comes back, the charge goes on."""
    online(site, failing)
    for _ in range(2):  # its card is known then
        assert site.central.command("present", tag="CARD").ok
    all_is_told(site)
    site.kill_at_each(failing, step)
    site.central.command("unplug")
    all_is_told(site)
    charges = failing.events().values()
    assert len(charges) > 1
    eventually("all are settled", lambda: len(site.central.tickets) == len(charges))
    assert sorted(tickets(site)) == sorted(whole_wh(events) for events in charges)
    assert len(failing.matter()) == sum(len(events) for events in charges)


def test_a_back_end_that_is_away_for_three_charges_hears_them_in_order_once(
    site: Site, failing: FailingBackEnd
) -> None:
    online(site, failing)
    for _ in range(2):
        assert site.central.command("present", tag="CARD").ok
    eventually("it is told", lambda: failing.ended())
    failing.stop()
    site.charge_alone(failing)
    eventually("Central has them", lambda: len(site.central.tickets) == 4)
    failing.start()
    eventually("all are told", lambda: len(failing.ended()) == 4)
    first, *others = failing.events().values()
    assert [whole_wh(events) for events in (first, *others)] == tickets(site)
    assert not any("offline" in one for one in first)
    assert all(one["offline"] for events in others for one in events)
    at = [one["timestamp"] for events in others for one in events]
    assert at == sorted(at)


@pytest.mark.parametrize("how", ["slow", "error", "cut before", "cut after", "twice"])
def test_a_back_end_that_fails_hears_each_message_once(
    site: Site, failing: FailingBackEnd, how: str
) -> None:
    """Each message that matters fails once, in one way; then it is taken."""
    heard: list[str] = []

    def once(action: str) -> str:
        if action != "TransactionEvent":
            return "good"
        heard.append(action)
        return how if len(heard) % 2 else "good"

    online(site, failing)
    set_(failing, RETRY, "1")
    failing.how = once
    assert site.central.command("present", tag="CARD").ok
    eventually("it charges", lambda: len(site.central.metered) > 2)
    assert site.central.command("present", tag="CARD").ok
    all_is_told(site)
    (events,) = failing.events().values()
    eventually("it is settled", lambda: tickets(site) == [whole_wh(events)])
    assert len(failing.matter()) == len(events)


@pytest.mark.parametrize(("status", "state"), [(401, "refused"), (404, "refused"), (503, "away")])
def test_a_back_end_that_lets_it_not_in_is_told_and_tried_again(
    site: Site, failing: FailingBackEnd, status: int, state: str
) -> None:
    failing.refuse = status
    site.begin(failing)
    eventually("its state is told", lambda: site.state() == state)
    failing.refuse = 0
    eventually("it is in", lambda: site.state() == "connected")


def test_a_reset_on_idle_waits_for_the_charge_and_it_boots_again(
    site: Site, failing: FailingBackEnd
) -> None:
    online(site, failing)
    assert site.central.command("plug").ok  # its car has a card
    site.charges()
    assert failing.ask("Reset", {"type": "OnIdle"}) == {"status": "Scheduled"}
    assert len(failing.said("BootNotification")) == 1
    id_ = next(iter(failing.events()))
    assert failing.ask("RequestStopTransaction", {"transactionId": id_})["status"] == "Accepted"
    eventually("it boots", partial(boots, failing, 2))
    assert failing.said("BootNotification")[1]["reason"] == "ScheduledReset"
    all_is_told(site)
    (events,) = failing.events().values()
    eventually("it is settled", lambda: tickets(site) == [whole_wh(events)])
    assert failing.ask("Reset", {"type": "Immediate"}) == {"status": "Accepted"}
    eventually("it boots", partial(boots, failing, 3))
    assert failing.said("BootNotification")[2]["reason"] == "RemoteReset"


def set_(back_end: BackEnd, name: tuple[str, str, str], value: str) -> None:
    """Set a variable of the station."""
    component, variable, instance = name
    one = {
        "component": {"name": component}, "attributeValue": value,
        "variable": {"name": variable, **({"instance": instance} if instance else {})},
    }  # fmt: skip
    found = back_end.ask("SetVariables", {"setVariableData": [one]})
    assert found["setVariableResult"][0]["attributeStatus"] == "Accepted"
