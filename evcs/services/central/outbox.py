"""What one batch of events decided: on disk in one transaction, and only then told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from evcs.core import audit, topics
from evcs.core import effects as e
from evcs.core.audit import AuditEntry
from evcs.core.errors import EvcsError
from evcs.core.messages import Command, DriverEvent, Message, OperatorEvent
from evcs.core.ports import Bus, Clock, Ledger, NeverWritten
from evcs.core.session import Phase, Session
from evcs.runtime.crash_points import crash_point
from evcs.services.central.entries import Entries

SAVE_FIGURES_EVERY_S = 5.0
MAX_AUDIT_WAITING = 10_000

_log = logging.getLogger("evcs")


class Outbox:
    """Saves and messages, in order; `flush` commits the first and sends the second.

    `entries`: what one sender may cause in the audit. `progress`: ids of sessions that were read.
    """

    def __init__(self, ledger: Ledger, bus: Bus, clock: Clock) -> None:
        self._ledger, self._bus, self._clock = ledger, bus, clock
        self.entries = Entries(self.audit_entry, clock)
        self.progress: set[str] = set()
        self._sessions: dict[str, Session] = {}
        self._figures: dict[str, Session] = {}
        self._figures_saved_at = 0.0
        self._refused: list[str] = []
        self._audit: list[AuditEntry] = []
        self._noted: dict[str, str | None] = {}
        self._forgotten: dict[str, str] = {}
        self._out: list[Message | topics.Publication] = []
        self._then: list[Callable[[], None]] = []
        self._most_audit = MAX_AUDIT_WAITING
        self.failing = False
        self._does: dict[type, Callable[[Any], object]] = {
            e.Save: lambda one: self.save(one.session),
            e.SaveFigures: lambda one: self._save_later(one.session),
            e.Progress: lambda one: self.progress.add(one.session_id),
            e.Remove: lambda one: self._remove(one.session.session_id),
            e.Send: lambda one: self.publish(one.message),
            e.SendNow: lambda one: self._publish_now(one.message),
            e.Audit: self._audit_effect,
            e.Refuse: self.entries.refuse,
            e.Unexpected: self.entries.unexpected,
        }

    def carry_out(self, effects: Iterable[e.Effect]) -> None:
        """Have done what was decided, in order."""
        for effect in effects:
            self._does[type(effect)](effect)

    def save(self, session: Session) -> None:
        """Have the session's present form written."""
        self._sessions[session.session_id] = session
        self._figures.pop(session.session_id, None)

    def save_figures(self, now: float) -> None:
        """Have the energies of running sessions written, all in one transaction."""
        if self._figures and now - self._figures_saved_at >= SAVE_FIGURES_EVERY_S:
            self._sessions |= self._figures
            self._figures.clear()
            self._figures_saved_at = now

    def unwritten(self, session_id: str) -> Session | None:
        """A session's form that this batch will write: the ledger doesn't know it yet."""
        return self._sessions.get(session_id)

    def audit(self, who: str, what: str, cp: str | None, outcome: str, detail: str = "") -> None:
        """Have an entry of now written to the audit."""
        self.audit_entry(AuditEntry(self._clock.timestamp(), who, what, cp, outcome, detail))

    def audit_entry(self, entry: AuditEntry) -> None:
        """Have an entry written to the audit as it is."""
        self._audit.append(entry)

    def note(self, key: str, value: str | None) -> None:
        """Have it noted how far the audit has come; None forgets it."""
        self._noted[key] = value

    def after_commit(self, do: Callable[[], None]) -> None:
        """Have something done once all is written, before anything is told."""
        self._then.append(do)

    def removes(self, session_id: str) -> bool:
        """Whether this batch removes the request: the ledger knows it still."""
        return session_id in self._refused

    def names(self, driver: str) -> bool:
        """Whether an entry that is not written yet names the driver."""
        return any(audit.names(entry, driver) for entry in self._audit)

    def forget_driver(self, driver: str, pseudonym: str) -> None:
        """Have a pseudonym written in a driver's place, in all that is settled or audited."""
        self._forgotten[driver] = pseudonym

    def publish(self, message: Message | topics.Publication) -> None:
        """Have a message sent once all is written."""
        self._out.append(message)

    def flush(self) -> list[Session]:
        """Write, then tell. Returns the requests that a full disk refused; see `_refuse`."""
        refused = self._refuse() if not self._write() else []
        waiting: list[Message | topics.Publication] = []
        for message in self._out:
            if self.failing and not self._stands_alone(message):
                waiting.append(message)
            else:
                self._bus.publish(message)
            crash_point("central.told")
        self._out = waiting
        return refused

    def _save_later(self, session: Session) -> None:
        self._figures[session.session_id] = session

    def _remove(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)
        self._figures.pop(session_id, None)
        self._refused.append(session_id)

    def _publish_now(self, message: Message) -> None:
        self._bus.publish(message)
        crash_point("central.told")

    def _audit_effect(self, one: e.Audit) -> None:
        now = self._clock.timestamp()
        entry = AuditEntry(now, one.who, one.what, one.cp, one.outcome, one.detail)
        if one.share is None:
            self.audit_entry(entry)
        else:
            self.entries.of(one.share, entry)

    def _write(self) -> bool:
        parts = (self._sessions, self._refused, self._audit, self._noted, self._forgotten)
        if not any(parts):
            return True
        crash_point("central.before_commit")
        try:
            self._commit()
        except EvcsError as error:
            if not self.failing:
                _log.error("%s; %s", error, error.hint)
                # What a spool told is noted in the same transaction, so none of it may go.
                self._most_audit = max(len(self._audit), MAX_AUDIT_WAITING)
            self.failing = True
            return False
        crash_point("central.committed")
        if self.failing:
            _log.info("the ledger is written again")
        self.failing = False
        for part in parts:
            part.clear()
        then, self._then = self._then, []
        for do in then:
            do()
        return True

    def _commit(self) -> None:
        try:
            self._ledger.commit(
                self._sessions.values(), self._refused, self._audit, self._noted, self._forgotten
            )
        except NeverWritten:
            self._commit_one_by_one()
            self._ledger.commit([], [], self._audit, self._noted, self._forgotten)

    def _commit_one_by_one(self) -> None:
        """What the ledger refuses for ever holds up nothing else: it is said, and dropped."""
        waiting: list[tuple[str, list[Session], list[str]]]
        waiting = [(one, [session], []) for one, session in self._sessions.items()]
        waiting += [(one, [], [one]) for one in self._refused]
        for session_id, saved, removed in waiting:
            try:
                self._ledger.commit(saved, removed, [])
            except NeverWritten as error:
                _log.error("session=%s can never be written: %s", session_id, error)
                self._out = [m for m in self._out if getattr(m, "session_id", "") != session_id]
            self._sessions.pop(session_id, None)
        self._refused.clear()

    def _refuse(self) -> list[Session]:
        """While the disk is full no session begins; what is under way waits to be written."""
        refused = [one for one in self._sessions.values() if one.phase == Phase.REQUESTED]
        ids = {one.session_id for one in refused}
        for session_id in ids:
            del self._sessions[session_id]
        self._out = [one for one in self._out if getattr(one, "session_id", None) not in ids]
        del self._audit[self._most_audit :]
        return refused

    def _stands_alone(self, message: Message | topics.Publication) -> bool:
        """Whether a message says nothing that has to be in the ledger first."""
        if isinstance(message, DriverEvent):
            return message.event in ("progress", "answer", "denied")
        if isinstance(message, OperatorEvent):
            return not self._forgotten
        return not isinstance(message, Command)
