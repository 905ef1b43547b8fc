"""What the Registry has for the audit: each change as it was made, also of one batch."""

from __future__ import annotations

from typing import Any

import pytest

from evcs.core.audit import Change, changed, names, operator
from evcs.core.hosts import Hosts
from evcs.core.messages import DesiredCp, DesiredDriver, ReconcileReport
from evcs.services.registry import drivers
from evcs.services.registry.changes import Batch, Stamp

CP = DesiredCp("CP-1", "CP-1", "in", "0.30", 22_000, "", "main", False, False, 1)
PLACES = Hosts("main", {})
STAMP = Stamp("2026-11-22T09:00:00.000Z", lambda: "token")


def made(*asked: tuple[Any, ...], cp: DesiredCp = CP) -> list[Change]:
    """What a batch tells."""
    batch = Batch({cp.id: cp}, {"BERT": DesiredDriver("BERT", "BERT")}, {}, 1, PLACES, STAMP)
    for change, *args in asked:
        change(batch, *args)
    assert (batch.revision == 1) == (not batch.made), "each commit has a number of its own"
    return batch.made


@pytest.mark.parametrize(
    ("verb", "fields", "said"),
    [
        ("edit", {"price_eur_kwh": "0.41"}, "price 0.30 -> 0.41 EUR/kWh"),
        ("edit", {"price_eur_kwh": "0.41", "service": "out"},
         "service in -> out, price 0.30 -> 0.41 EUR/kWh"),
        ("edit", {"max_power_w": 7_400}, "power 22 -> 7.4 kW"),
        ("edit", {"location": "Car park, 'B'"}, "location '' -> \"Car park, 'B'\""),
        ("edit", {"location": "S\u00fcd"}, "location '' -> 'S\u00fcd'"),
        ("edit", {"hosting": "pool"}, "hosting process -> pool, pool none -> 1"),
        ("stop", {"service": "out"}, ""),
    ],
)  # fmt: skip
def test_an_edit_names_each_field(verb: str, fields: dict[str, Any], said: str) -> None:
    (found,) = made((Batch.edit, "CP-1", fields))
    assert (found.who, found.what, found.cp) == ("operator", verb, "CP-1")
    assert found.detail == f"{said}, revision 2".removeprefix(", ")


@pytest.mark.parametrize(
    ("said", "who"),
    [
        ("operator/alice", "operator/alice"),
        ("web/2001:db8::7", "web/2001:db8::7"),
        ("web/fe80::7%eth0", "web/fe80::7%eth0"),
        ("", "operator/192.0.2.7"),
        ("central", "operator/192.0.2.7"),
        ("driver/ALICE", "operator/192.0.2.7"),
        ("operator/a b", "operator/192.0.2.7"),
        ("operator/" + "x" * 65, "operator/192.0.2.7"),
        ("operator/x\n", "operator/192.0.2.7"),
    ],
)
def test_who_uses_the_token_is_as_said_in_a_form_that_is_no_others(said: str, who: str) -> None:
    assert operator(said, "192.0.2.7") == who


def test_each_change_is_of_who_asks_for_it() -> None:
    batch = Batch({"CP-1": CP}, {}, {}, 1, PLACES, STAMP)
    for who in ("operator/alice", "web/192.0.2.7"):
        batch.who = who
        batch.rekey("CP-1")
        drivers.add(batch, {"id": who[:3]})
    assert [one.who for one in batch.made] == ["operator/alice"] * 2 + ["web/192.0.2.7"] * 2


def test_of_a_card_so_much_is_told_that_its_owner_knows_it() -> None:
    bert = (drivers.tag, "BERT")
    found = made((*bert, {"add_tags": ["04A224D2"]}), (*bert, {"remove_tags": ["04a224d2"]}))
    assert [(one.detail, one.outcome) for one in found] == [
        ("BERT", "04...D2 added"), ("BERT", "04...D2 removed"),
    ]  # fmt: skip
    assert names(found[0].entry(STAMP.at), "BERT"), "so that he can be forgotten"


def test_there_and_back_is_two_changes() -> None:
    price = "price_eur_kwh"
    assert made((Batch.edit, "CP-1", {price: "0.99"}), (Batch.edit, "CP-1", {price: "0.30"})) == [
        Change("operator", "edit", "CP-1", "price 0.30 -> 0.99 EUR/kWh, revision 2"),
        Change("operator", "edit", "CP-1", "price 0.99 -> 0.30 EUR/kWh, revision 3"),
    ]
    assert made((Batch.revoke, "CP-1"), (Batch.rekey, "CP-1")) == [
        Change("operator", "revoke", "CP-1", "revision 2"),
        Change("operator", "rekey", "CP-1", "revision 3"),
    ]
    out = CP._replace(service="out")
    assert [one.what for one in made((Batch.edit, "CP-1", {"service": "in"}), cp=out)] == ["resume"]


def test_new_secrets_are_in_no_field() -> None:
    assert made((Batch.rekey, "CP-1")) == [Change("operator", "rekey", "CP-1", "revision 2")]


def test_come_and_gone() -> None:
    assert made(
        (Batch.create, {"id": "CP-2"}),
        (Batch.delete, "CP-2"),
        (Batch.released, ReconcileReport("main", "CP-2", True, 3, released="token")),
    ) == [
        Change("operator", "create", "CP-2", "revision 2"),
        Change("operator", "delete", "CP-2", "revision 3"),
        Change("registry", "deleted", "CP-2"),
    ]
    assert made((drivers.add, {"id": "ALICE"}), (drivers.remove, "BERT")) == [
        Change("operator", "driver add", None, "ALICE"),
        Change("operator", "driver remove", None, "BERT"),
    ]


def test_what_changes_nothing_is_no_change() -> None:
    assert made((Batch.edit, "CP-1", {"price_eur_kwh": "0.30"})) == []
    assert made((Batch.revoke, "CP-1"), cp=CP._replace(revoked=True)) == []
    assert made((Batch.delete, "CP-1"), cp=CP._replace(deleted=True)) == []
    nowhere = CP._replace(deleted=True, host="h9")
    once = [Change("registry", "deleted", "CP-1")]
    assert made((Batch.delete, "CP-1"), (Batch.finish_elsewhere,), cp=nowhere) == once


def test_a_long_text_of_others_is_cut_and_steers_no_terminal() -> None:
    found = changed(
        "operator", "edit", CP, CP._replace(location="\x1b[31m" + "x" * 200, revision=2)
    )
    assert len(found.detail) < 120
    assert found.detail.isprintable()
