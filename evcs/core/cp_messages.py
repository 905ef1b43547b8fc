"""What a CP's Engine and Monitor tell, and what Central asks of an Engine; see core.messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.gateway_messages import NOTHING


class EngineStatus(NamedTuple):
    """Engine: whether it is there, and what it holds. A will has no more than online and boot.

    phase: "idle" | "supplying" | "waiting" (its journal holds an open session that
    Central has not resumed yet) | "ended" (not settled yet). `limit_w`: the most that it takes now,
    `fallback_w`: the most without a word of Central's; None of a CP in no circuit. `backend_state`:
    "connected" | "away" | "refused", of a CP that is a charger of a back end. `limit_error`: why a
    real charger has not taken the last that it was told.
    """

    cp: str
    online: bool
    boot: str
    phase: str = "idle"
    plugged: bool = False
    session_id: str | None = None
    fault: str | None = None
    central: bool | None = None
    limit_w: int | None = None
    fallback_w: int | None = None
    backend_state: str | None = None
    limit_error: str | None = None


class MonitorStatus(NamedTuple):
    """Monitor: its Engine's health. engine: "ok" | "ko" | "silent".

    Of a real charger: `ocpp_status`, its own word, such as "Preparing"; `service`, "in" or "out" as
    it has confirmed it, None where it has not in this connection.
    """

    cp: str
    online: bool
    boot: str
    engine: str = "silent"
    latency_ms: float | None = None
    fault: str | None = None
    ocpp_status: str | None = None
    service: str | None = None


class Meter(NamedTuple):
    """Engine: the energy register and the present supply, each second.

    `limit_w`: the most that it takes now; None of a CP in no circuit.
    """

    cp: str
    session_id: str
    seq: int
    energy_wh: int
    power_w: int
    voltage_v: float
    current_a: float
    limit_w: int | None = None


class SessionEvent(NamedTuple):
    """Engine: a supply "started" or "ended"; told again until it is settled."""

    cp: str
    event: str
    session_id: str
    seq: int
    energy_wh: int
    reason: str | None = None


class Reply(NamedTuple):
    """Engine: the answer to the command of that id; `error` is a word, see core.supply.

    `body`: of `backend`, what was exchanged and what waits.
    """

    cp: str
    id: str
    ok: bool
    error: str | None = None
    body: Mapping[str, Any] = NOTHING


class Command(NamedTuple):
    """Central to an Engine: start, resume, stop, settled, limit, plug, unplug, fault, clear.

    To one that is a charger of a back end: present (`tag`), backend.

    `energy_wh`: of a start what is asked for; of a resume, with `seq`, what Central has heard.
    `max_power_w`, `for_s`, `fallback_w`: of a limit, see core.limits; a null takes it away.
    """

    cp: str
    verb: str
    id: str
    session_id: str | None = None
    energy_wh: int | None = None
    max_power_w: int | None = None
    reason: str | None = None
    seq: int | None = None
    for_s: int | None = None
    fallback_w: int | None = None
    tag: str | None = None
