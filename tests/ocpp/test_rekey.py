"""A charger's new password: it and we never end up with different ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.ocpp.conftest import Site, charger, made
from tests.ocpp.peers import DROPPED, Peer16, Peer201
from tests.system_under_test import Done, System, eventually


@pytest.fixture(scope="module")
def armed(new_system: Callable[..., System]) -> System:
    """A system that can be told to crash."""
    system = new_system()
    system.up(EVCS_CRASH_AT=f"@{system.home}/run/crash_at")
    return made(system)


@pytest.fixture
def box(armed: System) -> Site:
    return charger(armed)


def key(site: Site) -> str:
    """The newest."""
    return site.dial()[2]


def is_good(site: Site, password: str, peer: type[Peer16 | Peer201] = Peer16) -> bool:
    """Whether a charger gets in by it."""
    url, user, _ = site.dial()
    try:
        with peer(url, user, password) as one:
            return bool(one.call("Heartbeat").current_time)
    except InvalidStatus as error:
        return error.response.status_code != 401
    except TimeoutError:
        return False  # it was let go


def given(told: dict[str, Any]) -> str:
    """The key in a ChangeConfiguration or SetVariables."""
    if "set_variable_data" in told:
        (one,) = told["set_variable_data"]
        assert one["component"] == {"name": "SecurityCtrlr"}
        assert one["variable"] == {"name": "BasicAuthPassword"}
        return str(one["attribute_value"])
    assert told["key"] == "AuthorizationKey"
    return bytes.fromhex(told["value"]).decode()


def waits(site: Site) -> bool:
    """Whether its next key is not known to be its charger's."""
    return (site.system.home / f"data/secrets/station/{site.cp}.next").exists()


def rekey(site: Site) -> Done:
    return site.system.run("evcs-cp", "rekey", site.cp, "--json")


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_charger_takes_its_new_key(box: Site, version: str) -> None:
    old = key(box)
    action = {"1.6": "ChangeConfiguration", "2.0.1": "SetVariables"}[version]
    with box.peer16() if version == "1.6" else box.peer201() as peer:
        with box.system.listening(f"evcs/v1/gateway/main/station/{box.cp}/frame") as frames:
            box.ready(peer)
            told = rekey(box)
            assert (told.code, told.json["key"]) == (0, "taken")
            eventually("the frame is seen", lambda: any(action in str(one) for one in frames))
        new = given(peer.told(action)[0])
        assert new == key(box) != old
        assert not is_good(box, old), "at once"
        hidden = (new, new.encode().hex(), old)
        assert not any(word in str(one) for one in frames for word in hidden)
        eventually("the old one is over", lambda: not is_good(box, old))
        assert len(peer.told(action)) == 1
    assert is_good(box, new)
    assert is_good(box, new.encode().hex()), "as a charger of 1.6 may have it"
    assert not waits(box)


@pytest.mark.parametrize("word", ["Rejected", "NotSupported"])
def test_a_charger_that_refuses_keeps_its_key(box: Site, word: str) -> None:
    old = key(box)
    with box.peer16() as peer:
        box.ready(peer)
        peer.says["ChangeConfiguration"] = word
        told = rekey(box)
        assert (told.code, told.json["error"]["code"]) == (5, "conflict")
        assert word in told.json["error"]["message"]
        assert "evcs-cp connect" in told.json["error"]["hint"]
    assert is_good(box, old), "it has no other"
    typed = key(box)
    assert typed != old
    assert rekey(box).json["key"] == "waits"
    assert key(box) == typed, "it may be in the charger already"
    assert is_good(box, typed)
    eventually("the old one is over", lambda: not is_good(box, old))


def test_a_charger_that_is_away_is_told_when_it_comes(box: Site) -> None:
    old = key(box)
    told = rekey(box)
    assert (told.code, told.json["key"]) == (0, "waits")
    new = key(box)
    url, user, _ = box.dial()
    with Peer16(url, user, old) as peer:
        peer.boot()
        (fields,) = eventually("it is told", lambda: peer.told("ChangeConfiguration"))
        assert given(fields) == new
        eventually("its answer has come", lambda: not waits(box))
    eventually("the old one is over", lambda: not is_good(box, old))
    assert is_good(box, new)


def test_a_charger_of_201_that_has_it_after_a_restart(box: Site) -> None:
    old = key(box)
    with box.peer201() as peer:
        box.ready(peer)
        peer.says["SetVariables"] = "RebootRequired"
        told = rekey(box)
        assert (told.code, told.json["key"]) == (0, "RebootRequired")
    assert is_good(box, old, Peer201), "it has not restarted"
    assert is_good(box, key(box), Peer201)
    eventually("the old one is over", lambda: not is_good(box, old, Peer201))


@pytest.mark.parametrize("has_taken_it", [True, False])
def test_the_gateway_ends_before_it_hears_the_answer(box: Site, has_taken_it: bool) -> None:
    old, system = key(box), box.system
    pid = system.processes()["_ocpp:gateway"]
    url, user, _ = box.dial()
    with Peer16(url, user, old) as peer:
        box.ready(peer)
        if not has_taken_it:
            peer.says["ChangeConfiguration"] = "Rejected"
        (system.home / "run/crash_at").write_text("gateway.key_answered")
        assert rekey(box).code == 0
        eventually("it is told", lambda: peer.told("ChangeConfiguration"))
    eventually("it crashed", lambda: not (system.home / "run/crash_at").exists())
    eventually("it is back", lambda: system.processes().get("_ocpp:gateway") not in (None, pid))
    new = key(box)
    url, user, _ = box.dial()
    kept = new if has_taken_it else old
    eventually("it gets in with what it has", lambda: gets_in(url, user, kept))
    if has_taken_it:
        eventually("the old one is over", lambda: not is_good(box, old))
    else:
        with Peer16(url, user, old) as peer:
            peer.boot()
            eventually("it is told again", lambda: peer.told("ChangeConfiguration"))


def gets_in(url: str, user: str, password: str) -> bool:
    """While the gateway may be away."""
    try:
        with Peer16(url, user, password) as peer:
            return bool(peer.boot())
    except (OSError, InvalidStatus):
        return False


def test_the_registry_ends_between_the_two_files(box: Site) -> None:
    old, system = key(box), box.system
    with box.peer16() as peer:
        box.ready(peer)
        (system.home / "run/crash_at").write_text("registry.key_taken")
        assert rekey(box).code in (0, 6), "it may end in the middle of that"
        eventually("it crashed", lambda: not (system.home / "run/crash_at").exists())
    eventually("it goes on", lambda: not waits(box))
    assert not is_good(box, old)
    assert is_good(box, key(box))


def test_the_charger_ends_before_it_answers(box: Site) -> None:
    old = key(box)
    with box.peer16() as peer:
        box.ready(peer)
        peer.says["ChangeConfiguration"] = DROPPED
        told = rekey(box)
    # Once it is seen to be away, its key waits.
    assert (told.code, told.json.get("key")) in ((5, None), (0, "waits"))
    assert is_good(box, old)
    assert is_good(box, key(box))
