"""A message as a line: who, of what, what changed."""

from __future__ import annotations

import pytest

from evcs.core import topics
from evcs.core.bus_line import concerns, describe, flat, speaker

P = topics.PREFIX


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("cp/CP-001/engine/meter", ("CP-001 engine", "meter")),
        ("central/cp/CP-001/state", ("central", "CP-001 state")),
        ("central/cp/CP-001/engine/cmd", ("central", "CP-001 engine cmd")),
        ("central/driver/ALICE/event", ("central", "ALICE event")),
        ("central/operator/event", ("central", "operator event")),
        ("central/summary", ("central", "summary")),
        ("driver/ALICE/request", ("driver ALICE", "request")),
        ("manager/main/cp/CP-001", ("manager/main", "CP-001")),
        ("manager/main/status", ("manager/main", "status")),
        ("registry/cp/CP-001", ("registry", "CP-001")),
        ("registry/status", ("registry", "status")),
        ("gateway/main/station/S/status", ("gateway/main", "S status")),
        ("odd", ("odd", "")),
        ("cp", ("cp", "")),
    ],
)
def test_speaker(topic: str, expected: tuple[str, str]) -> None:
    assert speaker(P + topic) == expected


def test_only_what_differs() -> None:
    first = {"state": "ACTIVATED", "reason": "", "session": None, "ts": "2026"}
    line = describe(P + "central/cp/A/state", first, {})
    assert line.changed == 'state=ACTIVATED reason="" session=null'
    second = {"state": "SUPPLYING", "reason": "", "session": {"energy_wh": 5}, "ts": "2027"}
    line = describe(P + "central/cp/A/state", second, flat(first))
    assert line.changed == "state=SUPPLYING session.energy_wh=5 session="
    assert describe(P + "x", first, flat(first)).changed == ""
    assert describe(P + "x", None, flat(first)).changed == "taken away"
    assert describe(P + "x", {"event": "progress", "a": 1}, {"event": "progress", "a": "1"}) == (
        "x", "", "event=progress",
    )  # fmt: skip


def test_of_a_cp() -> None:
    assert concerns(P + "cp/A/engine/meter", None, "A")
    assert concerns(P + "manager/main/cp/A", {}, "A")
    assert concerns(P + "driver/D/request", {"cp": "A"}, "A")
    assert not concerns(P + "cp/B/engine/meter", {"cp": "A"}, "A")
    assert not concerns(P + "central/summary", {}, "A")
    assert not concerns(P + "x/cp", None, "A")
