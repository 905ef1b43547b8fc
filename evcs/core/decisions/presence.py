"""Decisions about what is wanted of a CP and who is there: Registry, Engine, Monitor, absence."""

from __future__ import annotations

from evcs.core import messages as m
from evcs.core import session_life as life
from evcs.core.decisions import power
from evcs.core.decisions.draft import Draft
from evcs.core.decisions.events import Delete, EngineStale, MonitorAbsent, MonitorStale, Repeat
from evcs.core.effects import Send
from evcs.core.end_reasons import EndReason
from evcs.core.health import EngineHealth
from evcs.core.session import Phase
from evcs.core.session_commands import command, stop_orphan
from evcs.core.supply import SupplyPhase


def on_desired(draft: Draft, desired: m.DesiredCp) -> None:
    before = draft.record.desired
    draft.know(desired=desired)
    power.follow_desired(draft, before)
    if desired.deleted:
        draft.stop(EndReason.DELETED)
    elif desired.revoked:
        draft.stop(EndReason.REVOKED)
    elif desired.service == "out":
        draft.stop(EndReason.OUT_OF_ORDER)


def on_delete(draft: Draft, _: Delete) -> None:
    for session in (draft.record.late, draft.record.session):
        if session is not None:
            draft.advance(session, life.Closed(EndReason.DELETED, draft.at.wall))
    draft.know(desired=None)


def on_engine(draft: Draft, status: m.EngineStatus) -> None:
    status = power.believed(draft.record, status)
    lost_at = draft.record.engine_lost_at
    since = None if status.online else (lost_at or draft.at.clock)
    draft.know(engine=status, engine_lost_at=since)
    if status.online:
        power.note_fallback(draft, status)
        _reconcile(draft, status, lost_at)
        power.follow_engine(draft, status)
    else:
        draft.lost()


def _reconcile(draft: Draft, status: m.EngineStatus, lost_at: float | None) -> None:
    """At each word of an Engine: compare what it holds with the ledger."""
    session, late = draft.record.session, draft.record.late
    if late is not None and late.session_id == status.session_id:
        draft.take_up(late)
        session = draft.record.session
    elif status.session_id and (session is None or session.session_id != status.session_id):
        _on_foreign(draft, status.session_id)
    if session is None:
        return
    if status.phase == SupplyPhase.WAITING and lost_at is not None:
        away = draft.record.absent_for(lost_at, draft.at.connected_at, draft.at.clock)
        if away > draft.record.deadlines.resume_within_s:
            session = draft.advance(session, life.Stop(EndReason.POWER_LOSS))
    if session.phase == Phase.SUPPLYING and status.session_id != session.session_id:
        session = draft.advance(session, life.Lost())
    draft.send_pending(session)


def _on_foreign(draft: Draft, session_id: str) -> None:
    """The Engine holds what is not open here: settled already, another's, or never known."""
    found = draft.found
    if found is None or found.cp != draft.record.cp:
        draft.refuse("session", "unknown", session_id)
        draft.do(Send(stop_orphan(draft.record.cp, session_id)))
    elif found.phase == Phase.SETTLED:
        draft.do(Send(command(found, life.release(found))))


def on_engine_stale(draft: Draft, _: EngineStale) -> None:
    draft.know(engine=None, engine_lost_at=draft.at.clock)
    draft.lost()


def on_monitor(draft: Draft, status: m.MonitorStatus) -> None:
    since = None if status.online else (draft.record.monitor_lost_at or draft.at.clock)
    draft.know(monitor=status, monitor_lost_at=since)
    if status.online and status.engine == EngineHealth.KO:
        draft.stop(EndReason.FAULT)
    elif status.online and status.engine == EngineHealth.SILENT:
        draft.lost()


def on_monitor_stale(draft: Draft, _: MonitorStale) -> None:
    draft.know(monitor=None, monitor_lost_at=draft.at.clock)


def on_monitor_absent(draft: Draft, _: MonitorAbsent) -> None:
    record = draft.record
    session, lost_at = record.session, record.monitor_lost_at
    if session is None or lost_at is None:
        return
    away = record.absent_for(lost_at, draft.at.connected_at, draft.at.clock)
    if away <= record.deadlines.monitor_gone_s:
        return
    if record.is_elsewhere and record.engine_away:
        # The machine may never come back; if it does, what it has metered more is a correction.
        draft.advance(session, life.Closed(EndReason.MONITOR_GONE, draft.at.wall))
    elif session.phase != Phase.ENDING:
        draft.stop(EndReason.MONITOR_GONE)


def on_repeat(draft: Draft, _: Repeat) -> None:
    """Looks are counted, not seconds: while Central was held up an Engine may have spoken."""
    record = draft.record
    session = record.session
    if session is not None and session.phase in (Phase.SUPPLYING, Phase.INTERRUPTED):
        away = record.engine is None or not record.engine.online
        unheld = 0 if away or record.holds else record.unheld + 1
        if unheld != record.unheld:
            draft.know(unheld=unheld)
        if unheld >= life.UNHELD_LOOKS:
            draft.stop(EndReason.JOURNAL_LOST)
            return
    draft.send_pending(session)
