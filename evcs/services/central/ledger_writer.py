"""What is to be in the ledger: gathered in a batch, then committed in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from evcs.core import audit
from evcs.core.errors import EvcsError
from evcs.core.ports import Ledger, NeverWritten
from evcs.core.readings import Reading
from evcs.core.session import AnsweredStart, Phase, Session
from evcs.runtime.crash_points import crash_point

SAVE_FIGURES_EVERY_S = 5.0
MAX_AUDIT_WAITING = 10_000

_log = logging.getLogger("evcs")


class CommitResult(NamedTuple):
    """Ids of sessions of which nothing may be told, as they will not be in the ledger.

    `refused`: the requests among them, which can be taken back.
    """

    unwritten: Collection[str] = ()
    refused: Sequence[Session] = ()


class LedgerWriter:
    """What can't be written stays for the next time; `failing` says that it is so now.

    `readings`: which of them go with what is written of sessions.
    """

    def __init__(
        self, ledger: Ledger,
        readings: Callable[[Collection[Session]], Iterable[Reading]] = lambda _: (),
    ) -> None:  # fmt: skip
        self._ledger, self._readings = ledger, readings
        self.failing = False
        self._sessions: dict[str, Session] = {}
        self._figures: dict[str, Session] = {}
        self._figures_saved_at = 0.0
        self._removed: list[str] = []
        self._audit: list[audit.AuditEntry] = []
        self._noted: dict[str, str | None] = {}
        self._forgotten: dict[str, str] = {}
        self._answered: dict[str, AnsweredStart] = {}
        self._then: list[Callable[[], None]] = []
        self._never: set[str] = set()
        self._most_audit = MAX_AUDIT_WAITING
        self._parts = (self._sessions, self._removed, self._audit, self._noted, self._forgotten,
                       self._answered)  # fmt: skip

    def save(self, session: Session) -> None:
        """Have the session's present form written."""
        self._sessions[session.session_id] = session
        self._figures.pop(session.session_id, None)

    def save_later(self, session: Session) -> None:
        """Have its new energy written, with that of others."""
        self._figures[session.session_id] = session

    def save_figures(self, now: float) -> None:
        """Have the energies of running sessions written, all in one transaction, if it is time."""
        if self._figures and now - self._figures_saved_at >= SAVE_FIGURES_EVERY_S:
            self._sessions |= self._figures
            self._figures.clear()
            self._figures_saved_at = now

    def remove(self, session_id: str) -> None:
        """Have a request removed that its CP turned down."""
        self._sessions.pop(session_id, None)
        self._figures.pop(session_id, None)
        self._removed.append(session_id)

    def removes(self, session_id: str) -> bool:
        """Whether this batch removes the request: the ledger knows it still."""
        return session_id in self._removed

    def session(self, session_id: str) -> Session | None:
        """A session as this batch will write it, else as the ledger has it."""
        return self._sessions.get(session_id) or self._ledger.session(session_id)

    def keep_answer(self, request_id: str, answer: AnsweredStart) -> None:
        """Have it written what a charger's request is answered."""
        self._answered[request_id] = answer

    def answered(self, request_id: str) -> AnsweredStart | None:
        """What a charger's request was answered, written or not."""
        return self._answered.get(request_id) or self._ledger.answered(request_id)

    def add_entry(self, entry: audit.AuditEntry) -> None:
        """Have an entry written to the audit."""
        self._audit.append(entry)

    def note(self, key: str, value: str | None) -> None:
        """Have something noted that is no row, by its key (see Ledger.noted); None forgets it."""
        self._noted[key] = value

    def after_commit(self, do: Callable[[], None]) -> None:
        """Have something done once all is written, before anything is told."""
        self._then.append(do)

    def knows(self, driver: str) -> bool:
        """Whether a session, or an entry of the audit, written or not, names the driver."""
        return self._ledger.knows(driver) or any(audit.names(one, driver) for one in self._audit)

    def forget_driver(self, driver: str, pseudonym: str) -> None:
        """Have a pseudonym written in a driver's place, in all that is settled or audited."""
        self._forgotten[driver] = pseudonym

    @property
    def forgetting(self) -> bool:
        """Whether that is still to be written."""
        return bool(self._forgotten)

    def commit(self) -> CommitResult:
        """Write all; what can't be written now waits, but for requests."""
        if not any(self._parts):
            return CommitResult()
        crash_point("central.before_commit")
        try:
            self._commit()
        except EvcsError as error:
            if not self.failing:
                _log.error("%s; %s", error, error.hint)
                # What a spool told is noted in the same transaction, so none of it may go.
                self._most_audit = max(len(self._audit), MAX_AUDIT_WAITING)
            self.failing = True
            return self._result(self._refuse_requests())
        crash_point("central.committed")
        if self.failing:
            _log.info("the ledger is written again")
        self.failing = False
        for part in self._parts:
            part.clear()
        then, self._then = self._then, []
        for do in then:
            do()
        return self._result([])

    def commit_or_drop(self) -> bool:
        """Write all, or nothing of it ever; whether it is written."""
        result = self.commit()
        if not self.failing and not result.unwritten:
            return True
        for part in self._parts:
            part.clear()
        return False

    def _commit(self) -> None:
        readings = self._readings(self._sessions.values())
        rest = (self._audit, self._noted, self._forgotten, self._answered, readings)
        try:
            self._ledger.commit(self._sessions.values(), self._removed, *rest)
        except NeverWritten:
            self._commit_one_by_one()
            self._ledger.commit([], [], *rest)

    def _commit_one_by_one(self) -> None:
        """What the ledger refuses for ever holds up nothing else: it is said, and dropped."""
        waiting: list[tuple[str, list[Session], list[str]]]
        waiting = [(one, [session], []) for one, session in self._sessions.items()]
        waiting += [(one, [], [one]) for one in self._removed]
        for session_id, saved, removed in waiting:
            try:
                self._ledger.commit(saved, removed, [])
            except NeverWritten as error:
                _log.error("session=%s can never be written: %s", session_id, error)
                self._never.add(session_id)
            self._sessions.pop(session_id, None)
        self._removed.clear()

    def _refuse_requests(self) -> list[Session]:
        """While the disk is full no session begins; what is under way waits to be written."""
        refused = [one for one in self._sessions.values() if one.phase == Phase.REQUESTED]
        for one in refused:
            del self._sessions[one.session_id]
        del self._audit[self._most_audit :]
        return refused

    def _result(self, refused: list[Session]) -> CommitResult:
        never, self._never = self._never, set()
        return CommitResult({*never, *(one.session_id for one in refused)}, refused)
