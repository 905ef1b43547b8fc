"""What travels on the bus, one immutable type a message.

Fields that the topic says (who speaks, which CP) are in the type, never in the
payload. NamedTuple rather than dataclass: every CP process imports this module,
and `dataclasses` costs each of them 6 ms and a megabyte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.asked_messages import (
    DriverEvent,
    DriverRequest,
    ManagerCommand,
    ManagerReply,
    OperatorEvent,
    OperatorRequest,
)
from evcs.core.cp_messages import Command, EngineStatus, Meter, MonitorStatus, Reply, SessionEvent
from evcs.core.gateway_messages import (
    NOTHING,
    DesiredStation,
    GatewayCommand,
    GatewayReply,
    StationAnswer,
    StationFrame,
    StationRequest,
    StationStatus,
)
from evcs.core.host_messages import DesiredHost, HostState
from evcs.core.power_messages import Circuit, CircuitState, MeterPower

__all__ = [
    "NOTHING", "Circuit", "CircuitState", "Command", "DesiredHost", "DesiredStation",
    "DriverEvent", "DriverRequest", "EngineStatus", "GatewayCommand", "GatewayReply", "HostState",
    "ManagerCommand", "ManagerReply", "Meter", "MeterPower", "MonitorStatus", "OperatorEvent",
    "OperatorRequest", "Reply", "SessionEvent", "StationAnswer", "StationFrame", "StationRequest",
    "StationStatus",
]  # fmt: skip


class SessionView(NamedTuple):
    """A session as the judged state shows it; energy in Wh, power in W, cost in EUR.

    At a CP that is a charger of a back end it costs nothing here: null. `requested_wh`: None where
    the car decides.

    `limit_w`: what it may take of its circuit; None without one. `wait_s`: of one that waits for
    power, for about how many seconds more. `limit_shown_s`: how many seconds after it was lowered
    last a reading showed it.
    """

    session_id: str
    driver: str | None
    energy_wh: int
    power_w: int
    cost_eur: str | None
    limit_w: int | None = None
    wait_s: int | None = None
    limit_shown_s: int | None = None
    requested_wh: int | None = None


class DesiredCp(NamedTuple):
    """Registry: what a CP is to be. `revision` counts the changes of the whole Registry.

    `prices`: (since, EUR/kWh) from old to new, by the Registry's clock; the last is the price now.
    `hosting`, `pool`, `placement` and, while it moves, `previous_*`: see core.placement. `station`,
    `connector`, `ocpp_id`: of a real charger, see core.stations. `circuit`, and what it may take
    there (W) without being told: see core.circuits. `backend`, `ocpp` (its version), `token`, and
    `ocpp_id`: of one that is a charger of a back end, see core.back_ends.
    """

    cp: str
    id: str
    service: str
    price_eur_kwh: str
    max_power_w: int
    location: str
    host: str
    revoked: bool
    deleted: bool
    revision: int
    prices: tuple[tuple[str, str], ...] = ()
    hosting: str = "process"
    pool: int | None = None
    placement: str = ""
    previous_host: str | None = None
    previous_placement: str | None = None
    station: str | None = None
    connector: int | None = None
    ocpp_id: str | None = None
    circuit: str | None = None
    fallback_w: int | None = None
    backend: str | None = None
    ocpp: str | None = None
    token: str | None = None


class DesiredDriver(NamedTuple):
    """Registry: who may charge. `tags`: what a charger reads off the driver's cards."""

    driver: str
    id: str
    tags: tuple[str, ...] = ()


class ReconcileReport(NamedTuple):
    """CP Manager: what it made of a desired state of that revision.

    `placement`: the token of what it holds; `released`: the one that it let go of.
    """

    host: str
    cp: str
    ok: bool
    revision: int
    error: str | None = None
    placement: str | None = None
    released: str | None = None


class CpState(NamedTuple):
    """Central: a CP's state, why, since when; and up to which desired revision it knows.

    `backend_state`: see EngineStatus.
    """

    cp: str
    state: str
    reason: str
    since: str
    ocpp_status: str
    session: SessionView | None
    revision: int = 0
    backend_state: str | None = None


class Flood(NamedTuple):
    """Central to the Registry: an identity says more than can be read; it is to be shut out."""

    identity: str


class Summary(NamedTuple):
    """Central: sessions under way, their power in W; `body`: how many CPs are in each state.

    `unreadable`: messages that Central could not read since it began.
    """

    sessions: int
    power_w: int
    unreadable: int = 0
    body: Mapping[str, Any] = NOTHING


class ServiceStatus(NamedTuple):
    """A service: whether it is there. A will has no version."""

    service: str
    online: bool
    boot: str
    version: str | None = None


class Cleared(NamedTuple):
    """A retained message was taken away; `kind` is its type, `key` what its topic said."""

    kind: type
    key: dict[str, str]


Message = (
    DesiredCp
    | DesiredDriver
    | DesiredStation
    | DesiredHost
    | Circuit
    | MeterPower
    | CircuitState
    | ReconcileReport
    | EngineStatus
    | MonitorStatus
    | Meter
    | SessionEvent
    | Reply
    | StationRequest
    | StationAnswer
    | Command
    | ManagerCommand
    | ManagerReply
    | GatewayCommand
    | GatewayReply
    | StationStatus
    | StationFrame
    | CpState
    | HostState
    | DriverRequest
    | OperatorRequest
    | DriverEvent
    | OperatorEvent
    | Flood
    | Summary
    | ServiceStatus
)
