"""What one batch of events decided: on disk in one transaction, and only then told."""

from __future__ import annotations

import logging
from collections.abc import Callable

from evcs.adapters.clock import timestamp
from evcs.adapters.ledger import Ledger
from evcs.core import audit, topics
from evcs.core.audit import AuditEntry
from evcs.core.errors import EvcsError
from evcs.core.messages import Command, DriverEvent, Message, OperatorEvent
from evcs.core.ports import Bus
from evcs.core.session import REQUESTED, Session
from evcs.runtime.crash_points import crash_point

MAX_AUDIT_WAITING = 10_000

_log = logging.getLogger("evcs")


class Outbox:
    """Saves and messages, in order; `flush` commits the first and sends the second."""

    def __init__(self, ledger: Ledger, bus: Bus) -> None:
        self._ledger, self._bus = ledger, bus
        self._sessions: dict[str, Session] = {}
        self._refused: list[str] = []
        self._audit: list[AuditEntry] = []
        self._noted: dict[str, str | None] = {}
        self._forgotten: dict[str, str] = {}
        self._out: list[Message | topics.Publication] = []
        self._then: list[Callable[[], None]] = []
        self._most_audit = MAX_AUDIT_WAITING
        self.failing = False

    def save(self, session: Session) -> None:
        """Have the session's present form written."""
        self._sessions[session.session_id] = session

    def unwritten(self, session_id: str) -> Session | None:
        """A session's form that this batch will write: the ledger doesn't know it yet."""
        return self._sessions.get(session_id)

    def forget(self, session_id: str) -> None:
        """Have a request removed that its CP turned down."""
        self._sessions.pop(session_id, None)
        self._refused.append(session_id)

    def audit(
        self, who: str, what: str, cp: str | None, outcome: str, detail: str = "", at: str = ""
    ) -> None:
        """Have an entry written to the audit; of now, or of another time."""
        self.audit_entry(AuditEntry(at or timestamp(), who, what, cp, outcome, detail))

    def audit_entry(self, entry: AuditEntry) -> None:
        """Have an entry written to the audit as it is."""
        self._audit.append(entry)

    def note(self, key: str, value: str | None) -> None:
        """Have it noted how far the audit has come; None forgets it."""
        self._noted[key] = value

    def after_commit(self, do: Callable[[], None]) -> None:
        """Have something done once all is written, before anything is told."""
        self._then.append(do)

    def names(self, driver: str) -> bool:
        """Whether an entry that is not written yet names the driver."""
        return any(audit.names(entry, driver) for entry in self._audit)

    def forget_driver(self, driver: str, pseudonym: str) -> None:
        """Have a pseudonym written in a driver's place, in all that is settled or audited."""
        self._forgotten[driver] = pseudonym

    def publish(self, message: Message | topics.Publication) -> None:
        """Have a message sent once all is written."""
        self._out.append(message)

    def publish_at_once(self, message: Message) -> None:
        """Send a message that rests on what is on disk already."""
        self._bus.publish(message)
        crash_point("central.told")

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

    def _write(self) -> bool:
        parts = (self._sessions, self._refused, self._audit, self._noted, self._forgotten)
        if not any(parts):
            return True
        crash_point("central.before_commit")
        try:
            self._ledger.commit(
                self._sessions.values(), self._refused, self._audit, self._noted, self._forgotten
            )
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

    def _refuse(self) -> list[Session]:
        """While the disk is full no session begins; what is under way waits to be written."""
        refused = [one for one in self._sessions.values() if one.phase == REQUESTED]
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
