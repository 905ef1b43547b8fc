"""What commands say of a CP that nothing brings back by itself, and of one that has no power."""

from __future__ import annotations

from typing import Any

import pytest

from evcs.cli.charge_view import both, limited, why
from evcs.core.cp_row import way_out

CP: dict[str, Any] = {
    "id": "CP-1", "state": "ACTIVATED", "reason": "", "service": "in", "revoked": False,
    "hosting": "process", "session": None, "backend_state": None, "circuit": "GARAGE",
    "max_power_w": 22_000,
}  # fmt: skip
BROKEN = {"state": "BROKEN_DOWN", "reason": "fault: cable"}
OUT = {"service": "out", "state": "OUT_OF_ORDER", "reason": "stopped by the operator"}


@pytest.mark.parametrize(
    ("cp", "hint"),
    [
        ({}, ""),
        ({"state": None, "reason": "Central has not told its state"}, ""),
        ({"state": "BROKEN_DOWN", "reason": "silent"}, ""),
        (BROKEN, "once it is mended: evcs-cp clear CP-1"),
        (BROKEN | {"hosting": "ocpp"}, ""),
        (OUT, "to have it back: evcs-cp resume CP-1"),
        (OUT | BROKEN, "once it is mended: evcs-cp clear CP-1; evcs-cp resume CP-1"),
        ({"revoked": True, "state": "DISCONNECTED", "reason": "revoked"},
         "to have it back: evcs-cp rekey CP-1"),
    ],
)  # fmt: skip
def test_the_operator_is_told_what_brings_it_back(cp: dict[str, Any], hint: str) -> None:
    assert way_out(CP | cp) == hint


def test_one_that_is_broken_down_and_stopped_says_both() -> None:
    cp = CP | OUT | BROKEN
    assert both(cp, why(cp)) == "fault: cable; stopped by the operator, too"
    for other in (CP | OUT, CP | BROKEN):
        assert both(other, why(other)) == other["reason"]


def test_no_power_is_not_off() -> None:
    assert (limited(0), limited(7_400)) == ("no power now; waiting for power", "7.4 kW")
    session = {"limit_w": 0, "wait_s": None}
    assert why(CP | {"session": session}) == "no power now in circuit GARAGE"
    assert why(CP | {"session": session | {"limit_w": 7_400}}) == "limit 7.4 kW of circuit GARAGE"
