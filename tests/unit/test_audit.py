"""What the Registry has for the audit: each change as it was made, also of one batch."""

from __future__ import annotations

from typing import Any

import pytest

from evcs.core.audit import Change, changed
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
    ("verb", "fields"),
    [
        ("edit", {"price_eur_kwh": "0.41"}),
        ("edit", {"price_eur_kwh": "0.41", "service": "out"}),
        ("stop", {"service": "out"}),
    ],
)
def test_an_edit_names_each_field(verb: str, fields: dict[str, Any]) -> None:
    (found,) = made((Batch.edit, "CP-1", fields))
    assert (found.who, found.what, found.cp) == ("operator", verb, "CP-1")
    for name, value in fields.items():
        assert f"{name} {getattr(CP, name)!a} -> {value!a}" in found.detail
    assert found.detail.endswith("revision 2")


def test_there_and_back_is_two_changes() -> None:
    price = "price_eur_kwh"
    assert made((Batch.edit, "CP-1", {price: "0.99"}), (Batch.edit, "CP-1", {price: "0.30"})) == [
        Change("operator", "edit", "CP-1", "price_eur_kwh '0.30' -> '0.99', revision 2"),
        Change("operator", "edit", "CP-1", "price_eur_kwh '0.99' -> '0.30', revision 3"),
    ]
    assert made((Batch.revoke, "CP-1"), (Batch.rekey, "CP-1")) == [
        Change("operator", "revoke", "CP-1", "revoked False -> True, revision 2"),
        Change("operator", "rekey", "CP-1", "revoked True -> False, revision 3"),
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
        Change("operator", "delete", "CP-2", "deleted False -> True, revision 3"),
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
    found = changed("edit", CP, CP._replace(location="\x1b[31m" + "x" * 200, revision=2))
    assert len(found.detail) < 120
    assert found.detail.isprintable()
