"""Whole charges of chargers that others wrote: by card, from afar, over a power cut."""

from __future__ import annotations

from tests.ocpp.conftest import CARD, Site
from tests.ocpp.peers import now
from tests.system_under_test import eventually


def test_a_card_charges_with_ocpp_16(site: Site) -> None:
    with site.peer16() as charger:
        assert charger.boot().status == "Accepted"
        charger.status("Available")
        site.until("ACTIVATED")
        assert charger.authorize("NOBODY") == "Invalid"
        assert charger.authorize(CARD) == "Accepted"
        charger.status("Preparing")
        begun = charger.begin(CARD, 10_000)
        assert begun.id_tag_info["status"] == "Accepted"
        charger.status("Charging")
        charger.meter(begun.transaction_id, 10_400, 7_400)
        site.until("SUPPLYING")
        charger.end(begun.transaction_id, 10_750)
        (ticket,) = site.tickets()
        assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 750)
        charger.status("Available")
        site.until("ACTIVATED")
    site.until("DISCONNECTED")


def test_a_card_charges_with_ocpp_201(site: Site) -> None:
    with site.peer201() as charger:
        assert charger.boot().status == "Accepted"
        charger.status("Available")
        site.until("ACTIVATED")
        assert charger.authorize("NOBODY") == "Invalid"
        assert charger.authorize(CARD) == "Accepted"
        charger.status("Occupied")
        charger.event("Started", "tx-1", "CablePluggedIn", 20_000)
        answer = charger.event("Updated", "tx-1", "Authorized", 20_000, CARD)
        assert answer.id_token_info["status"] == "Accepted"
        charger.event("Updated", "tx-1", "MeterValuePeriodic", 20_300, power_w=11_000)
        site.until("SUPPLYING")
        charger.event("Ended", "tx-1", "EVDeparted", 20_600, stopped_reason="EVDisconnected")
        (ticket,) = site.tickets()
        assert (ticket["driver"], ticket["energy_wh"], ticket["reason"]) == (
            "ALICE", 600, "unplugged",
        )  # fmt: skip
        charger.status("Available")
        site.until("ACTIVATED")


def test_a_driver_starts_and_stops_from_afar_with_ocpp_16(site: Site) -> None:
    with site.peer16() as charger:
        site.ready(charger)
        site.charge("5")
        (told,) = eventually("told", lambda: charger.told("RemoteStartTransaction"))
        begun = charger.begin(told["id_tag"], 500)
        assert begun.id_tag_info["status"] == "Accepted"
        charger.meter(begun.transaction_id, 900, 7_400)
        site.until("SUPPLYING")
        leaving = site.system.spawn("evcs-driver", "stop", "--driver", "ALICE")
        stopped = eventually("told", lambda: charger.told("RemoteStopTransaction"))
        assert stopped[0]["transaction_id"] == begun.transaction_id
        charger.end(begun.transaction_id, 1_100, "Remote")
        out, _ = leaving.communicate(timeout=60)
        assert leaving.returncode == 0, out
        (ticket,) = site.tickets()
        assert (ticket["driver"], ticket["energy_wh"], ticket["reason"]) == ("ALICE", 600, "driver")


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


def test_a_power_cut_in_a_charge_loses_nothing(site: Site) -> None:
    with site.peer16() as charger:
        site.ready(charger)
        begun = charger.begin(CARD, 0)
        charger.meter(begun.transaction_id, 250, 7_400)
        site.until("SUPPLYING")
        site.system.kill_all()
    site.system.up()
    with site.peer16() as charger:
        charger.meter(begun.transaction_id, 700, 7_400)
        site.until("SUPPLYING")
        charger.end(begun.transaction_id, 900)
        (ticket,) = site.tickets()
        assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 900)


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


def test_a_charger_that_says_no(site: Site) -> None:
    with site.peer16() as charger:
        charger.says["RemoteStartTransaction"] = "Rejected"
        site.ready(charger)
        told = site.system.run("evcs-driver", "charge", site.cp, "--driver", "ALICE")
        assert told.code == 5
        assert "the charger answered Rejected" in told.out + told.err
        assert site.state() == "ACTIVATED"


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
