"""What Central knows of each CP: desired and observed, and what it last judged of it."""

from __future__ import annotations

from typing import NamedTuple

from evcs.core import charge_point as states
from evcs.core.messages import CpState, DesiredCp, EngineStatus, MonitorStatus, SessionView


class Known(NamedTuple):
    """One CP. Times are monotonic seconds; `told` is the state as last published.

    `desired` is None where a CP spoke before the Registry did, as after a power cut.
    `heard`: who of "registry", "engine" and "monitor" has spoken since Central's connection.
    """

    cp: str
    desired: DesiredCp | None = None
    engine: EngineStatus | None = None
    monitor: MonitorStatus | None = None
    engine_lost_at: float | None = None
    monitor_lost_at: float | None = None
    told: CpState | None = None
    told_at: float = 0.0
    tell_again: bool = False
    heard: frozenset[str] = frozenset()


FIGURES_EVERY_S = 1.0


def judged(known: Known, desired: DesiredCp, session: SessionView | None, at: str) -> CpState:
    """The present state; `since` stays while state and reason do."""
    view = states.View(desired, known.engine, known.monitor, session is not None)
    state, reason = states.judge(view)
    told = known.told
    same = told is not None and (told.state, told.reason) == (state, reason)
    return CpState(
        cp=known.cp,
        state=state,
        reason=reason,
        since=told.since if told is not None and same else at,
        ocpp_status=states.OCPP_STATUS[state],
        session=session,
        revision=desired.revision,
    )


def to_be_told(known: Known, now: CpState, clock: float) -> bool:
    """A change of state goes out at once, live figures at most once a second."""
    told = known.told
    if known.tell_again:
        return True
    if told == now:
        return False
    if told is None or told._replace(session=None) != now._replace(session=None):
        return True
    if (told.session is None) != (now.session is None):
        return True
    return clock - known.told_at >= FIGURES_EVERY_S


def stale(known: EngineStatus | MonitorStatus | None, status: EngineStatus | MonitorStatus) -> bool:
    """Whether a status is of an earlier boot: a will may come after the next birth."""
    return known is not None and known.online and not status.online and known.boot != status.boot


def engine_away(known: Known) -> bool:
    """Whether the Engine is gone, or there and silent."""
    gone = known.engine is None or not known.engine.online
    return gone or (known.monitor is not None and known.monitor.engine == "silent")


def monitor_away(known: Known) -> bool:
    """Whether the Monitor is gone."""
    return known.monitor is None or not known.monitor.online
