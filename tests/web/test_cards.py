"""Who knows a card can charge with it: who shows neither token nor page is told none."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

import pytest

from evcs.core import messages as m
from evcs.services.web import shown
from tests.web import test_login_auth, test_registry_login
from tests.web.stage import WITHIN_S, Stage, wait_for

#: As it is in the paths of every route.
CP = "CP-001"
CARD, MARK = "04CAFEBABE7788", "behind-it"
EVENTS = "/api/v1/events"


@pytest.fixture(scope="module")
def station(stage: Stage) -> Stage:
    """A real Registry, and a CP of a back end whose car has a card."""
    stage.start_registry()
    given = {"id": CP, "backend": "ws://127.0.0.1:9/{id}", "token": CARD}
    made = stage.ask(stage.registry_port, "/api/v1/cps", "POST", given, **stage.bearer())
    assert made.json["token"] == CARD
    wait_for(lambda: stage.get(f"/api/v1/cps/{CP}").status == 200, "web knows it")
    return stage


def test_no_route_tells_one(station: Stage) -> None:
    cookie, _ = station.sign_in()
    web = [path for path in test_login_auth.READING if path != EVENTS]
    for path in web:
        for given in ({}, {"Cookie": cookie}):
            assert CARD.encode() not in station.get(path, **given).body, path
    for path in test_registry_login.READING:
        assert CARD.encode() not in station.ask(station.registry_port, path).body, path


@pytest.mark.parametrize("path", ["/api/v1/cps", f"/api/v1/cps/{CP}"])
def test_the_registry_tells_the_operator(station: Stage, path: str) -> None:
    assert CARD in str(station.ask(station.registry_port, path, **station.bearer()).json)


@contextmanager
def heard(stage: Stage, **headers: str) -> Iterator[bytearray]:
    """What a stream of the CP's messages brings."""
    found = bytearray()
    connection = http.client.HTTPConnection("127.0.0.1", stage.web_port, timeout=WITHIN_S)
    with closing(connection):
        connection.request("GET", f"{EVENTS}?cp={CP}", headers=headers)
        answer = connection.getresponse()
        ended = threading.Event()

        def read() -> None:
            while not ended.is_set() and (part := answer.read1()):
                found.extend(part)

        reader = threading.Thread(target=read)
        reader.start()
        yield found
        ended.set()  # a heartbeat comes within seconds
        reader.join()


def test_no_stream_tells_one(station: Stage) -> None:
    said: list[m.Message] = [
        m.Command(CP, "present", "1", tag=CARD),
        m.Reply(CP, "2", True, None, {"frames": [{"dir": "out", "frame": CARD}]}),
        m.Command(CP, "plug", MARK),
    ]
    cookie, _ = station.sign_in()
    central = station.voice("central")
    with (
        heard(station) as anybody,
        heard(station, Cookie=cookie) as with_cookie,
        heard(station, **station.bearer()) as operator,
    ):
        wait_for(
            lambda: all(central.publish(one) for one in said) and operator.count(b"frames") > 1,
            "the operator hears all",
        )
        assert CARD.encode() in operator
        for other in (anybody, with_cookie):
            wait_for(partial(other.count, MARK.encode()), "it hears the rest")
            assert b"present" in other
            assert CARD.encode() not in other
            assert b"frames" not in other


def test_what_all_may_see_is_a_field_of_its_message() -> None:
    for kind, keys in shown.FOR_ALL.items():
        assert keys <= set(kind._fields), kind  # type: ignore[attr-defined]
    assert m.StationFrame not in shown.FOR_ALL
