"""What one batch of events decided: on disk in one transaction, and only then told."""

from __future__ import annotations

import logging

from evcs.adapters.clock import timestamp
from evcs.adapters.crash_points import crash_point
from evcs.adapters.ledger import AuditEntry, Ledger
from evcs.adapters.mqtt import Bus
from evcs.core import topics
from evcs.core.errors import EvcsError
from evcs.core.messages import Message
from evcs.core.session import Session

_log = logging.getLogger("evcs")


class Outbox:
    """Saves and messages, in order; `flush` commits the first and sends the second."""

    def __init__(self, ledger: Ledger, bus: Bus) -> None:
        self._ledger, self._bus = ledger, bus
        self._sessions: dict[str, Session] = {}
        self._refused: list[str] = []
        self._audit: list[AuditEntry] = []
        self._out: list[Message | topics.Publication] = []
        self._failing = False

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

    def audit(self, who: str, what: str, cp: str | None, outcome: str, detail: str = "") -> None:
        """Have an entry written to the audit."""
        self._audit.append(AuditEntry(timestamp(), who, what, cp, outcome, detail))

    def say(self, message: Message | topics.Publication) -> None:
        """Have a message sent once all is written."""
        self._out.append(message)

    def flush(self) -> bool:
        """Write, then tell. False where the disk refused: nothing is told, and it is kept."""
        if self._sessions or self._refused or self._audit:
            crash_point("central.before_commit")
            try:
                self._ledger.commit(self._sessions.values(), self._refused, self._audit)
            except EvcsError as error:
                if not self._failing:
                    _log.error("%s; %s", error, error.hint)
                self._failing = True
                return False
            crash_point("central.committed")
        self._failing = False
        self._sessions.clear()
        self._refused.clear()
        self._audit.clear()
        for message in self._out:
            if isinstance(message, topics.Publication):
                self._bus.publish(message)
            else:
                self._bus.say(message)
            crash_point("central.told")
        self._out.clear()
        return True
