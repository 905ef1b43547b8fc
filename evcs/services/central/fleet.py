"""Every CP as Central knows it, and the open sessions: each event is put to core.decisions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from evcs.core import messages as m
from evcs.core.cp_record import CpRecord
from evcs.core.decisions import events as d
from evcs.core.decisions.decide import Decision, decide
from evcs.core.effects import Effect, Remove, Save, SaveFigures
from evcs.core.end_reasons import EndReason
from evcs.core.patience import Patience
from evcs.core.placement import MAIN, holder
from evcs.core.session import HALTED, Phase, Session
from evcs.services.central.ledger_writer import LedgerWriter
from evcs.services.central.outbox import Outbox
from evcs.services.central.power_notes import PowerNotes

#: What names a session that may be another than the CP's present one.
NAMING = (m.EngineStatus, m.SessionEvent)

#: Whose session has been interrupted for so long may charge elsewhere.
FREE_AFTER_S = 30.0

_log = logging.getLogger("evcs")


class Fleet:
    """Records by CP, and the sessions that are not settled, by id."""

    def __init__(
        self, sessions: Iterable[Session], writer: LedgerWriter, outbox: Outbox, clock: float,
        patience: Patience,
    ) -> None:  # fmt: skip
        self._writer, self._outbox, self._patience = writer, outbox, patience
        self.records: dict[str, CpRecord] = {}
        self.open: dict[str, Session] = {}
        #: Driver -> the ids of all open sessions that name him, the latest last.
        self._of_driver: dict[str, list[str]] = {}
        self._changed: set[str] = set()
        #: Hosts for which nobody speaks.
        self._gone: set[str] = set()
        for session in sessions:
            self._note(session)
            record = self.records.get(session.cp) or self._unseen(session.cp, clock)
            if session.phase == Phase.LATE:
                record = record._replace(late=session)
            else:
                record = record._replace(
                    session=session, requested_at=clock,
                    halted_at=clock if session.phase in HALTED else None,
                )  # fmt: skip
            self.records[session.cp] = record

    def apply(self, cp: str, event: d.Event, at: d.At) -> None:
        """Decide on an event of a CP; what has to be done goes to the outbox."""
        if isinstance(event, m.SessionEvent) and self._writer.removes(event.session_id):
            return  # its Engine has just turned it down; what it says again is heard then
        before = self.records.get(cp) or self._unseen(cp, at.clock)
        if isinstance(event, m.DesiredCp):
            before = before._replace(host_gone=holder(event).host in self._gone)
        decision = decide(before, event, at, self._named(before, event))
        self._take_over(before, decision)
        self._outbox.carry_out(decision.effects)

    def close(self, asked: m.OperatorRequest, session: Session, at: d.At) -> bool:
        """Close an open session, if that can be written; else it goes on, and nothing is told."""
        self.take_back(self._outbox.commit(), at)
        if self._writer.failing:
            return False
        before = self.records[session.cp]
        decision = decide(before, d.Close(asked, session), at)
        if not self._outbox.carry_out_now(decision.effects):
            return False
        self._take_over(before, decision)
        return True

    def restore(self, notes: PowerNotes, clock: float) -> None:
        """What was noted of the power of CPs."""
        for cp in notes:
            record = self.records.get(cp) or self._unseen(cp, clock)
            self.records[cp] = notes.restored(record)

    def host_told(self, host: str, online: bool) -> None:
        """Whether somebody speaks for a host; the centre is there as long as we are."""
        if host == MAIN or online == (host not in self._gone):
            return
        (self._gone.discard if online else self._gone.add)(host)
        for cp, record in self.records.items():
            if record.desired is not None and holder(record.desired).host == host:
                self.records[cp] = record._replace(host_gone=not online)
                self._changed.add(cp)

    def forget(self, cp: str) -> None:
        """The CP is gone, and nothing of it is kept."""
        self.records.pop(cp, None)

    def forget_desired(self, cp: str) -> None:
        """The Registry tells of the CP no more."""
        record = self.records.get(cp)
        if record is not None:
            self.records[cp] = record._replace(desired=None)

    def take_changed(self) -> set[str]:
        """CPs that may be shown otherwise than at the last call."""
        taken, self._changed = self._changed, set()
        return taken

    def wanted(self, after: str = "") -> Iterator[CpRecord]:
        """The CPs that the Registry wants, by id; those behind one, if it is named."""
        for cp in sorted(name for name in self.records if name > after):
            record = self.records[cp]
            if record.desired is not None:
                yield record

    def of_driver(self, driver: str) -> Session | None:
        """The session that a driver has under way: the latest that is not halted, if there is one.

        One that was told late may be over; where his card was turned down he charges nothing.
        """
        mine = [self.open[one] for one in self._of_driver.get(driver, ())]
        live = [
            one for one in mine
            if one.phase != Phase.LATE and one.reason != EndReason.UNAUTHORISED
        ]  # fmt: skip
        flowing = [one for one in live if one.phase not in HALTED]
        return (flowing or live)[-1] if live else None

    def names(self, driver: str) -> bool:
        """Whether an open session names the driver, also one that he left or that was told late."""
        return driver in self._of_driver

    def where_bound(self, session: Session | None, at: d.At) -> str | None:
        """The CP where its driver has to stay; where nothing has flowed for long he may leave."""
        if session is None:
            return None
        record = self.records[session.cp]
        halted_at = record.halted_at
        if session.phase == Phase.REQUESTED:  # nothing flows yet, and may never
            halted_at = record.engine_lost_at
        if halted_at is None:
            return session.cp
        halted_for = record.absent_for(halted_at, at.connected_at, at.clock)
        return session.cp if halted_for <= FREE_AFTER_S else None

    def leave(self, session: Session, at: d.At) -> None:
        """Its driver has begun another."""
        self.apply(session.cp, d.Leave(), at)

    def find(self, session_id: str) -> Session | None:
        """Any session, settled ones too."""
        return self.open.get(session_id) or self._writer.session(session_id)

    def take_back(self, sessions: Iterable[Session], at: d.At) -> None:
        """Requests that could not be written: as if they had not been made."""
        for session in sessions:
            self._drop(session)
            self.apply(session.cp, d.Unwritten(), at)

    def _take_over(self, before: CpRecord, decision: Decision) -> None:
        """Of a CP of which nothing is known, as a driver may name any, nothing is kept."""
        if decision.record is not before:
            self.records[before.cp] = decision.record
            self._changed.add(before.cp)
        for effect in decision.effects:
            self._index(effect)

    def _named(self, record: CpRecord, event: d.Event) -> Session | None:
        if not isinstance(event, NAMING) or not event.session_id:
            return None
        mine = record.session_by_id(event.session_id)
        return self.find(event.session_id) if mine is None else None

    def _index(self, effect: Effect) -> None:
        if isinstance(effect, (Save, SaveFigures)):
            self._note(effect.session)
        elif isinstance(effect, Remove):
            self._drop(effect.session)

    def _note(self, session: Session) -> None:
        before = self.open.get(session.session_id)
        if before is not None and before.phase != session.phase:
            _log.info("session=%s cp=%s %s", session.session_id, session.cp, session.phase)
        if session.phase != Phase.SETTLED:
            self.open[session.session_id] = session
            if before is None and session.driver is not None:
                self._of_driver.setdefault(session.driver, []).append(session.session_id)
        elif before is not None:
            self._drop(session)
        elif session.reason == EndReason.UNKNOWN_SESSION:
            _log.error("session=%s cp=%s was in no ledger; settled", session.session_id, session.cp)

    def _drop(self, session: Session) -> None:
        found, driver = self.open.pop(session.session_id, None), session.driver
        if found is not None and driver is not None:
            self._of_driver[driver].remove(session.session_id)
            if not self._of_driver[driver]:
                del self._of_driver[driver]

    def _unseen(self, cp: str, clock: float) -> CpRecord:
        """A CP of which nobody has spoken."""
        return CpRecord(cp, engine_lost_at=clock, monitor_lost_at=clock, patience=self._patience)
