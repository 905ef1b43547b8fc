"""Chargers that tell late, twice, wrongly, or of what nobody knows."""

from __future__ import annotations

import os
import signal

import pytest
from ocpp.exceptions import InternalError

from tests.ocpp.conftest import CARD, Site, charger, listens
from tests.ocpp.fleet import Charger, Dial, Fleet, Refused
from tests.ocpp.peers import now
from tests.system_under_test import eventually


def test_an_hour_offline_with_three_charges(site: Site) -> None:
    with site.peer16() as charger:
        for number, (tag, ago) in enumerate(((CARD, 3_600), ("NOBODY", 2_400), (CARD, 1_200))):
            at, register = now(ago), 10_000 + 1_000 * number
            begun = charger.begin(tag, register, at=at)
            charger.end(begun.transaction_id, register + 400, at=now(ago - 600))
        tickets = site.tickets(3)
    assert [row["energy_wh"] for row in tickets] == [400] * 3
    assert [row["driver"] for row in tickets] == ["ALICE", None, "ALICE"]
    assert {row["state"] for row in tickets} == {"settled"}
    # By the charger's times, not by those of the connection.
    assert str(tickets[-1]["started_at"])[:16] <= now(3_500)[:16]
    assert tickets == sorted(tickets, key=lambda row: str(row["started_at"]), reverse=True)


def test_an_hour_offline_with_201_whose_updates_are_lost(site: Site) -> None:
    with site.peer201() as charger:
        charger.event("Started", "late", "Authorized", 500, CARD, at=now(3_000), offline=True)
        charger.event("Ended", "late", "EVDeparted", 900, at=now(2_000), offline=True)
        (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 400)


def test_a_charge_that_began_offline_and_goes_on_is_the_live_one(site: Site) -> None:
    with site.peer16() as charger:
        begun = charger.begin(CARD, 0, at=now(1_800))
        charger.meter(begun.transaction_id, 2_000, 7_400)
        site.until("SUPPLYING")
        charger.end(begun.transaction_id, 2_500)
        (ticket,) = site.tickets()
    assert ticket["energy_wh"] == 2_500


@pytest.mark.parametrize("at", ["1970-01-01T00:01:00Z", "2001-01-01T00:00:00+05:00"])
def test_a_clock_that_was_never_set_harms_no_energy(site: Site, at: str) -> None:
    with site.peer16() as charger:
        begun = charger.begin(CARD, 700, at=at)
        charger.end(begun.transaction_id, 900, at=at)
        (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 200)
    assert str(ticket["started_at"])[:13] == now()[:13]


def test_registers_that_jump_and_fall(site: Site) -> None:
    with site.peer16() as charger:
        begun = charger.begin(CARD, 4_076_000)
        for register in (4_076_300, 900_000_000, 12, 4_076_200):
            charger.meter(begun.transaction_id, register, 7_400)
        nobody = {"connector_id": 1, "transaction_id": begun.transaction_id + 99}
        samples = [{"timestamp": now(), "sampled_value": [{"value": "4076900"}]}]
        charger.call("MeterValues", meter_value=samples, **nobody)
        charger.end(begun.transaction_id, 900_000_000)
        (ticket,) = site.tickets()
    assert ticket["energy_wh"] == 300, "the last reading that could be"
    log = site.system.ok("evcs-cp", "logs", site.cp).out
    assert "register_wh=900000000 can't be; refused=4" in log


def test_each_measurand_by_itself(site: Site) -> None:
    """Each in a MeterValue of its own, of one moment; the register comes first."""

    def values(register_wh: int, at: str) -> list[dict[str, object]]:
        told = ({"value": register_wh}, {"value": 7_000, "measurand": "Power.Active.Import"},
                {"value": 55, "measurand": "SoC"})  # fmt: skip
        return [{"timestamp": at, "sampled_value": [one]} for one in told]

    with site.peer201() as charger:
        for seq, (kind, register) in enumerate(
            (("Started", 1_000), ("Updated", 1_200), ("Ended", 1_500))
        ):
            charger.call(
                "TransactionEvent", event_type=kind, timestamp=now(), trigger_reason="Authorized",
                seq_no=seq, transaction_info={"transaction_id": "tx"},
                evse={"id": 1, "connector_id": 1}, meter_value=values(register, now()),
                **({"id_token": {"id_token": CARD, "type": "ISO14443"}} if seq == 0 else {}),
            )  # fmt: skip
        (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 500)


