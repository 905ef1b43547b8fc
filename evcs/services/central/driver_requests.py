"""What drivers ask of Central, and its answers: each request is answered with one event."""

from __future__ import annotations

import os
from collections import deque
from typing import Any

from evcs.core import messages as m
from evcs.core.cp_record import CpRecord, judge
from evcs.core.decisions import events as d
from evcs.core.effects import denied, driver_events
from evcs.core.errors import EvcsError
from evcs.core.ports import Clock, Ledger
from evcs.core.session import Phase, Session, check, to_json, with_correction
from evcs.core.shares import Shares
from evcs.services.central import pages
from evcs.services.central.fleet import Fleet
from evcs.services.central.outbox import Outbox

#: A page takes some milliseconds, as long as hundreds of other requests.
AT_ONCE = 5
#: Of pages; the oldest give way.
MOST_WAITING = 1_000
#: Of a driver's sessions: a request that is sent again is one of the last.
REMEMBERED = 8
#: Of one driver: each is a row of the ledger.
CHARGES_AT_ONCE, CHARGES_A_SECOND = 1_000, 0.2


def new_session_id(at: d.At) -> str:
    """The day, and what nobody can guess."""
    return f"{at.wall[2:10].replace('-', '')}-{os.urandom(6).hex()}"


class DriverRequests:
    """Pages wait their turn; a change of a CP goes through core.decisions."""

    def __init__(self, fleet: Fleet, ledger: Ledger, outbox: Outbox, clock: Clock) -> None:
        self._fleet, self._ledger, self._outbox = fleet, ledger, outbox
        self._pages: deque[m.DriverRequest] = deque(maxlen=MOST_WAITING)
        self._charges = Shares(clock.monotonic, CHARGES_AT_ONCE, CHARGES_A_SECOND)

    @property
    def waiting(self) -> bool:
        """Whether there are pages that are still to be answered."""
        return bool(self._pages)

    def on_request(self, asked: m.DriverRequest, at: d.At) -> None:
        """A request; the topic says whose."""
        if asked.verb == "charge":
            self._charge(asked, at)
        elif asked.verb == "stop":
            self._stop(asked, at)
        elif asked.verb in pages.PAGED:
            self._pages.append(asked)
        elif asked.verb == "status":
            session = self._fleet.of_driver(asked.driver)
            self._answer(asked, {"session": to_json(session) if session else None})
        else:
            self._deny(asked, "bad_value", f"unknown verb {asked.verb[:40]!a}")

    def answer_pages(self) -> None:
        """Answer a few of the pages that are asked for: what else comes is never behind many."""
        for _ in range(min(AT_ONCE, len(self._pages))):
            self._page(self._pages.popleft())

    def _page(self, asked: m.DriverRequest) -> None:
        """A page of what grows with the fleet or with time."""
        limit = asked.limit if asked.limit is not None else pages.MAX_ROWS
        if not 1 <= limit <= pages.MAX_ROWS:
            self._deny(asked, "bad_value", f"limit must be 1 to {pages.MAX_ROWS}")
        elif asked.verb == "list":
            offers = (_offer(record) for record in self._fleet.wanted(asked.after or ""))
            self._answer(asked, pages.page("cps", "id", offers, limit))
        else:
            self._page_of_sessions(asked, limit)

    def _page_of_sessions(self, asked: m.DriverRequest, limit: int) -> None:
        current = self._fleet.open
        try:
            found = self._ledger.of_driver(asked.driver, limit + 1, asked.after)
            rows = [with_correction(check(current.get(one.session_id, one))) for one in found]
        except EvcsError as error:
            self._deny(asked, error.code, "the ledger can't be read")
        else:
            self._answer(asked, pages.page("sessions", "session_id", rows, limit))

    def _charge(self, asked: m.DriverRequest, at: d.At) -> None:
        mine = self._fleet.of_driver(asked.driver)
        if mine is not None and mine.request_id == asked.id:
            self._fleet.apply(mine.cp, d.ChargeAgain(), at)
            return
        earlier = self._settled(asked)
        if earlier is not None:
            for ticket in driver_events(earlier, "ticket"):
                self._outbox.publish(ticket)
            return
        if self._charges.left(asked.driver) < 1.0:
            again = f"at most one each {1 / CHARGES_A_SECOND:.0f} s"
            self._deny(asked, "conflict", f"too many charges at once; {again}")
            return
        session_id = new_session_id(at)
        event = d.Charge(asked, session_id, self._fleet.where_bound(mine, at))
        self._fleet.apply(asked.cp or "", event, at)
        if session_id in self._fleet.open:
            self._charges.take(asked.driver)
            if mine is not None:
                self._fleet.leave(mine, at)

    def _settled(self, asked: m.DriverRequest) -> Session | None:
        """The settled session of a request that comes again, among the driver's latest."""
        for session in self._ledger.of_driver(asked.driver, REMEMBERED):
            if session.request_id == asked.id and session.phase == Phase.SETTLED:
                return session
        return None

    def _stop(self, asked: m.DriverRequest, at: d.At) -> None:
        session = self._fleet.of_driver(asked.driver)
        if session is None:
            self._deny(asked, "conflict", "no session is under way")
        else:
            self._fleet.apply(session.cp, d.StopCharge(asked), at)

    def _answer(self, asked: m.DriverRequest, body: dict[str, Any]) -> None:
        self._outbox.publish(m.DriverEvent(asked.driver, "answer", asked.id, None, body))

    def _deny(self, asked: m.DriverRequest, code: str, reason: str) -> None:
        self._outbox.carry_out(denied(asked, code, reason))


def _offer(record: CpRecord) -> dict[str, Any]:
    """A CP as a driver's list has it."""
    desired = record.desired
    assert desired is not None
    return {
        "id": desired.id,
        "state": judge(record, desired)[0],
        "price_eur_kwh": desired.price_eur_kwh,
        "max_power_w": desired.max_power_w,
        "location": desired.location,
    }
