"""An emulated OCPP 2.0.1 station's list of cards: part 2, C13, C14 and D."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.station_world import Answer, World201


@pytest.fixture
def online() -> World201:
    return World201().online()


def listed(tag: str, status: str | None = "Accepted", **more: Any) -> Answer:
    """One of the list; no status takes it out."""
    info = {} if status is None else {"idTokenInfo": {"status": status, **more}}
    return {"idToken": {"idToken": tag, "type": "ISO14443"}, **info}


def send(world: World201, version: int, full: bool, *cards: Answer) -> str:
    """Send a list; the word."""
    more = {"localAuthorizationList": list(cards)} if cards else {}
    kind = "Full" if full else "Differential"
    answer = world.ask("SendLocalList", versionNumber=version, updateType=kind, **more)
    return str(answer["status"])


def version(world: World201) -> int:
    return int(world.ask("GetLocalListVersion")["versionNumber"])


def test_a_list_is_kept_and_changed_by_its_version(online: World201) -> None:
    assert version(online) == 0
    assert send(online, 3, True, listed("A"), listed("B", "Blocked")) == "Accepted"
    online.born()
    online.open()
    online.talk()
    assert version(online) == 3
    assert send(online, 3, False, listed("A", None)) == "VersionMismatch"
    assert send(online, 4, False, listed("A", None)) == "Accepted"
    assert send(online, 5, True, listed("A", None)) == "Failed"
    assert [one.tag for one in online.station.held.local.cards] == ["B"]
    assert send(online, 6, True) == "Accepted"
    assert version(online) == 6


def test_offline_the_list_goes_before_what_was_heard(online: World201) -> None:
    online.present("CARD")
    online.talk()
    online.present("CARD")
    online.talk()
    group: Answer = {"groupIdToken": {"idToken": "FAMILY", "type": "Central"}}
    assert send(online, 1, True, listed("CARD", "Blocked"), listed("NEW", **group),
                listed("OTHER", **group)) == "Accepted"  # fmt: skip
    online.cut()
    for tag, ok in (("CARD", False), ("KeyCode:NEW", False), ("NEW", True), ("OTHER", True)):
        online.present(tag)
        assert online.station.reader.answers[-1].ok is ok, tag


def test_one_that_is_not_enabled_is_none(online: World201) -> None:
    send(online, 1, True, listed("CARD"))
    one = {
        "component": {"name": "LocalAuthListCtrlr"}, "variable": {"name": "Enabled"},
        "attributeValue": "false",
    }  # fmt: skip
    online.ask("SetVariables", setVariableData=[one])
    assert version(online) == 0
    assert send(online, 2, True, listed("CARD")) == "Failed"
    online.cut()
    online.present("CARD")
    assert not online.station.reader.answers[-1].ok
