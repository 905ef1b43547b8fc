"""Chargers that have a station's password and mean harm."""

from __future__ import annotations

from tests.ocpp.conftest import Site, charger
from tests.ocpp.peers import Peer16, now
from tests.system_under_test import eventually


def test_a_session_s_id_is_a_card_for_that_session_alone(site: Site) -> None:
    rogue = charger(site.system)
    with site.peer16() as honest, rogue.peer16() as other:
        site.ready(honest)
        rogue.ready(other)
        site.charge()
        (told,) = honest.told("RemoteStartTransaction")
        session = told["id_tag"]
        # While it is wanted, elsewhere.
        assert_is_no_card(other, session, 0)
        assert honest.authorize(session) == "Accepted"
        begun = honest.begin(session, 0)
        assert begun.id_tag_info["status"] == "Accepted"
        assert_is_no_card(other, session, 1)
        assert honest.authorize(session) == "Accepted", "it ends its charge, too"
        honest.end(begun.transaction_id, 100)
        (ticket,) = site.tickets()
        assert (ticket["session_id"], ticket["driver"]) == (session, "ALICE")
        # And when it is over.
        assert_is_no_card(other, session, 2)
        assert_is_no_card(honest, session, 2)
    assert {row["driver"] for row in rogue.tickets(3)} == {None}
    assert [row["driver"] for row in site.tickets(2)] == [None, "ALICE"]


def assert_is_no_card(charger: Peer16, tag: str, register: int) -> None:
    assert charger.authorize(tag) == "Invalid"
    begun = charger.begin(tag, register)
    assert begun.id_tag_info["status"] == "Invalid"
    charger.end(begun.transaction_id, register + 30, "DeAuthorized")


def test_what_a_station_notices_without_end_is_few_entries_and_a_number(site: Site) -> None:
    with site.peer16() as peer:
        for number in range(150):
            peer.call("SecurityEventNotification", type=f"T{number}", timestamp=now(),
                      tech_info="")  # fmt: skip
            peer.end(2**31 - 1 - number, 10)

    def entries() -> list[str]:
        rows = site.system.ok("evcs", "audit", "--json").json
        return [row["detail"] for row in rows if row["who"] == f"station/{site.cp}"]

    eventually("the number is told", lambda: any(" more" in one for one in entries()))
    assert 100 <= len(entries()) <= 110
