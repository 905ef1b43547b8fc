"""What Central knows of one CP: desired, observed and its session; and what follows from that."""

from __future__ import annotations

from typing import NamedTuple

from evcs.core import charge_point as states
from evcs.core.health import EngineHealth
from evcs.core.messages import CpState, DesiredCp, EngineStatus, MonitorStatus, SessionView
from evcs.core.patience import PATIENCE, Deadlines, Patience, deadlines
from evcs.core.placement import MAIN, holder
from evcs.core.power import Power, PowerFault
from evcs.core.session import Phase, Session


class SentCommand(NamedTuple):
    """A command that an Engine was told: its id, the Engine's boot, and the monotonic second."""

    id: str = ""
    boot: str = ""
    at: float = 0.0


class CpRecord(NamedTuple):
    """One CP. Times are monotonic seconds.

    `desired` is None where a CP spoke before the Registry did, as after a power cut.
    `engine_lost_at`, `monitor_lost_at`: since when it has been away, None while it is there.
    `halted_at`: since when the session is interrupted, or shall end and does not.
    `unheld`: how often in a row the Engine was there, and did not hold the session under way.
    `late`: a session that it told of afterwards and that may be over; it is not the CP's state.
    `requested_at`: when the session was asked for, or taken from the ledger. `accepted`: its driver
    was told that it is authorised. `last_command`: of a session; `last_fallback`: of no session.
    `orphans`: how many sessions this CP ended that no ledger knew.
    `patience`: how long a session waits for what is away. `power`: what the
    session of a CP in a circuit was told that it may take, None before that. `power_fault`: why the
    CP counts with its most; of a real charger beyond its session, until it obeys.
    `fallback_said_w`: the one that its Engine has said last, which it has also while it is away;
    `fallback_granted_w`: the most that it may be told as one, None before that is known.
    `host_gone`: nobody speaks for the machine that it runs on.
    """

    cp: str
    desired: DesiredCp | None = None
    engine: EngineStatus | None = None
    monitor: MonitorStatus | None = None
    engine_lost_at: float | None = None
    monitor_lost_at: float | None = None
    session: Session | None = None
    late: Session | None = None
    requested_at: float = 0.0
    accepted: bool = False
    halted_at: float | None = None
    unheld: int = 0
    last_command: SentCommand = SentCommand()
    last_fallback: SentCommand = SentCommand()
    orphans: int = 0
    patience: Patience = PATIENCE
    power: Power | None = None
    power_fault: PowerFault | None = None
    fallback_said_w: int | None = None
    fallback_granted_w: int | None = None
    host_gone: bool = False

    def session_by_id(self, session_id: str) -> Session | None:
        """One of its sessions that are not settled."""
        for session in (self.session, self.late):
            if session is not None and session.session_id == session_id:
                return session
        return None

    @property
    def is_elsewhere(self) -> bool:
        """Whether another machine holds it, and we charge for what it delivers."""
        desired = self.desired
        if desired is None or desired.backend is not None:
            return False
        return holder(desired).host != MAIN

    @property
    def deadlines(self) -> Deadlines:
        """How long what is away may be away."""
        return deadlines(self.desired, self.patience)

    def absent_for(self, lost_at: float, connected_at: float, now: float) -> float:
        """Seconds for which a process of it has been away, on Central's monotonic clock.

        Counted from the later of the loss and Central's own connection plus a grace, so that
        Central's or the broker's own absence is never held against a CP.
        """
        return now - max(lost_at, connected_at + self.deadlines.reconnect_grace_s)

    @property
    def seen(self) -> bool:
        """Whether anybody has spoken of it."""
        return bool(self.desired or self.engine or self.monitor)

    @property
    def hosting(self) -> str | None:
        """How it runs, None before the Registry has told."""
        return self.desired.hosting if self.desired is not None else None

    @property
    def engine_away(self) -> bool:
        """Whether the Engine is gone, or there and silent."""
        gone = self.engine is None or not self.engine.online
        return gone or (self.monitor is not None and self.monitor.engine == EngineHealth.SILENT)

    @property
    def holds(self) -> bool:
        """Whether the Engine says that it holds the session."""
        session, engine = self.session, self.engine
        return bool(session and engine and engine.session_id == session.session_id)

    @property
    def under_way(self) -> Session | None:
        """The session, once it has begun."""
        session = self.session
        return session if session is not None and session.phase != Phase.REQUESTED else None

    @property
    def waits(self) -> bool:
        """Whether there is no power for its session."""
        return self.session is not None and self.session.waiting_since is not None

    @property
    def fallback_w(self) -> int | None:
        """What it is to take without being told; None in no circuit.

        By its Engine until the Registry has spoken; and no more than is granted (core.grants).
        """
        if self.desired is None:
            return self.engine.fallback_w if self.engine is not None else None
        if self.desired.circuit is None:
            return None
        fallback_granted_w = (
            self.fallback_said_w if self.fallback_granted_w is None else self.fallback_granted_w
        )
        return min(self.desired.fallback_w or 0, fallback_granted_w or 0)

    @property
    def fallback_rises(self) -> bool:
        """Whether it is to have a higher fallback than it is granted."""
        wanted_w = self.desired.fallback_w if self.desired is not None else None
        return (wanted_w or 0) > (self.fallback_w or 0)

    @property
    def wait_s(self) -> int | None:
        """For about how many seconds more its session waits for power; None: it doesn't."""
        return self.power.wait_s if self.waits and self.power is not None else None


def judge(record: CpRecord, desired: DesiredCp) -> tuple[states.State, str]:
    """The CP's state and its reason."""
    session = record.under_way
    power = record.power_fault or (session and session.waits_for) or ""
    view = states.View(
        desired, record.engine, record.monitor, session is not None, power, record.host_gone
    )
    return states.judge(view)


def state_of(record: CpRecord, desired: DesiredCp, before: CpState | None, at: str) -> CpState:
    """The present state; `since` stays, from `before`, while state and reason do."""
    state, reason = judge(record, desired)
    same = before is not None and (before.state, before.reason) == (state, reason)
    session = record.under_way
    return CpState(
        cp=record.cp,
        state=state,
        reason=reason,
        since=before.since if before is not None and same else at,
        ocpp_status=_ocpp_status(record, state),
        session=session and view(session, record),
        revision=desired.revision,
        backend_state=_backend_state(record),
    )


def _backend_state(record: CpRecord) -> str | None:
    """What its Engine has of its back end, by its own word."""
    engine = record.engine
    return engine.backend_state if engine is not None and engine.online else None


def _ocpp_status(record: CpRecord, state: states.State) -> str:
    """A real charger's own word, where nothing else has made it out of order or away."""
    told = record.monitor.ocpp_status if record.monitor is not None else None
    session = record.under_way
    if not told and session is not None and session.waiting_since is not None:
        told = "SuspendedEVSE"
    return told if told and state in states.TOLD_BY_CHARGER else states.OCPP_STATUS[state]


def view(session: Session, record: CpRecord) -> SessionView:
    """A session as a CP's state shows it."""
    return SessionView(
        session.session_id,
        session.driver,
        session.energy_wh,
        session.power_w,
        session.cost_shown,
        session.limit_w,
        record.wait_s,
        record.power.shown_s if record.power is not None else None,
        session.requested_wh,
    )


def changed(before: CpState | None, now: CpState) -> bool:
    """Whether more than a session's figures is another."""
    return (
        before is None
        or (before.state, before.reason, before.ocpp_status, before.backend_state)
        != (now.state, now.reason, now.ocpp_status, now.backend_state)
        or before.revision != now.revision
        or (before.session is None) != (now.session is None)
    )
