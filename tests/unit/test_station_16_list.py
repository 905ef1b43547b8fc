"""An emulated OCPP 1.6 station and its back end's list of cards."""

from __future__ import annotations

from typing import Any

import pytest

from evcs.core.ocpp.station_list import MOST_LISTED
from evcs.core.ocpp.station_reader import Presented
from tests.unit.station_world import World

ACCEPTED = {"status": "Accepted"}


@pytest.fixture
def online() -> World:
    return World().online()


def entry(tag: str, status: str = "Accepted", **more: str) -> dict[str, Any]:
    return {"idTag": tag, "idTagInfo": {"status": status, **more}}


def send(world: World, version: int, *entries: dict[str, Any], kind: str = "Full") -> Any:
    return world.ask(
        "SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=list(entries)
    )


def version(world: World) -> int:
    return int(world.ask("GetLocalListVersion")["listVersion"])


def test_it_is_kept_with_its_version(online: World) -> None:
    assert version(online) == 0
    assert send(online, 3, entry("A"), entry("B", "Blocked")) == ACCEPTED
    online.born()
    online.open()
    online.talk()
    assert version(online) == 3
    assert send(online, 3, {"idTag": "A"}, kind="Differential") == {"status": "VersionMismatch"}
    assert send(online, 4, {"idTag": "A"}, kind="Differential") == ACCEPTED
    assert [one.tag for one in online.station.held.local.cards] == ["B"]
    assert send(online, 5, {"idTag": "A"}) == {"status": "Failed"}
    most = [entry(f"T{number}") for number in range(MOST_LISTED + 1)]
    assert send(online, 5, *most) == {"status": "Failed"}
    assert (version(online), send(online, 5)) == (4, ACCEPTED)
    assert version(online) == 0


def test_where_it_is_not_enabled_it_is_none(online: World) -> None:
    send(online, 3, entry("A"))
    online.ask("ChangeConfiguration", key="LocalAuthListEnabled", value="false")
    assert version(online) == -1
    assert send(online, 4) == {"status": "NotSupported"}
    online.cut()
    online.present("A")
    assert online.station.reader.answers == [Presented("A", False, "offline")]


def test_while_the_back_end_is_away_it_says_who_charges(online: World) -> None:
    ends = "2026-11-30T08:00:00Z"
    send(online, 1, entry("GOOD", expiryDate=ends), entry("BAD", "Blocked"))
    online.ask("ChangeConfiguration", key="AllowOfflineTxForUnknownId", value="true")
    online.cut()
    for tag, word in (("BAD", "blocked"), ("good", "accepted"), ("good", "stopped")):
        online.present(tag)
        assert online.station.reader.answers[-1].word == word
    online.clock = 3_600
    online.present("GOOD")
    assert online.station.reader.answers[-1] == Presented("GOOD", False, "expired")


def test_it_goes_before_the_cache_and_what_differs_is_told(online: World) -> None:
    online.present("CARD")
    online.talk()
    online.present("CARD")
    online.talk()
    send(online, 1, entry("CARD", "Invalid"))
    online.cut()
    online.present("CARD")
    assert online.station.reader.answers[-1] == Presented("CARD", False, "invalid")
    online.open()
    online.talk()
    online.heard.clear()
    online.present("CARD")  # the back end is asked, and knows better
    online.talk()
    assert online.station.reader.answers[-1] == Presented("CARD", True, "accepted")
    conflict = [one for one in online.said("StatusNotification") if one["connectorId"] == 0]
    assert {one["errorCode"] for one in conflict} == {"LocalListConflict"}
    assert [one.status for one in online.station.held.cards] == ["Accepted"]


def test_a_listed_card_waits_for_nobody_where_that_is_configured(online: World) -> None:
    online.ask("ChangeConfiguration", key="LocalPreAuthorize", value="true")
    send(online, 1, entry("A", parentIdTag="G"), entry("B", parentIdTag="G"))
    online.present("A")
    online.talk()
    assert "Authorize" not in online.actions()
    online.present("B")
    assert online.station.reader.answers[-1] == Presented("B", True, "stopped")
    assert online.station.held.cards == ()
