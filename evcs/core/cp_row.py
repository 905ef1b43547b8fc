"""A CP as the contract's JSON has it, desired and judged together; what brings it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.charge_point import State, needs_a_hand
from evcs.core.messages import CpState
from evcs.core.placement import OCPP


class Word(NamedTuple):
    """Central's of a CP, or what stands in its place where it has told none."""

    state: str | None
    ocpp_status: str | None
    reason: str


def row(desired: Mapping[str, Any], judged: CpState | None, not_told: Word) -> dict[str, Any]:
    """A CP's row. `desired`: core.desired.to_json's."""
    word = not_told if judged is None else Word(judged.state, judged.ocpp_status, judged.reason)
    session = judged.session if judged else None
    return {
        **{name: value for name, value in desired.items() if name != "deleted"},
        "state": word.state,
        "ocpp_status": word.ocpp_status,
        "backend_state": judged.backend_state if judged else None,
        "reason": word.reason,
        "session": session._asdict() if session else None,
        "since": judged.since if judged else None,
    }


def stopped_too(cp: Mapping[str, Any]) -> str:
    """That a CP which is broken down is out of service, which its state does not say."""
    is_so = cp["service"] == "out" and cp["state"] == State.BROKEN_DOWN
    return "stopped by the operator, too" if is_so else ""


def way_out(cp: Mapping[str, Any]) -> str:
    """What the operator can do for a CP that nothing else brings back; empty for all others."""
    steps = []
    if cp["revoked"]:
        steps.append("rekey")
    elif cp["state"] and needs_a_hand(cp["state"], cp["reason"]) and cp["hosting"] != OCPP:
        steps.append("clear")
    if cp["service"] == "out":
        steps.append("resume")
    first = "once it is mended: " if "clear" in steps else "to have it back: "
    return first + "; ".join(f"evcs-cp {step} {cp['id']}" for step in steps) if steps else ""
