"""What a station of a back end tells Central and who asks: never more than Central reads."""

from __future__ import annotations

import json
import logging

import pytest

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.ocpp.back_end import BackOff
from evcs.core.ocpp.station import EmulatedStation
from evcs.core.ocpp.station_state import METER, StationState
from evcs.core.ocpp.station_tokens import Token
from evcs.core.ocpp.transactions import Held as Charges
from evcs.services.station import views
from evcs.services.station.books import Books
from evcs.services.station.link import BackEndLink
from tests.unit.fakes import FakeBus
from tests.unit.station_world import BEGAN, SCHEMAS, World

TEXT = "\N{CRESCENT MOON}" * 2_000


class Silent:
    """A back end that nothing reaches."""

    connected = True

    def send(self, text: str) -> bool:
        return bool(text)

    def close(self, code: int = 1000, reason: str = "") -> None:
        pass

    def set_ping(self, every_s: float) -> None:
        pass

    def set_password(self, password: bytes) -> None:
        pass

    def set_back_off(self, back_off: BackOff) -> None:
        pass


def test_however_much_waits_and_was_exchanged_the_answer_can_be_read() -> None:
    held = StationState("k")
    for number in range(200):
        held = held.put("StartTransaction", {}, number).put(METER, {"x": TEXT}, number)
    link = BackEndLink(Silent(), logging.getLogger("test"))
    link.send([TEXT] * 30)
    link.heard('[3,"last",{}]')
    found = views.exchanged(EmulatedStation(held, World.dialect, SCHEMAS, "b"), link)
    told = topics.encode(m.Reply("CP-1", "x" * 64, True, None, found), "2026-11-30T07:00:00Z")
    assert len(told.payload) <= topics.MAX_SAID
    assert found["frames"][-1] == {"dir": "in", "frame": '[3,"last",{}]'}
    assert sum(one["count"] for one in found["waiting"]) == len(held.queue)


@pytest.mark.parametrize("tag", ["A\nB", "A\0\0", "\N{ZERO WIDTH JOINER}X", "\x1b[2J"])
def test_a_card_that_is_not_printed_is_told_so_that_central_can_read_it(tag: str) -> None:
    bus = FakeBus()
    books = Books("CP-1", Charges(), bus)
    books.follow(StationState("k").begun(Token(tag), "2026-11-30T07:00:00Z"), None)
    books.untold = True
    books.tell(BEGAN)
    (asked,) = bus.said
    told = topics.encode(asked, asked.at)
    assert topics.decode(told.topic, told.payload) == asked
    assert "?" in asked.tag
    assert json.loads(told.payload)["tag"] == asked.tag
