"""What travels on the bus of real chargers and their gateway; part of core.messages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


class DesiredStation(NamedTuple):
    """Registry: a charging station, while a CP names it. `ocpp_id`: what it calls itself."""

    station: str
    id: str
    ocpp_id: str


class StationRequest(NamedTuple):
    """Engine of a real charger: "authorise" a card, or "start", told again until it is answered.

    `id` comes from the transaction's content. `meter_wh`: the register at its begin. `offline`: it
    began at `at` (RFC 3339 UTC), while its charger was away.
    """

    cp: str
    id: str
    verb: str
    tag: str
    at: str
    meter_wh: int = 0
    offline: bool = False


class StationAnswer(NamedTuple):
    """Central to that Engine; `status`: see core.session.CardStatus. A start has a session."""

    cp: str
    id: str
    ok: bool
    status: str
    driver: str | None = None
    session_id: str | None = None


class GatewayCommand(NamedTuple):
    """Central to a gateway: what the operator asks of a CP's charger; `body` as it was asked."""

    host: str
    verb: str
    id: str
    cp: str
    body: Mapping[str, Any] = NOTHING


class GatewayReply(NamedTuple):
    """Gateway: the answer to the command of that id; `error` is the code of core.errors."""

    host: str
    id: str
    ok: bool
    error: str | None = None
    body: Mapping[str, Any] = NOTHING


class StationStatus(NamedTuple):
    """Gateway: whether a station is connected, and what it said of itself when it last was.

    It counts while the gateway is there. `version`: of OCPP. `connected_at`: RFC 3339 UTC. `key`:
    which of its passwords the charger has, as far as is known (core.stations.key_id).
    `clock_off_s`: how far its clock is ahead. `offered`: the versions of one that was turned away
    for them.
    """

    host: str
    station: str
    online: bool
    version: str | None = None
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    security_profile: int | None = None
    connected_at: str | None = None
    key: str | None = None
    certificate_ends_at: str | None = None
    clock_off_s: int | None = None
    offered: str | None = None


class StationFrame(NamedTuple):
    """Gateway: what a station said ("in") or was told ("out"), passwords and keys masked."""

    host: str
    station: str
    dir: str
    version: str
    frame: str
