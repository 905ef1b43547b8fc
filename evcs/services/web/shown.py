"""What of a CP's bus messages who shows neither token nor page may see: these, and no others.

Who knows a card can charge with it. So a message that has one is not here, such as a charger's
frame, nor a field that may have one: what comes new is the operator's until it is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from evcs.core import desired
from evcs.core import messages as m
from evcs.services.http import json_bytes

#: Of each kind the keys of its payload.
FOR_ALL: Mapping[type, frozenset[str]] = {
    m.DesiredCp: desired.FOR_ALL,
    m.CpState: frozenset({
        "state", "reason", "since", "ocpp_status", "session", "revision", "backend_state",
    }),
    m.ReconcileReport: frozenset({"ok", "revision", "error"}),
    m.EngineStatus: frozenset({
        "online", "boot", "phase", "plugged", "session_id", "fault", "central", "limit_w",
        "fallback_w", "backend_state", "limit_error",
    }),
    m.MonitorStatus: frozenset({
        "online", "boot", "engine", "latency_ms", "fault", "ocpp_status", "service",
    }),
    m.Meter: frozenset({
        "session_id", "seq", "energy_wh", "power_w", "voltage_v", "current_a", "limit_w",
    }),
    m.SessionEvent: frozenset({"event", "session_id", "seq", "energy_wh", "reason"}),
    m.Reply: frozenset({"id", "ok", "error"}),
    m.Command: frozenset({
        "verb", "id", "session_id", "energy_wh", "max_power_w", "reason", "seq", "for_s",
        "fallback_w",
    }),
}  # fmt: skip


def for_all(message: m.Message, payload: bytes) -> bytes | None:
    """What of a message's payload anybody may see; None: nothing."""
    keys = FOR_ALL.get(type(message))
    if keys is None:
        return None
    found = json.loads(payload)
    return json_bytes({key: found[key] for key in found if key in keys or key == "ts"})