def test_an_end_of_another_charger_s_charge_is_nobody_s(site: Site) -> None:
    other = charger(site.system)
    with site.peer16() as mine, other.peer16() as theirs:
        begun = theirs.begin(CARD, 0)
        mine.end(begun.transaction_id, 500)
        theirs.end(begun.transaction_id, 200)
        (ticket,) = other.tickets()
    assert ticket["energy_wh"] == 200
    assert site.system.ok("evcs", "sessions", "--cp", site.cp, "--json").json == []


def test_an_end_that_is_told_before_its_begin(site: Site) -> None:
    with site.peer201() as peer:
        peer.event("Ended", "tx", "EVDeparted", 900, at=now(5))
        site.tickets()
        answer = peer.event("Started", "tx", "Authorized", 500, CARD, at=now(60))
        assert answer.id_token_info["status"] in ("Accepted", "Invalid")
        (ticket,) = site.system.ok("evcs", "sessions", "--cp", site.cp, "--json").json
    assert ticket["energy_wh"] == 0, "of what has no begin nothing is known"
    assert ticket["state"] == "settled"


@pytest.mark.parametrize("hours", [2, -2])
def test_local_time_told_as_utc_harms_no_energy(site: Site, hours: int) -> None:
    """And an hour back in the charge, as in autumn."""
    with site.peer16() as peer:
        begun = peer.begin(CARD, 1_000, at=now(-3_600 * hours))
        peer.end(begun.transaction_id, 1_700, at=now(-3_600 * (hours - 1)))
        (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 700)
    assert str(ticket["started_at"]) <= now(-1)


def test_a_charge_by_a_clock_that_is_behind_is_the_live_one(site: Site) -> None:
    with site.peer16() as peer:
        begun = peer.begin(CARD, 1_000, at=now(7_200))
        peer.meter(begun.transaction_id, 1_100, 7_400, at=now(7_200))
        site.until("SUPPLYING")
        peer.end(begun.transaction_id, 1_300, at=now(7_200))
        site.tickets()
        # Now it is known how far its clock is off.
        begun = peer.begin(CARD, 1_300, at=now(7_200))
        site.until("SUPPLYING")
        peer.end(begun.transaction_id, 1_500, at=now(7_200))
        tickets = site.tickets(2)
    assert [row["energy_wh"] for row in tickets] == [200, 300]
    assert str(tickets[0]["started_at"])[:13] in (now()[:13], now(60)[:13])


@pytest.mark.parametrize("number", [-1, 0])
def test_an_end_of_a_start_that_was_never_answered(site: Site, number: int) -> None:
    with site.peer16() as charger:
        charger.begin(CARD, 0)
        charger.meter(number, 100, 7_400)
        site.until("SUPPLYING")
        charger.meter(number, 140, 7_400, connector=2)
        charger.end(number, 130)
        (ticket,) = site.tickets()
        assert ticket["energy_wh"] == 130
        charger.end(number, 150)
        charger.end(2**31 - 1, 9_000)
        assert len(site.tickets()) == 1
    eventually("it is audited", lambda: any(
        row["what"] == "transaction" and row["who"] == f"station/{site.cp}"
        for row in site.system.ok("evcs", "audit", "--json").json
    ))  # fmt: skip


def test_an_end_that_breaks_its_schema_is_an_error_and_its_energy_counts(site: Site) -> None:
    url, user, password = site.dial()

    async def charge(charger: Charger) -> None:
        await charger.begin()
        number = charger.transaction
        for _ in range(2):
            with pytest.raises(Refused, match="PropertyConstraintViolation"):
                await charger.call(
                    "StopTransaction", transactionId=number, meterStop=250, timestamp=now(),
                    reason="Bored",
                )  # fmt: skip

    with Fleet([Dial(url, user, password, CARD)]) as fleet:
        fleet.each(charge)
        (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 250)


