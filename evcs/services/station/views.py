"""What a station's Engine shows of itself: on the bus, to its Monitor, to who asks."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from evcs.core import messages as m
from evcs.core import supply as s
from evcs.core import topics
from evcs.core.ocpp import back_end as b
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.station import EmulatedStation
from evcs.core.ocpp.station_state import StationState
from evcs.services.station.books import Books
from evcs.services.station.link import BackEndLink

MOST_RUNS = 15
#: Of the frames that are shown: Central reads no longer answer of an Engine's.
MOST_BYTES = topics.MAX_SAID - 1_800


def exchanged(station: EmulatedStation, link: BackEndLink) -> dict[str, Any]:
    """What was exchanged with the back end, and what waits."""
    held = station.held
    return {
        "backend_state": backend_state(station, link),
        "registration": station.agenda.registration or None,
        "ocpp_status": station.status,
        "transaction_id": station.dialect.transaction_id(held),
        "register_wh": held.register_wh,
        "waiting": _waiting(held),
        **link.shown(MOST_BYTES),
    }


def _waiting(held: StationState) -> list[dict[str, Any]]:
    """What waits, in its order: of the same one after the other how many."""
    runs = [
        {"action": action, "failed": failed, "count": len([*those])}
        for (action, failed), those in groupby(held.queue, lambda one: (one.action, one.failed))
    ]
    rest = sum(one["count"] for one in runs[MOST_RUNS:])
    return [*runs[:MOST_RUNS], *([{"action": "...", "failed": 0, "count": rest}] if rest else [])]


def backend_state(station: EmulatedStation, link: BackEndLink) -> str:
    """What it has of its back end."""
    return b.REFUSED if station.agenda.registration == "Rejected" else link.state


def status(
    cp: str, boot: str, central: bool | None, station: EmulatedStation, books: Books,
    link: BackEndLink,
) -> m.EngineStatus:  # fmt: skip
    """What it tells of its state. `boot`, `central`: as in it."""
    shown = books.held.shown
    phase = s.SupplyPhase.IDLE
    if shown is not None:
        over = shown.phase == t.Phase.ENDED
        phase = s.SupplyPhase.ENDED if over else s.SupplyPhase.SUPPLYING
    return m.EngineStatus(
        cp, True, boot, phase, station.plugged, shown and shown.session_id, station.fault, central,
        backend_state=backend_state(station, link),
    )  # fmt: skip


def charge(books: Books) -> str | None:
    """The id of the charge that it holds, Central's where it has one."""
    shown = books.held.shown
    return shown and (shown.session_id or shown.request_id)
