"""Keeps the ledger: its file where it is, and of what is old only as much as the settings say."""

from __future__ import annotations

import logging
from typing import NamedTuple

from evcs.core.errors import EvcsError
from evcs.core.ports import Clock, Ledger
from evcs.core.readings import second_of
from evcs.core.retention import believed, horizon

LOOK_EVERY_S = 5.0
EVERY_S = 86_400.0
NOTED_EVERY_S = 3_600.0
#: In the ledger: the time of day that was believed last.
BELIEVED = "keep/believed"
AGAIN_S = 3_600.0
#: So few at a time that a charge is not kept waiting.
AT_ONCE = 1_000
#: Seconds of the epoch that nothing comes after.
NEVER = 2**40

_log = logging.getLogger("evcs")


class Keep(NamedTuple):
    """For how many days: settled sessions and the audit, 0 for ever; readings, 0 not at all."""

    sessions_days: int
    audit_days: int
    readings_days: int


class Retention:
    """Drops at its start and once a day what is older; some at a time, until nothing is left."""

    def __init__(self, ledger: Ledger, keep: Keep, clock: Clock) -> None:
        self._ledger, self._keep, self._clock = ledger, keep, clock
        self._due = self._look_at = self._note_at = self._noted_at = 0.0
        self._believed: str | None = None

    def look(self, now: float) -> None:
        """See to the file, and drop a part of what is due; `now` is monotonic.

        Raises EvcsError where the file is another and can't be put right: then nobody may go on.
        """
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._ledger.look()
        if now < min(self._due, self._note_at):
            return
        try:
            newest = self._ledger.newest()
            self._believe(now, newest)
            if now >= self._due:
                more = self._drop(newest)
                self._due = now if more else now + EVERY_S
        except EvcsError as error:
            _log.error("what is old can't be dropped: %s; %s", error, error.hint)
            self._due = self._note_at = now + AGAIN_S

    def _believe(self, now: float, newest: str | None) -> None:
        if self._believed is None:
            self._believed, self._noted_at = self._ledger.noted().get(BELIEVED, newest), now
        if now < self._note_at:
            return
        self._note_at = now + NOTED_EVERY_S
        if self._believed is not None:
            self._believed = believed(self._believed, self._clock.timestamp(), now - self._noted_at)
            self._ledger.commit([], [], [], {BELIEVED: self._believed})
            self._noted_at = now

    def _drop(self, newest: str | None) -> bool:
        """Whether there may be more."""
        at = self._clock.timestamp()
        present = min(at, self._believed or at)
        keep = self._keep
        sessions_from = horizon(keep.sessions_days, present, newest)
        audit_from = horizon(keep.audit_days, present, newest)
        more = bool(sessions_from or audit_from) and self._ledger.drop(
            sessions_from=sessions_from, audit_from=audit_from, at=at, limit=AT_ONCE
        )
        return self._drop_readings(horizon(keep.readings_days, present, newest)) or more

    def _drop_readings(self, before: str | None) -> bool:
        """All of them where none are to be kept."""
        if before is None:
            return not self._keep.readings_days and self._ledger.drop_readings(NEVER, AT_ONCE)
        return self._ledger.drop_readings(second_of(before), AT_ONCE)