@pytest.mark.parametrize(
    "tag", ["a/b", "#", "+", "evcs/v1/#", "<b>x</b>", "../../x", "ü" * 20, " ", "x\ty"]
)
def test_a_card_is_no_topic_no_path_and_no_markup(site: Site, tag: str) -> None:
    with site.peer16() as charger:
        assert charger.authorize(tag) == "Invalid"
        begun = charger.begin(tag, 0)
        assert begun.id_tag_info["status"] == "Invalid"
        charger.end(begun.transaction_id, 30, "DeAuthorized")
        (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"], ticket["reason"]) == (None, 30, "unauthorised")


FORGED = "x\n2026-11-30T00:00:00.000Z ERROR central <b>forged</b>"


def test_what_a_charger_writes_is_no_log_line_no_file_and_no_topic(site: Site) -> None:
    system = site.system
    url, user, password = site.dial()

    async def write(charger: Charger) -> None:
        boot = {"chargePointModel": "<i>M</i>\n", "chargePointVendor": "../../#/+"}
        await charger.call("BootNotification", **boot, firmwareVersion=FORGED[:50])
        with pytest.raises(Refused, match="PropertyConstraintViolation"):
            await charger.call("BootNotification", **boot | {"chargePointModel": "M" * 1_000})
        for action, fields in ((FORGED, {}), ("Heartbeat", {FORGED: 1}), ("\n" * 500, {})):
            with pytest.raises(Refused):
                await charger.call(action, **fields)
        await charger.call("SecurityEventNotification", type=FORGED[:50], timestamp=now(),
                           techInfo=FORGED)  # fmt: skip
        await charger.call("StopTransaction", transactionId=7, meterStop=1, timestamp=now())
        await charger.call(
            "StatusNotification", connectorId=1, errorCode="OtherError", status="Faulted",
            info=FORGED[:50], vendorErrorCode="<u>\n/#",
        )  # fmt: skip

    files = {path for path in system.home.rglob("*") if "journals" not in path.parts}
    with Fleet([Dial(url, user, password, CARD)]) as fleet:
        eventually("it is there", lambda: fleet.chargers[0].boots)
        topics = set(system.retained())
        fleet.each(write)
        site.until("BROKEN_DOWN")
        row = system.ok("evcs-cp", "show", site.cp, "--json").json
        assert row["reason"].isprintable()
        assert set(system.retained()) == topics
        entries = system.ok("evcs", "audit", "--json").json
    assert all(str(value).isprintable() for one in entries for value in one.values())
    for log in (system.home / "log").glob("*.log"):
        for line in log.read_text().splitlines():
            assert "ERROR central" not in line.partition(" ")[2][:14], (log, line)
    made = {path for path in system.home.rglob("*") if "journals" not in path.parts} - files
    assert [path for path in made if "x" in path.name and "forged" in path.name] == []
    assert not list(system.home.parent.glob("#*"))


def test_a_charge_that_can_t_be_numbered_is_told_again_and_hears_no_path(site: Site) -> None:
    system = site.system
    number = system.home / "data" / "transaction_number"
    number.unlink(missing_ok=True)
    number.mkdir()
    pid = system.processes()["_ocpp:gateway"]
    os.kill(pid, signal.SIGKILL)
    eventually("the next gateway", lambda: system.processes().get("_ocpp:gateway", pid) != pid)
    eventually("it listens", lambda: listens(system.ocpp_port))
    with site.peer16() as peer:
        with pytest.raises(InternalError) as refused:
            peer.begin(CARD, 0)
        assert "try again later" in refused.value.description
        assert "/" not in refused.value.description
        number.rmdir()
        begun = peer.begin(CARD, 0)
        peer.end(begun.transaction_id, 10)
        site.tickets()


def test_a_driver_who_charges_elsewhere_is_told_so(site: Site) -> None:
    system = site.system
    system.ok("evcs-cp", "create", f"{site.cp}-B", "--hosting", "ocpp", "--station", site.cp,
              "--connector", "2")  # fmt: skip
    with site.peer16() as charger:
        first = charger.begin(CARD, 0)
        assert first.id_tag_info["status"] == "Accepted"
        second = charger.begin(CARD, 0, connector=2)
        assert second.id_tag_info["status"] == "ConcurrentTx"
        charger.end(first.transaction_id, 10)
        charger.end(second.transaction_id, 0, "DeAuthorized")
        site.tickets()


def test_a_charger_that_turned_a_card_down_does_not_bind_its_driver(site: Site) -> None:
    other = charger(site.system)
    with site.peer16() as mine:
        first = mine.begin(CARD, 0)
        with other.peer16() as theirs:
            assert theirs.begin(CARD, 0).id_tag_info["status"] == "ConcurrentTx"
        mine.end(first.transaction_id, 10)
        site.tickets()
        again = mine.begin(CARD, 10)
        assert again.id_tag_info["status"] == "Accepted", "theirs is away, and was no charge of his"
        mine.end(again.transaction_id, 20)
        site.tickets(2)


def test_a_connector_that_is_no_cp_charges_nobody(site: Site) -> None:
    with site.peer16() as charger:
        begun = charger.begin(CARD, 0, connector=7)
        assert begun.id_tag_info["status"] == "Invalid"
        charger.end(begun.transaction_id, 10)
        charger.status("Available", connector=7)
    assert site.system.ok("evcs", "sessions", "--cp", site.cp, "--json").json == []


def test_a_connector_that_becomes_a_cp_is_what_its_charger_said_of_it(site: Site) -> None:
    with site.peer16() as charger:
        charger.status("Faulted", connector=2, error="GroundFailure")
        left = f"{site.cp}-B"
        site.system.ok("evcs-cp", "create", left, "--hosting", "ocpp", "--station", site.cp,
                       "--connector", "2")  # fmt: skip
        site._replace(cp=left).until("BROKEN_DOWN")
        assert 2 not in [one.get("connector_id") for one in charger.told("TriggerMessage")]


def test_revoked_while_it_charges(site: Site) -> None:
    with site.peer16() as charger:
        begun = charger.begin(CARD, 0)
        charger.meter(begun.transaction_id, 100, 7_400)
        site.until("SUPPLYING")
        site.system.ok("evcs-cp", "revoke", site.cp)
        (told,) = eventually("it is told", lambda: charger.told("RemoteStopTransaction"))
        assert told["transaction_id"] == begun.transaction_id
        charger.end(begun.transaction_id, 200, "Remote")
        site.system.ok("evcs-cp", "rekey", site.cp)
        (ticket,) = site.tickets()
    assert (ticket["energy_wh"], ticket["reason"]) == (200, "revoked")


def test_the_newest_connection_is_the_charger(site: Site) -> None:
    with site.peer16() as old:
        old.status("Available")
        site.until("ACTIVATED")
        with site.peer16() as new:
            new.status("Available")
            assert new.authorize(CARD) == "Accepted"
            site.until("ACTIVATED")
        site.until("DISCONNECTED")


def test_central_away_for_a_while(site: Site) -> None:
    system = site.system
    with site.peer16() as charger:
        assert charger.authorize(CARD) == "Accepted"
        pid = system.processes()["central"]
        os.kill(pid, signal.SIGSTOP)
        try:
            beginning = charger.later(lambda: charger.begin(CARD, 0))
        finally:
            os.kill(pid, signal.SIGKILL)
        begun = beginning.result(60)
        assert begun.id_tag_info["status"] == "Accepted"
        charger.end(begun.transaction_id, 220)
        (ticket,) = site.tickets()
    assert (ticket["driver"], ticket["energy_wh"]) == ("ALICE", 220)
