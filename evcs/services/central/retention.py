"""Keeps the ledger: its file where it is, and of what is old only as much as the settings say."""

from __future__ import annotations

import logging

from evcs.core.errors import EvcsError
from evcs.core.ports import Clock, Ledger
from evcs.core.retention import horizon

LOOK_EVERY_S = 5.0
EVERY_S = 86_400.0
AGAIN_S = 3_600.0
#: So few at a time that a charge is not kept waiting.
AT_ONCE = 1_000

_log = logging.getLogger("evcs")


class Retention:
    """How many days settled sessions and the audit are kept; 0 is for ever."""

    def __init__(
        self, ledger: Ledger, sessions_days: int, audit_days: int, clock: Clock
    ) -> None:  # fmt: skip
        self._ledger, self._clock = ledger, clock
        self._sessions_days, self._audit_days = sessions_days, audit_days
        self._due = self._look_at = 0.0

    def look(self, now: float) -> None:
        """See to the file, and drop a part of what is due; `now` is monotonic.

        Raises EvcsError where the file is another and can't be put right: then nobody may go on.
        """
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._ledger.look()
        if now < self._due or not (self._sessions_days or self._audit_days):
            return
        at, newest = self._clock.timestamp(), self._ledger.newest()
        sessions_from = horizon(self._sessions_days, at, newest)
        audit_from = horizon(self._audit_days, at, newest)
        try:
            more = self._ledger.drop(sessions_from, audit_from, at, AT_ONCE)
            self._due = now if more else now + EVERY_S
        except EvcsError as error:
            _log.error("what is old can't be dropped: %s; %s", error, error.hint)
            self._due = now + AGAIN_S
