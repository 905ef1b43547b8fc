"""Central's open sessions: each event through core.session's table, each change saved first."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from evcs.adapters.clock import timestamp
from evcs.adapters.ledger import Ledger, to_json
from evcs.core import messages as m
from evcs.core import session as s
from evcs.services.central.entries import Entries
from evcs.services.central.outbox import Outbox

SAVE_FIGURES_EVERY_S = 5.0
#: An Engine holds one supply: of more that nobody knows, an honest one tells only after a loss.
MOST_UNKNOWN = 3

_log = logging.getLogger("evcs")


class Sessions:
    """Sessions that are not settled, by id, by CP and by driver."""

    def __init__(
        self, ledger: Ledger, outbox: Outbox, entries: Entries, clock: Callable[[], float]
    ) -> None:
        self._ledger, self._outbox, self._clock = ledger, outbox, clock
        self._entries = entries
        self.open = {one.session_id: one for one in ledger.open_sessions()}
        self._at_cp = {one.cp: one.session_id for one in self.open.values()}
        self._of_driver = {one.driver: one.session_id for one in self.open.values()}
        self._asked_at = {one: clock() for one in self.open}
        self._unsaved: set[str] = set()
        self._accepted: set[str] = set()
        self._figures_saved_at = 0.0
        self._refusals: dict[tuple[str, str], int] = {}
        self._unknown: dict[str, int] = {}

    def at_cp(self, cp: str) -> s.Session | None:
        """The session under way at a CP."""
        return self.open.get(self._at_cp.get(cp, ""))

    def of_driver(self, driver: str) -> s.Session | None:
        """The session that a driver has under way."""
        return self.open.get(self._of_driver.get(driver, ""))

    def find(self, session_id: str) -> s.Session | None:
        """Any session, settled ones too."""
        return (
            self.open.get(session_id)
            or self._outbox.unwritten(session_id)
            or self._ledger.session(session_id)
        )

    def request(self, driver: str, cp: m.DesiredCp, energy_wh: int, request_id: str) -> s.Session:
        """A new session at the price of now."""
        now = timestamp()
        session_id = f"{now[2:10].replace('-', '')}-{os.urandom(6).hex()}"
        session = s.Session(
            session_id,
            cp.id,
            driver,
            cp.price_eur_kwh,
            energy_wh,
            cp.max_power_w,
            now,
            request_id=request_id,
        )
        self.open[session_id] = session
        self._at_cp[cp.id] = self._of_driver[driver] = session_id
        self._asked_at[session_id] = self._clock()
        self._outbox.save(session)
        self._entries.add(f"driver/{driver}", "charge", cp.id, "asked", session_id)
        return session

    def accepted(self, session: s.Session) -> None:
        """The CP takes the session, which is on disk since the request; so nothing waits for it."""
        self._outbox.publish_at_once(_event(session, "authorised", _figures(session)))
        if session.session_id not in self._accepted:
            self._accepted.add(session.session_id)
            self._outbox.audit(
                f"driver/{session.driver}", "charge", session.cp, "authorised", session.session_id
            )

    def refused(self, session: s.Session, why: str) -> None:
        """The CP turned the session down: it never was one."""
        self.tell(session, "denied", {"code": "conflict", "reason": f"the CP refused: {why}"})
        self._outbox.forget(session.session_id)
        who = f"driver/{session.driver}"
        self._entries.add(who, "charge", session.cp, "denied", f"the CP refused: {why}")
        self._drop(session)

    def unwritten(self, session: s.Session) -> None:
        """A request that could not be written: as if it had not been made."""
        reason = "the ledger can't be written now; try again later"
        self.tell(session, "denied", {"code": "failed", "reason": reason})
        self._drop(session)

    def advance(self, session: s.Session, event: s.Event) -> s.Session:
        """Put an event to the table; save and tell what comes of it."""
        after = s.advance(session, event)
        if after == session:
            return after
        self.open[after.session_id] = after
        if (after.phase, after.state) == (session.phase, session.state):
            self._unsaved.add(after.session_id)
            return after
        self._outbox.save(after)
        self._unsaved.discard(after.session_id)
        if after.phase != session.phase:
            began = (session.phase, after.phase) == (s.REQUESTED, s.SUPPLYING)
            if began and after.session_id not in self._accepted:
                self.accepted(after)  # its word was lost, or we were away
            self._on_phase(after)
        return after

    def due(self, session: s.Session, engine: m.EngineStatus | None) -> m.Command | None:
        """The command that the session's Engine must be told now."""
        age = self._clock() - self._asked_at.get(session.session_id, 0.0)
        due = s.due(session, engine, age)
        return command(session, due) if due else None

    @property
    def refused_readings(self) -> int:
        """Readings that could not be."""
        return sum(count for (_, what), count in self._refusals.items() if what == "meter")

    def refuse_reading(self, meter: m.Meter) -> None:
        """A reading that can't be."""
        text = f"{meter.session_id} seq {meter.seq} {meter.energy_wh} Wh {meter.power_w} W"
        self.refuse(meter.cp, "meter", "refused", text)

    def refuse(self, cp: str, what: str, outcome: str, text: str) -> None:
        """Count what can't be of a CP; the first, second, fourth, eighth... is in the audit."""
        count = self._refusals[cp, what] = self._refusals.get((cp, what), 0) + 1
        if count & (count - 1) == 0:
            _log.warning("cp=%s %s %s, the %d. time: %s", cp, what, outcome, count, text[:200])
            self._outbox.audit(f"cp/{cp}/engine", what, cp, outcome, f"{text[:200]} ({count})")

    def settle_unknown(self, told: m.SessionEvent, cp: m.DesiredCp) -> s.Session | None:
        """The ticket, without a driver, of Wh delivered in a session that the ledger lost.

        None where it can't be one, or the CP has told of too many.
        """
        event = s.Ended(told.seq, told.energy_wh, s.UNKNOWN, timestamp())
        session = s.unknown(told.session_id, cp, event)
        if session is None or self._unknown.get(cp.id, 0) >= MOST_UNKNOWN:
            return None
        self._unknown[cp.id] = self._unknown.get(cp.id, 0) + 1
        self._outbox.save(session)
        self._audit_ticket(session)
        _log.error("session=%s cp=%s was in no ledger; settled", session.session_id, cp.id)
        return session

    def _audit_ticket(self, session: s.Session) -> None:
        detail = f"{session.session_id} {session.energy_wh} Wh {session.cost_eur} EUR"
        self._outbox.audit("central", "ticket", session.cp, session.reason or "", detail)

    def save_figures(self, now: float) -> None:
        """Have the energies of running sessions written, all in one transaction."""
        if self._unsaved and now - self._figures_saved_at >= SAVE_FIGURES_EVERY_S:
            for one in self._unsaved & self.open.keys():
                self._outbox.save(self.open[one])
            self._unsaved.clear()
            self._figures_saved_at = now

    def tell(self, session: s.Session, event: str, body: dict[str, object] | None = None) -> None:
        """Tell the session's driver."""
        self._outbox.publish(
            _event(session, event, body if body is not None else _figures(session))
        )

    def _on_phase(self, session: s.Session) -> None:
        _log.info("session=%s cp=%s %s", session.session_id, session.cp, session.phase)
        if session.phase == s.SUPPLYING:
            self.tell(session, "started")
        elif session.phase == s.INTERRUPTED:
            self.tell(session, "interrupted")
        elif session.phase == s.SETTLED:
            self.tell(session, "ticket")
            self._audit_ticket(session)
            self._drop(session)

    def _drop(self, session: s.Session) -> None:
        self.open.pop(session.session_id, None)
        self._at_cp.pop(session.cp, None)
        self._of_driver.pop(session.driver, None)
        self._asked_at.pop(session.session_id, None)
        self._unsaved.discard(session.session_id)
        self._accepted.discard(session.session_id)


def _event(session: s.Session, event: str, body: dict[str, object]) -> m.DriverEvent:
    return m.DriverEvent(session.driver, event, session.request_id, session.session_id, body)


def _figures(session: s.Session) -> dict[str, object]:
    found = to_json(session)
    del found["session_id"]
    return {**found, "power_w": session.power_w, "requested_wh": session.requested_wh}


def command(session: s.Session, due: s.Due) -> m.Command:
    """The command to a session's Engine. Its id says what the reply is about."""
    starting = due.verb == "start"
    return m.Command(
        cp=session.cp,
        verb=due.verb,
        id=f"{session.session_id}.{due.verb}",
        session_id=session.session_id,
        energy_wh=session.requested_wh if starting else None,
        max_power_w=session.max_power_w if starting else None,
        reason=due.reason,
    )
