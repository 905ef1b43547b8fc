"""What the audit says of a CP's record that changes."""

from __future__ import annotations

from typing import Any

import pytest

from evcs.core.audit import change, record
from evcs.core.messages import DesiredCp

CP = DesiredCp("CP-1", "CP-1", "in", "0.30", 22_000, "", "main", False, False, 1)


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("edit", {"price_eur_kwh": "0.41"}),
        ("edit", {"price_eur_kwh": "0.41", "service": "out"}),
        ("stop", {"service": "out"}),
        ("revoke", {"revoked": True}),
        ("revoke", {"revoked": True, "location": "x"}),
        ("delete", {"deleted": True}),
        ("rekey", {}),
    ],
)
def test_the_verb_follows_from_what_changed(verb: str, fields: dict[str, Any]) -> None:
    found = change(record(CP), CP._replace(revision=2, **fields))
    assert found is not None
    assert found.verb == verb
    for name, value in fields.items():
        assert f"{name} {getattr(CP, name)!a} -> {value!a}" in found.detail
    assert found.detail.endswith("revision 2")


def test_back_again() -> None:
    out, revoked = CP._replace(service="out"), CP._replace(revoked=True)
    assert change(record(out), CP._replace(revision=2)) == (
        "resume", "service 'out' -> 'in', revision 2",
    )  # fmt: skip
    assert change(record(revoked), CP._replace(revision=2)) == (
        "rekey", "revoked True -> False, revision 2",
    )  # fmt: skip


def test_the_first_and_the_same() -> None:
    assert change(None, CP) == ("create", "revision 1")
    assert change(None, CP._replace(deleted=True)) == ("delete", "revision 1")
    assert change(record(CP), CP) is None


def test_a_long_text_of_others_is_cut_and_steers_no_terminal() -> None:
    found = change(record(CP), CP._replace(location="\x1b[31m" + "x" * 200, revision=2))
    assert found is not None
    assert len(found.detail) < 120
    assert found.detail.isprintable()
