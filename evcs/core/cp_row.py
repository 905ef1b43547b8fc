"""A CP as the contract's JSON has it: desired and judged together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.messages import CpState


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
