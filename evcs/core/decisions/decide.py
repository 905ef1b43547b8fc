"""Central's decisions: what is known of one CP and an event give the next state and effects.

Pure: time comes in, what is to be done comes out (core.effects). `HANDLERS` says who decides
about which event; the life of a session is core.session_life's table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core.cp_record import CpRecord
from evcs.core.decisions import events as d
from evcs.core.decisions import power, presence, requests, stations, supply
from evcs.core.decisions.draft import Draft
from evcs.core.effects import Effect
from evcs.core.session import Session


class Decision(NamedTuple):
    """The CP's next state, the same object where nothing changed, and what is to be done."""

    record: CpRecord
    effects: list[Effect]


def decide(
    record: CpRecord, event: d.Event, at: d.At, found: Session | None = None
) -> Decision:  # fmt: skip
    """`found`: the session that the event names, where it is not the CP's present one."""
    draft = Draft(record, at, found)
    HANDLERS[type(event)](draft, event)
    return Decision(draft.record, draft.effects)


HANDLERS: dict[type, Callable[[Draft, Any], None]] = {
    m.DesiredCp: presence.on_desired,
    m.EngineStatus: presence.on_engine,
    m.MonitorStatus: presence.on_monitor,
    m.Meter: supply.on_meter,
    m.SessionEvent: supply.on_session,
    m.Reply: supply.on_reply,
    d.Charge: requests.on_charge,
    d.ChargeAgain: requests.on_charge_again,
    d.AskedByStation: stations.on_asked_by_station,
    d.StopCharge: requests.on_stop,
    d.Leave: requests.on_leave,
    d.EndCharge: requests.on_end,
    d.Close: requests.on_close,
    d.MakeWay: requests.on_make_way,
    d.Delete: presence.on_delete,
    d.EngineStale: presence.on_engine_stale,
    d.MonitorStale: presence.on_monitor_stale,
    d.MonitorAbsent: presence.on_monitor_absent,
    d.Repeat: presence.on_repeat,
    d.Granted: power.on_granted,
    d.FallbackGranted: power.on_fallback_granted,
    d.PowerLooked: power.on_looked,
    d.Unwritten: requests.on_unwritten,
}
