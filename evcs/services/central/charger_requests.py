"""What real chargers ask of Central: each request is answered once, however often it comes."""

from __future__ import annotations

from evcs.core import messages as m
from evcs.core.decisions import events as d
from evcs.core.ports import Clock
from evcs.core.shares import Shares
from evcs.services.central.driver_requests import CHARGES_A_SECOND, CHARGES_AT_ONCE, new_session_id
from evcs.services.central.fleet import Fleet
from evcs.services.central.ledger_writer import LedgerWriter

#: Cards that are nobody's, of one CP; who asks of more, or begins with more, is told nothing of
#: any. What was charged while it was offline is whose it was; it is told nothing of that either.
GUESSES, GUESSES_A_SECOND = 50, 0.1


class ChargerRequests:
    """Finds what a request names, and puts it to core.decisions."""

    def __init__(self, fleet: Fleet, writer: LedgerWriter, clock: Clock) -> None:
        self._fleet, self._writer = fleet, writer
        self._guesses = Shares(clock.monotonic, GUESSES, GUESSES_A_SECOND)
        self._starts = Shares(clock.monotonic, CHARGES_AT_ONCE, CHARGES_A_SECOND)
        #: Driver -> tags, which are compared whatever their case.
        self._tags: dict[str, frozenset[str]] = {}

    def connected(self) -> None:
        """All drivers are about to be told."""
        self._tags.clear()

    def on_driver(self, driver: m.DesiredDriver) -> None:
        """A driver, as the Registry has it now."""
        self._tags[driver.driver] = frozenset(map(str.casefold, driver.tags))

    def forget(self, driver: str) -> None:
        """A driver is removed."""
        self._tags.pop(driver, None)

    def on_request(self, asked: m.StationRequest, at: d.At) -> None:
        """A charger's request; the topic says whose. What is not answered is asked again."""
        starts = asked.verb == "start"
        answered = self._writer.answered(asked.id) if starts else None
        if starts and answered is None and self._starts.left(asked.cp) < 1.0:
            return
        driver = self._driver(asked.cp, asked.tag)
        guesses = answered is None and not self._may_know(asked.cp, driver)
        if guesses and not asked.offline:
            driver = None
        mine = self._fleet.of_driver(driver) if driver else None
        bound = self._fleet.where_bound(mine, at)
        event = d.AskedByStation(asked, new_session_id(at), driver, bound, answered, guesses)
        self._fleet.apply(asked.cp, event, at)
        if event.id in self._fleet.open:
            self._starts.take(asked.cp)
            if mine is not None and mine.cp != asked.cp and bound is None:
                self._fleet.leave(mine, at)

    def _may_know(self, cp: str, driver: str | None) -> bool:
        """Whether the CP has not asked of too many cards that are nobody's."""
        if self._has_back_end(cp):
            return True
        return self._guesses.left(cp) >= 1.0 if driver else self._guesses.take(cp)

    def _driver(self, cp: str, tag: str) -> str | None:
        """Whose card it is; the id of a session that is open at that CP stands for one."""
        if self._has_back_end(cp):
            return None
        record = self._fleet.records.get(cp)
        session = record.session if record is not None else None
        if session is not None and session.session_id == tag:
            return session.driver
        tag = tag.casefold()
        return next((who for who, tags in self._tags.items() if tag in tags), None)

    def _has_back_end(self, cp: str) -> bool:
        """Whether its cards are its back end's."""
        record = self._fleet.records.get(cp)
        return record is not None and record.desired is not None and bool(record.desired.backend)
