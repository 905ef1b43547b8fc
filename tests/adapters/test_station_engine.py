"""A CP's process as a station of a back end: whole charges with back ends by others, and one that
fails on purpose; kill -9 of the process in a charge."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.adapters.station_site import CP, FAST, Site
from tests.ocpp.back_ends import BackEnd, FailingBackEnd, OcppBackEnd, RpcBackEnd
from tests.system_under_test import eventually

#: 5 kW for whatever charges.
PROFILE = {
    "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5_000}],
    },
}  # fmt: skip


@pytest.fixture
def failing() -> Iterator[FailingBackEnd]:
    with FailingBackEnd() as made:
        yield made


@pytest.mark.parametrize("kind", [FailingBackEnd, OcppBackEnd, RpcBackEnd])
def test_whole_charges_with_each_back_end(site: Site, kind: type[Any]) -> None:
    """By card, and from afar; Central has the same Wh as the back end."""
    with ExitStack() as held:
        back_end: BackEnd = held.enter_context(kind())
        site.begin(back_end, FAST)
        eventually("it is online", lambda: back_end.said("StatusNotification"))
        assert site.central.command("present", tag="CARD").ok
        eventually("it charges", lambda: len(site.central.metered) > 2)
        assert site.central.status is not None
        assert site.central.status.backend_state == "connected"
        refused = site.central.command("present", tag="OTHER")
        assert (refused.ok, refused.error) == (False, "busy")
        assert site.central.command("present", tag="CARD").ok
        eventually("it has ended", lambda: back_end.said("StopTransaction"))
        eventually("it is free", lambda: site.held().transaction is None and not site.held().queue)
        found = back_end.ask("RemoteStartTransaction", {"idTag": "AFAR"})
        assert found["status"] == "Accepted"
        eventually("it charges", lambda: len(back_end.said("StartTransaction")) == 2)
        eventually("the car is full", lambda: len(back_end.said("StopTransaction")) == 2)
        eventually("both are settled", lambda: len(site.central.tickets) == 2)
        starts, stops = back_end.said("StartTransaction"), back_end.said("StopTransaction")
        wh = [
            stop["meterStop"] - start["meterStart"]
            for start, stop in zip(starts, stops, strict=True)
        ]
        assert wh[1] == 20_000
        assert [one.energy_wh for one in site.central.tickets.values()] == wh
        assert [stop["transactionId"] for stop in stops] == [1, 2]


@pytest.mark.parametrize("kind", [OcppBackEnd, RpcBackEnd])
def test_back_ends_by_others_limit_a_charge(site: Site, kind: type[Any]) -> None:
    """Also over a kill; what they are answered is by their schemas."""
    with ExitStack() as held:
        back_end: BackEnd = held.enter_context(kind())
        site.begin(back_end)
        eventually("it is online", lambda: back_end.said("StatusNotification"))
        assert site.central.command("present", tag="CARD").ok
        eventually("it takes all", lambda: site.power_w() > 20_000)
        profile = {"connectorId": 0, "csChargingProfiles": PROFILE}
        assert back_end.ask("SetChargingProfile", profile)["status"] == "Accepted"
        eventually("it takes less", lambda: site.power_w() == 5_000)
        site.kill()
        site.begin(back_end)
        eventually("it is online", lambda: len(back_end.said("BootNotification")) == 2)
        before = len(site.central.metered)
        eventually("it charges on", lambda: len(site.central.metered) > before)
        assert 0 < site.power_w() <= 5_000
        found = back_end.ask("GetCompositeSchedule", {"connectorId": 1, "duration": 60})
        (period,) = found["chargingSchedule"]["chargingSchedulePeriod"]
        assert period["limit"] == 5_000
        assert back_end.ask("ClearChargingProfile", {})["status"] == "Accepted"
        eventually("it takes all", lambda: site.power_w() > 20_000)


def test_killed_in_a_charge_it_goes_on_and_ends_once(site: Site, failing: FailingBackEnd) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    assert site.central.command("present", tag="CARD").ok
    for round_ in range(1, 4):
        site.charges()
        site.kill()
        site.begin(failing)
        eventually("it boots", partial(_boots, failing, round_))
    assert site.central.command("present", tag="CARD").ok
    eventually("it is settled", lambda: site.central.tickets)
    eventually("it is told", lambda: failing.said("StopTransaction"))
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert actions == ["StartTransaction", "StopTransaction"]
    (start,), (stop,) = failing.said("StartTransaction"), failing.said("StopTransaction")
    wh = stop["meterStop"] - start["meterStart"]
    assert [one.energy_wh for one in site.central.tickets.values()] == [wh]
    assert wh >= max(one.energy_wh for one in site.central.metered) > 0


def _boots(back_end: BackEnd, more_than: int) -> bool:
    return len(back_end.said("BootNotification")) > more_than


@pytest.mark.parametrize("step", ["station.kept", "station.sent", "station.heard"])
def test_killed_at_each_step_nothing_is_lost_or_said_twice(
    site: Site, failing: FailingBackEnd, step: str
) -> None:
    """Each of the first steps of a charge in turn; the process comes back, the charge goes on."""
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    for _ in range(2):  # its card is known then
        assert site.central.command("present", tag="CARD").ok
    eventually("all is told", lambda: not site.held().queue)
    site.kill_at_each(failing, step)
    site.central.command("unplug")
    eventually("all is told", lambda: not site.held().queue and site.held().transaction is None)
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert len(actions) > 2
    assert actions == ["StartTransaction", "StopTransaction"] * (len(actions) // 2)


def test_a_back_end_that_is_away_for_three_charges_hears_them_in_order_once(
    site: Site, failing: FailingBackEnd
) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    for _ in range(2):
        assert site.central.command("present", tag="CARD").ok
    eventually("it is told", lambda: failing.said("StopTransaction"))
    failing.stop()
    site.charge_alone(failing)
    eventually("Central has them", lambda: len(site.central.tickets) == 4)
    failing.start()
    eventually("all are told", lambda: len(failing.said("StopTransaction")) == 4)
    matter = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert matter == ["StartTransaction", "StopTransaction"] * 4
    starts, stops = failing.said("StartTransaction"), failing.said("StopTransaction")
    wh = [
        stop["meterStop"] - start["meterStart"] for start, stop in zip(starts, stops, strict=True)
    ]
    assert wh == [one.energy_wh for one in site.central.tickets.values()]
    assert [one["meterStart"] for one in starts[1:]] == [one["meterStop"] for one in stops[:-1]]
    assert [one["timestamp"] for one in starts] == sorted(one["timestamp"] for one in starts)


@pytest.mark.parametrize("how", ["error", "cut before", "cut after", "twice"])
def test_a_back_end_that_fails_hears_each_message_once(
    site: Site, failing: FailingBackEnd, how: str
) -> None:
    """Each message that matters fails once, in one way; then it is taken."""
    failed: list[str] = []

    def once(action: str) -> str:
        if action not in ("StartTransaction", "StopTransaction"):
            return "good"
        failed.append(action)
        return how if failed.count(action) == 1 else "good"

    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    key = {"key": "TransactionMessageRetryInterval", "value": "1"}
    assert failing.ask("ChangeConfiguration", key) == {"status": "Accepted"}
    failing.how = once
    assert site.central.command("present", tag="CARD").ok
    eventually("it charges", lambda: len(site.central.metered) > 2)
    assert site.central.command("present", tag="CARD").ok
    eventually("it is told", lambda: "StopTransaction" in dict(failing.matter()))
    eventually("all is told", lambda: not site.held().queue)
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert actions == ["StartTransaction", "StopTransaction"]
    stop = dict(failing.matter())["StopTransaction"]
    assert stop["transactionId"] == 1


@pytest.mark.parametrize(("status", "state"), [(401, "refused"), (404, "refused"), (503, "away")])
def test_a_back_end_that_lets_it_not_in_is_told_and_tried_again(
    site: Site, failing: FailingBackEnd, status: int, state: str
) -> None:
    failing.refuse = status
    site.begin(failing)
    eventually("it is on the bus", lambda: site.central.status)
    eventually("its state is told", lambda: site.state() == state)
    shown = eventually(
        "why is shown", lambda: site.central.command("backend").body.get("reason"), 20
    )
    assert str(status) in shown
    failing.refuse = 0
    eventually("it is in", lambda: site.state() == "connected")
    body = site.central.command("backend").body
    assert body["backend_state"] == "connected"
    assert body["waiting"] == []
    eventually("frames", lambda: site.central.command("backend").body["frames"])


def test_a_password_of_the_back_ends_is_dialled_with_at_once_and_after_a_kill(
    site: Site, failing: FailingBackEnd
) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    assert failing.asked_by == ""
    key = bytes(range(240, 256)) + b"\0:"
    asked = {"key": "AuthorizationKey", "value": key.hex()}
    assert failing.ask("ChangeConfiguration", asked) == {"status": "Accepted"}
    basic = f"Basic {base64.b64encode(b'STATION.1:' + key).decode()}"
    eventually("it dials with it", lambda: failing.asked_by == basic)
    failing.asked_by = ""
    site.kill()
    site.begin(failing)
    eventually("it dials with it again", lambda: failing.asked_by == basic)
    assert key.hex() not in str(site.central.command("backend").body)


def test_a_reset_ends_the_charge_and_it_boots_again(site: Site, failing: FailingBackEnd) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    assert site.central.command("plug").ok  # its car has a card
    eventually("it charges", lambda: len(site.central.metered) > 1)
    assert failing.said("Authorize")[0]["idTag"] == "TOKEN"
    assert failing.ask("Reset", {"type": "Soft"}) == {"status": "Accepted"}
    eventually("it boots", lambda: len(failing.said("BootNotification")) == 2)
    eventually("it is told", lambda: failing.said("StopTransaction"))
    assert failing.said("StopTransaction")[0]["reason"] == "SoftReset"
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert actions == ["StartTransaction", "StopTransaction"]


def test_what_central_asks_of_another_engine_is_refused_and_a_stop_ends(
    site: Site, failing: FailingBackEnd
) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    start = site.central.command("start", session_id="x", energy_wh=1_000, max_power_w=1_000)
    assert (start.ok, start.error) == (False, "bad_command")
    assert site.central.command("stop", session_id="x").error == "no_session"
    assert site.central.command("present", tag="CARD").ok
    eventually("Central knows it", lambda: site.central.metered)
    session = site.central.metered[0].session_id
    assert site.central.command("stop", session_id=session, reason="deleted").ok
    eventually("it is settled", lambda: site.central.tickets)
    assert site.central.tickets[session].reason == "deleted"
    assert site.central.command("fault", reason="it burns").ok
    eventually("it is told", lambda: failing.said("StatusNotification")[-1]["status"] == "Faulted")
    assert site.central.command("present", tag="CARD").error == "faulted"
    site.kill()
    site.begin(failing)
    eventually("it is still broken", lambda: len(failing.said("BootNotification")) == 2)
    assert site.central.command("present", tag="CARD").error == "faulted"
    assert site.central.command("clear").ok
    eventually("it is well", lambda: failing.said("StatusNotification")[-1]["status"] != "Faulted")


def test_one_whose_file_is_gone_waits_for_it_with_its_charge(
    site: Site, failing: FailingBackEnd
) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    assert site.central.command("present", tag="CARD").ok
    site.charges()
    born = site.central.status
    site.kill()
    before = site.held().transaction
    path = site.home.back_end(CP)
    kept = path.read_text()
    path.unlink()
    process = site.start()
    assert process.wait(30) == 1
    assert site.held().transaction == before
    path.write_text(kept)
    site.begin(failing)
    eventually("it goes on", lambda: len(failing.said("BootNotification")) == 2)
    eventually("it is on the bus", lambda: site.central.is_reborn(born))
    assert site.central.command("present", tag="CARD").ok
    eventually("it is told", lambda: failing.said("StopTransaction"))
    assert len(failing.said("StartTransaction")) == 1
