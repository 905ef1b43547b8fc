"""Stop and resume at a charger: what it has not confirmed is said, and told again."""

from __future__ import annotations

import pytest

from evcs.core.charge_point import NOT_CONFIRMED
from tests.ocpp.conftest import Site
from tests.ocpp.peers import DROPPED, Peer16, Peer201
from tests.system_under_test import Done, eventually

STOPPED = "stopped by the operator"


def change(site: Site, verb: str) -> Done:
    return site.system.run("evcs-cp", verb, site.cp, "--json")


def reason(site: Site) -> str:
    return str(site.system.ok("evcs-cp", "show", site.cp, "--json").json["reason"])


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_what_the_charger_has_taken(site: Site, version: str) -> None:
    peer: Peer16 | Peer201 = site.peer16() if version == "1.6" else site.peer201()
    with peer:
        site.ready(peer)
        eventually("it has confirmed", lambda: reason(site) == "")
        stopped = change(site, "stop")
        assert (stopped.code, stopped.json["charger"]) == (0, "confirmed")
        assert (stopped.json["state"], stopped.json["reason"]) == ("OUT_OF_ORDER", STOPPED)
        peer.says["ChangeAvailability"] = "Scheduled"
        resumed = change(site, "resume")
        assert (resumed.code, resumed.json["charger"]) == (0, "confirmed")
        assert (resumed.json["state"], resumed.json["reason"]) == ("ACTIVATED", "")


def test_a_charger_that_refuses_and_takes_it_at_its_next_connection(site: Site) -> None:
    with site.peer16() as peer:
        site.ready(peer)
        eventually("it has confirmed", lambda: reason(site) == "")
        peer.says["ChangeAvailability"] = "Rejected"
        told = change(site, "stop")
        assert (told.code, told.json["error"]["code"]) == (5, "conflict")
        assert "answered Rejected" in told.json["error"]["message"]
        site.until("OUT_OF_ORDER")
        eventually("it is said", lambda: reason(site) == NOT_CONFIRMED)
        again = len(peer.told("ChangeAvailability"))
        assert change(site, "stop").code == 5
        assert len(peer.told("ChangeAvailability")) == again + 1, "it is asked again"
    eventually("it is away", lambda: reason(site) == "charger away")
    with site.peer16() as peer:
        peer.boot()
        eventually("it has confirmed", lambda: reason(site) == STOPPED)
        assert [one["type"] for one in peer.told("ChangeAvailability")] == ["Inoperative"]
        peer.says["ChangeAvailability"] = "Rejected"
        assert change(site, "resume").code == 5
        eventually("it is said", lambda: reason(site) == NOT_CONFIRMED)
        site.until("ACTIVATED")


def test_a_charger_that_refuses_all_before_it_has_booted(site: Site) -> None:
    with site.peer16() as peer:
        peer.says["ChangeAvailability"] = "Rejected"
        eventually("it is told", lambda: peer.told("ChangeAvailability"))
        eventually("it is said", lambda: reason(site) == NOT_CONFIRMED)
        del peer.says["ChangeAvailability"]
        peer.boot()
        eventually("it has confirmed", lambda: reason(site) == "")


def test_a_charger_that_is_away_or_ends_before_it_answers(site: Site) -> None:
    told = change(site, "stop")
    assert (told.code, told.json["charger"]) == (0, "away")
    assert reason(site) == "charger away" or reason(site) == "not seen yet"
    with site.peer16() as peer:
        peer.says["ChangeAvailability"] = DROPPED
        eventually("it is told", lambda: peer.told("ChangeAvailability"))
    with site.peer16() as peer:
        peer.boot()
        eventually("it has confirmed", lambda: reason(site) == STOPPED)
