"""Central's decisions: what is known of one CP and an event give the next state and effects.

Pure: time comes in, what is to be done comes out (core.effects). `HANDLERS` says who decides
about which event; the life of a session is core.session's table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core.cp_record import CpRecord
from evcs.core.decisions.draft import Draft
from evcs.core.decisions.events import (
    At,
    Charge,
    ChargeAgain,
    Close,
    Delete,
    EngineStale,
    Event,
    MonitorAbsent,
    MonitorStale,
    Repeat,
    StopCharge,
    Unwritten,
)
from evcs.core.decisions.presence import (
    on_delete,
    on_desired,
    on_engine,
    on_engine_stale,
    on_monitor,
    on_monitor_absent,
    on_monitor_stale,
    on_repeat,
)
from evcs.core.decisions.requests import on_charge, on_charge_again, on_close, on_stop, on_unwritten
from evcs.core.decisions.supply import on_meter, on_reply, on_session
from evcs.core.effects import Effect
from evcs.core.session import Session


class Decision(NamedTuple):
    """The CP's next state, the same object where nothing changed, and what is to be done."""

    record: CpRecord
    effects: list[Effect]


def decide(
    record: CpRecord, event: Event, at: At, found: Session | None = None
) -> Decision:  # fmt: skip
    """`found`: the session that the event names, where it is not the CP's present one."""
    draft = Draft(record, at, found)
    HANDLERS[type(event)](draft, event)
    return Decision(draft.record, draft.effects)


HANDLERS: dict[type, Callable[[Draft, Any], None]] = {
    m.DesiredCp: on_desired,
    m.EngineStatus: on_engine,
    m.MonitorStatus: on_monitor,
    m.Meter: on_meter,
    m.SessionEvent: on_session,
    m.Reply: on_reply,
    Charge: on_charge,
    ChargeAgain: on_charge_again,
    StopCharge: on_stop,
    Close: on_close,
    Delete: on_delete,
    EngineStale: on_engine_stale,
    MonitorStale: on_monitor_stale,
    MonitorAbsent: on_monitor_absent,
    Repeat: on_repeat,
    Unwritten: on_unwritten,
}
