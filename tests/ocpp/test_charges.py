"""What a charge is with a charger that others wrote: its end, its reasons, who may begin it."""

from __future__ import annotations

import pytest

from tests.ocpp.conftest import CARD, Site
from tests.ocpp.peers import now
from tests.system_under_test import eventually


def test_an_end_has_the_charger_s_word_for_its_reason(site: Site) -> None:
    with site.peer201() as charger:
        charger.event("Started", "tx-1", "Authorized", 20_000, CARD)
        charger.event("Ended", "tx-1", "EVDeparted", 20_600, stopped_reason="EVDisconnected")
        (ticket,) = site.tickets()
        assert (ticket["energy_wh"], ticket["reason"]) == (600, "unplugged")


def test_a_cp_that_is_stopped_ends_its_charge(site: Site) -> None:
    with site.peer16() as charger:
        begun = charger.begin(CARD, 50)
        charger.meter(begun.transaction_id, 200, 7_400)
        site.until("SUPPLYING")
        site.system.ok("evcs-cp", "stop", site.cp)
        (stop,) = eventually("told", lambda: charger.told("RemoteStopTransaction"))
        assert stop["transaction_id"] == begun.transaction_id
        charger.end(begun.transaction_id, 350, "Remote")
        (ticket,) = site.tickets()
        assert (ticket["energy_wh"], ticket["reason"]) == (300, "out_of_order")


def test_a_driver_starts_from_afar_with_ocpp_201_and_it_ends_at_what_was_asked(site: Site) -> None:
    with site.peer201() as charger:
        site.ready(charger)
        site.charge("0.5")
        (told,) = eventually("told", lambda: charger.told("RequestStartTransaction"))
        tag = told["id_token"]["id_token"]
        charger.event("Started", "tx-9", "RemoteStart", 100, tag)
        charger.event("Updated", "tx-9", "MeterValuePeriodic", 610, power_w=11_000)
        stopped = eventually("told", lambda: charger.told("RequestStopTransaction"))
        assert stopped[0]["transaction_id"] == "tx-9"
        charger.event("Ended", "tx-9", "RemoteStop", 612, stopped_reason="Remote")
        (ticket,) = site.tickets()
        assert (ticket["energy_wh"], ticket["reason"]) == (512, "completed")


@pytest.mark.parametrize(("card", "driver"), [(CARD, "ALICE"), ("", None)])
def test_a_charge_that_is_cut_off_before_a_card_is_shown(
    site: Site, card: str, driver: str | None
) -> None:
    """It began an hour ago, and has charged more than could be since we are there again."""
    began = now(3_600)
    with site.peer201() as charger:
        site.ready(charger)
        charger.event("Started", "tx", "CablePluggedIn", at=began)
        charger.event("Updated", "tx", "MeterValuePeriodic", 20_000, at=began)
        charger.event("Updated", "tx", "MeterValuePeriodic", 25_000)
        site.system.kill_all()
    site.system.up()
    with site.peer201() as charger:
        if card:
            charger.event("Updated", "tx", "Authorized", 30_000, card)
        charger.event("Ended", "tx", "EVDeparted", 32_000)
        (ticket,) = site.tickets()
        assert (ticket["driver"], ticket["energy_wh"]) == (driver, 12_000)


def test_an_end_that_is_all_that_is_told_has_its_begin_with_it(site: Site) -> None:
    with site.peer201() as charger:
        registers = [
            {"timestamp": at, "sampled_value": [{"value": value}]}
            for at, value in ((now(1_800), 5_000), (now(), 5_700))
        ]
        charger.call(
            "TransactionEvent", event_type="Ended", timestamp=now(), trigger_reason="EVDeparted",
            seq_no=9, transaction_info={"transaction_id": "alone"}, meter_value=registers,
            evse={"id": 1},
        )  # fmt: skip
        (ticket,) = site.tickets()
        assert (ticket["driver"], ticket["energy_wh"]) == (None, 700)


def test_what_is_told_again_makes_one_session(site: Site) -> None:
    with site.peer16() as charger:
        charger.boot()
        at = now()
        first = charger.begin(CARD, 100, at=at)
        again = charger.begin(CARD, 100, at=at)
        assert again.transaction_id == first.transaction_id
        for _ in range(2):
            charger.end(first.transaction_id, 300)
        charger.end(first.transaction_id + 12_345, 300)
        (ticket,) = site.tickets()
        assert ticket["energy_wh"] == 200
        assert charger.begin(CARD, 100, at=at).transaction_id == first.transaction_id
        site.tickets()


def test_a_car_that_does_not_come_ends_the_request(site: Site) -> None:
    with site.peer16() as charger:
        site.ready(charger)
        site.charge()
        (ticket,) = site.tickets()
        assert (ticket["energy_wh"], ticket["reason"]) == (0, "not_started")


def test_stop_and_resume_reach_the_charger(site: Site) -> None:
    with site.peer16() as charger:
        site.ready(charger)
        site.system.ok("evcs-cp", "stop", site.cp)
        eventually("it is told", lambda: [
            one["type"] for one in charger.told("ChangeAvailability")
        ][-1:] == ["Inoperative"])  # fmt: skip
        site.until("OUT_OF_ORDER")
        assert charger.authorize(CARD) == "Blocked"
        site.system.ok("evcs-cp", "resume", site.cp)
        eventually("it is told", lambda: [
            one["type"] for one in charger.told("ChangeAvailability")
        ][-1:] == ["Operative"])  # fmt: skip
        site.until("ACTIVATED")


def test_a_fault_of_the_whole_station_goes_when_that_says_so(site: Site) -> None:
    with site.peer16() as charger:
        charger.boot()
        charger.status("Faulted", connector=0, error="InternalError")
        site.until("BROKEN_DOWN")
        charger.status("Available", connector=0)
        asked = eventually("its connectors are asked", lambda: charger.told("TriggerMessage"))
        assert asked[0]["connector_id"] == 1
        charger.status("Available")
        site.until("ACTIVATED")


def test_a_fault_is_shown_with_its_name(site: Site) -> None:
    with site.peer16() as charger:
        charger.boot()
        charger.status("Faulted", error="GroundFailure")
        site.until("BROKEN_DOWN")
        row = site.system.ok("evcs-cp", "show", site.cp, "--json").json
        assert "GroundFailure" in row["reason"]
        charger.status("Available")
        site.until("ACTIVATED")
