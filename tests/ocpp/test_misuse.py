"""Chargers that have a station's password and mean harm."""

from __future__ import annotations

import json

from evcs.core.bounded_entries import AT_ONCE
from evcs.core.ocpp.room import FIRST_WH, SLACK_WH
from tests.ocpp.conftest import CARD, Site, charger
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


def test_cards_are_read_by_the_operator_alone(site: Site) -> None:
    system = site.system
    url = f"{system.registry_url}/api/v1/drivers"
    assert CARD.upper() not in str(system.http("GET", url))
    assert CARD.upper() in str(system.http("GET", url, token=system.token))
    with site.peer16() as peer:
        begun = peer.begin(CARD, 0)
        peer.end(begun.transaction_id, 10)
        site.tickets()
    told = [path.read_text() for path in (system.home / "log").glob("*")]
    assert any("tag=" in text for text in told)
    assert not any(CARD in text.lower() for text in told)


def test_a_charger_s_key_is_set_by_rekey_alone(site: Site) -> None:
    system = site.system
    with site.peer16() as peer, system.listening("evcs/#") as heard:
        site.ready(peer)
        given = "key=AuthorizationKey", "value=S3CRET"
        for words in (("ocpp", site.cp, "ChangeConfiguration", *given),
                      ("configuration", site.cp, "set", "AuthorizationKey", "S3CRET")):  # fmt: skip
            told = system.run("evcs-cp", *words)
            assert told.code == 2
            assert f"evcs-cp rekey {site.cp}" in told.err
        assert peer.told("ChangeConfiguration") == []
    assert "S3CRET" not in str(heard)


def test_what_a_charger_answers_is_printed_line_by_line(site: Site) -> None:
    with site.peer16() as peer:
        site.ready(peer)
        told = site.system.ok("evcs-cp", "configuration", site.cp, "get", "ConnectionTimeOut")
    assert "?" not in told.out
    assert json.loads(told.out)["configurationKey"][0]["value"] == "5"


def test_charges_of_years_ago_are_a_driver_s_only_as_far_as_they_can_have_been(site: Site) -> None:
    with site.peer16() as peer:
        for year in (2024, 2025, 2026):
            begun = peer.begin(CARD, 0, at=f"2021-01-01T00:00:{year - 2000}Z")
            peer.end(begun.transaction_id, 999_999, at=f"{year}-01-01T00:00:00Z")
        tickets = site.tickets(6)
    hers = [row["energy_wh"] for row in tickets if row["driver"] == "ALICE"]
    assert len(hers) == 3
    assert sum(int(str(wh)) for wh in hers) <= FIRST_WH + 2 * SLACK_WH
    assert sum(int(str(row["energy_wh"])) for row in tickets) == 3 * 999_999, "none is lost"
    assert min(str(row["started_at"]) for row in tickets) >= now(2 * 86_400)
    assert {row["reason"] for row in tickets if row["driver"] is None} == {"unauthorised"}


def test_an_end_without_a_number_ends_no_charge_that_the_charger_has_named(site: Site) -> None:
    second = f"{site.cp}-2"
    site.system.ok("evcs-cp", "create", second, "--hosting", "ocpp", "--station", site.cp,
                   "--connector", "2")  # fmt: skip
    with site.peer16() as peer:
        site.ready(peer)
        begun = peer.begin(CARD, 0, connector=2)
        peer.meter(begun.transaction_id, 50, 7_400, connector=2)
        peer.end(-1, 500)
        peer.end(begun.transaction_id, 800)
        (ticket,) = Site(site.system, second).tickets()
    assert ticket["energy_wh"] == 800


def test_a_cp_whose_charger_vanished_in_a_charge_is_deleted(site: Site) -> None:
    with site.peer16() as peer:
        begun = peer.begin(CARD, 0)
        peer.meter(begun.transaction_id, 120, 7_400)
        site.until("SUPPLYING")
    site.system.ok("evcs-cp", "delete", site.cp, "--yes", "--timeout", "110")
    (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 120)
    assert site.cp not in [cp["id"] for cp in site.system.cps()]


def test_cards_that_are_guessed_are_counted_and_soon_told_nothing(site: Site) -> None:
    with site.peer16() as peer:
        site.ready(peer)
        assert peer.authorize(CARD) == "Accepted"
        answers = [peer.authorize(f"GUESS-{number}") for number in range(int(AT_ONCE) + 40)]
        assert set(answers) == {"Invalid"}
        assert peer.authorize(CARD) == "Invalid", "nor does it learn that this one is good"
        assert_is_no_card(peer, CARD, 0)
        begun = peer.begin(CARD, 30, at=now(3_600))
        assert begun.id_tag_info["status"] == "Invalid", "nor of a charge while it was offline"
        peer.end(begun.transaction_id, 90, at=now(3_500))
    drivers = {row["driver"] for row in site.tickets(2)}
    assert drivers == {None, "ALICE"}, "which is hers all the same"
    other = charger(site.system)
    with other.peer16() as peer:
        assert peer.authorize(CARD) == "Accepted", "other chargers go on"

    def audited() -> list[dict[str, object]]:
        rows = site.system.ok("evcs", "audit", "--json").json
        asked = ("authorise", "charge")
        return [row for row in rows if row["what"] in asked and row["cp"] == site.cp]

    rows = eventually("the first and a number", lambda: [
        row for row in audited() if "more" in str(row["detail"])
    ])  # fmt: skip
    assert AT_ONCE <= len(audited()) < AT_ONCE + 30, rows
    assert not any("GUESS" in str(row) for row in audited())


def test_a_charge_that_begins_anew_by_the_session_s_id_has_a_ticket_of_its_own(
    site: Site,
) -> None:  # fmt: skip
    with site.peer16() as peer:
        site.ready(peer)
        site.charge()
        (told,) = eventually("it is told to start", lambda: peer.told("RemoteStartTransaction"))
        first = peer.begin(told["id_tag"], 1_000)
        peer.meter(first.transaction_id, 1_500, 7_400)
        site.until("SUPPLYING")
        again = peer.begin(told["id_tag"], 1_500, at=now(-1.0))
        assert (first.id_tag_info["status"], again.id_tag_info["status"]) == ("Accepted",) * 2
        peer.end(again.transaction_id, 1_800)
        tickets = site.tickets(2)
    assert [row["energy_wh"] for row in tickets] == [300, 500]
    assert {row["driver"] for row in tickets} == {"ALICE"}


def test_a_charger_that_uses_a_transaction_s_name_again(site: Site) -> None:
    with site.peer201() as peer:
        site.ready(peer)
        for number, ago in enumerate((2.0, 0.0), 1):
            at, begin = now(ago), 1_000 * number
            for _ in range(2):  # told again
                told = peer.event("Started", "tx-1", "Authorized", begin, CARD, at=at)
                assert told.id_token_info["status"] == "Accepted"
            peer.event("Ended", "tx-1", "StopAuthorized", begin + 100 * number)
            site.tickets(number)
        at = now(-2.0)
        told = peer.event("Started", "tx-1", "Authorized", 3_000, "NOBODY", at=at)
        assert told.id_token_info["status"] == "Invalid"
        peer.event("Ended", "tx-1", "StopAuthorized", 3_010)
        tickets = site.tickets(3)
    assert sorted(int(str(row["energy_wh"])) for row in tickets) == [10, 100, 200]
