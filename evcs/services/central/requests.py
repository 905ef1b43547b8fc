"""What drivers, the operator and the web page ask of Central, and its answers."""

from __future__ import annotations

import os
from collections import deque
from typing import Any, NamedTuple

from evcs.core import back_ends
from evcs.core import messages as m
from evcs.core.asked_messages import SIMULATED
from evcs.core.cp_record import CpRecord, judge
from evcs.core.decisions import events as d
from evcs.core.effects import Audit, denied, driver_events
from evcs.core.errors import BadValue, EvcsError
from evcs.core.ids import FORGOTTEN
from evcs.core.placement import OCPP
from evcs.core.ports import Clock, Ledger
from evcs.core.session import Phase, Session, check, to_json, with_correction
from evcs.core.shares import Shares
from evcs.services.central import pages
from evcs.services.central.auditor import Auditor
from evcs.services.central.fleet import Fleet
from evcs.services.central.ledger_writer import LedgerWriter
from evcs.services.central.outbox import Outbox

#: A page takes some milliseconds, as long as hundreds of other requests.
AT_ONCE = 5
#: Of pages, and of commands whose Engine has not replied; the oldest give way.
MOST_WAITING = 1_000
#: Of a driver's sessions: a request that is sent again is one of the last.
REMEMBERED = 8
#: Of one driver: each is a row of the ledger.
CHARGES_AT_ONCE, CHARGES_A_SECOND = 1_000, 0.2
#: An Engine that is there replies at once; who asks waits a little longer.
REPLY_WITHIN_S = 5.0
UNWRITTEN = "the ledger can't be written; see: evcs logs central"
#: A back end is asked for a card, and may take its time.
PRESENTED_WITHIN_S = 25.0
#: Why nothing comes of a card, whosever it is.
NO_CARDS_FAULT = frozenset(
    {"busy", "faulted", "unavailable", "offline", "disk_full", "no room", "too often"}
)
#: Of a CP that is a charger of a back end.
STATION = frozenset({"present", "backend"})
SIMULATE = STATION.union(SIMULATED)


class Unreplied(NamedTuple):
    """A command that an Engine has not replied to, and until when it may."""

    request: m.OperatorRequest
    until: float


def new_session_id(at: d.At) -> str:
    """The day, and what nobody can guess."""
    return f"{at.wall[2:10].replace('-', '')}-{os.urandom(6).hex()}"


class Requests:
    """Answers each request with one event; a change of a CP goes through core.decisions."""

    def __init__(
        self, fleet: Fleet, ledger: Ledger, writer: LedgerWriter, outbox: Outbox, auditor: Auditor,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._fleet, self._ledger, self._writer = fleet, ledger, writer
        self._outbox, self._auditor = outbox, auditor
        self._unreplied: dict[tuple[str, str], Unreplied] = {}
        self._pages: deque[m.DriverRequest] = deque(maxlen=MOST_WAITING)
        self._charges = Shares(clock.monotonic, CHARGES_AT_ONCE, CHARGES_A_SECOND)

    @property
    def waiting(self) -> bool:
        """Whether there are pages that are still to be answered."""
        return bool(self._pages)

    def on_driver(self, asked: m.DriverRequest, at: d.At) -> None:
        """A driver's request; the topic says whose."""
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

    def on_operator(self, asked: m.OperatorRequest, at: d.At) -> None:
        """The operator's request, from the CLI or the page."""
        if asked.verb == "end":
            self._end(asked, at)
        elif asked.verb == "close":
            self._close(asked, at)
        elif asked.verb == "make_way":
            self._make_way(asked, at)
        elif asked.verb == "forget":
            self._forget(asked)
        elif asked.verb in SIMULATE:
            self._simulate(asked, at)
        elif asked.verb == "ping":
            self._ping(asked)
        else:
            self._tell(asked, "bad_value", f"unknown verb {asked.verb[:40]!a}")

    def _ping(self, asked: m.OperatorRequest) -> None:
        failing = self._writer.failing
        body = {"message": "the ledger can't be written; see: evcs logs central"} if failing else {}
        code = "failed" if failing else None
        self._outbox.publish(
            m.OperatorEvent(asked.asker, "answer", asked.id, not failing, code, body)
        )

    def on_reply(self, reply: m.Reply) -> None:
        """An Engine's answer to a command given by hand."""
        command = self._unreplied.pop((reply.cp, reply.id), None)
        if command is not None:
            code = None if reply.ok else "conflict"
            if command.request.verb == "present" and reply.error not in NO_CARDS_FAULT:
                code = None if reply.ok else "denied"
            self._tell(command.request, code, reply.error or "", dict(reply.body))

    def answer_pages(self) -> None:
        """Answer a few of the pages that are asked for: what else comes is never behind many."""
        for _ in range(min(AT_ONCE, len(self._pages))):
            self._page(self._pages.popleft())

    def expire(self, now: float) -> None:
        """Answer for the Engines that have not replied in time."""
        for key, command in tuple(self._unreplied.items()):
            if command.until <= now:
                del self._unreplied[key]
                text = "its Engine does not reply; see: evcs status"
                self._tell(command.request, "timeout", text)

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

    def _close(self, asked: m.OperatorRequest, at: d.At) -> None:
        session = self._open(asked)
        if session is not None and not self._fleet.close(asked, session, at):
            self._tell(asked, "failed", UNWRITTEN)

    def _end(self, asked: m.OperatorRequest, at: d.At) -> None:
        """Where its Engine is away it ends once that is back."""
        session = self._open(asked)
        if session is None:
            return
        record = self._fleet.records[session.cp]
        if record.session is None or record.session.session_id != session.session_id:
            text = f"it was told late; settle it: evcs sessions close {session.session_id}"
            self._tell(asked, "conflict", text)
        elif record.desired is not None and record.desired.backend is not None:
            text = f"the back end of {record.cp} alone ends its charges; or: evcs-cp unplug"
            self._tell(asked, "conflict", f"{text} {record.cp}")
        else:
            self._fleet.apply(session.cp, d.EndCharge(asked), at)

    def _open(self, asked: m.OperatorRequest) -> Session | None:
        """The session that is asked about; one that is not open is refused."""
        session = self._fleet.open.get(asked.session_id or "")
        if session is None and self._fleet.find(asked.session_id or ""):
            self._tell(asked, "conflict", "it is settled already")
        elif session is None:
            text = f"no session {asked.session_id}; list them with: evcs sessions"
            self._tell(asked, "not_found", text)
        return session

    def _make_way(self, asked: m.OperatorRequest, at: d.At) -> None:
        """Where its Engine is away the session ends once that is back."""
        cp = asked.cp or ""
        if cp in self._fleet.records:
            self._fleet.apply(cp, d.MakeWay(asked), at)
            self._tell(asked, None, "")
        else:
            self._tell(asked, "not_found", f"no CP {cp}; list them with: evcs-cp list")

    def _forget(self, asked: m.OperatorRequest) -> None:
        """A driver's name out of tickets and audit; neither answer nor entry may repeat it."""
        driver = asked.driver or ""
        if self._writer.failing:
            # What spools have of the driver can't be taken up, and would come behind.
            self._tell(asked, "failed", UNWRITTEN)
            return
        self._auditor.take_up()
        if self._fleet.names(driver):
            self._tell(asked, "conflict", "a session of this driver is not settled yet")
        elif driver.startswith(FORGOTTEN) or not self._writer.knows(driver):
            self._tell(asked, "not_found", "neither a ticket nor the audit names this driver")
        else:
            pseudonym = FORGOTTEN + os.urandom(6).hex()
            self._outbox.forget_driver(driver, pseudonym)
            self._tell(asked, None, "", {"driver": pseudonym})

    def _simulate(self, asked: m.OperatorRequest, at: d.At) -> None:
        record = self._fleet.records.get(asked.cp or "")
        if record is None:
            self._tell(asked, "not_found", f"no CP {asked.cp}")
            return
        if record.desired is not None and record.desired.hosting == OCPP:
            self._tell(asked, "conflict", f"CP {record.cp} is a real charger: do it there")
            return
        if asked.verb in STATION and (record.desired is None or record.desired.backend is None):
            self._tell(asked, "conflict", f"CP {record.cp} has no back end")
            return
        if record.engine is None or not record.engine.online:
            self._tell(asked, "conflict", "its Engine is not there")
            return
        command = m.Command(record.cp, asked.verb, asked.id, reason=asked.reason)
        within_s = REPLY_WITHIN_S
        if asked.verb == "present":
            try:
                command = command._replace(tag=back_ends.token(asked.body.get("tag")))
            except BadValue as error:
                self._tell(asked, "bad_value", error.message)
                return
            within_s = PRESENTED_WITHIN_S
        if len(self._unreplied) >= MOST_WAITING:
            del self._unreplied[next(iter(self._unreplied))]
        self._unreplied[record.cp, asked.id] = Unreplied(asked, at.clock + within_s)
        if asked.verb != "backend":
            self._audit(asked, "asked", asked.reason or "")
        self._outbox.publish(command)

    def _tell(
        self, asked: m.OperatorRequest, code: str | None, text: str,
        body: dict[str, object] | None = None,
    ) -> None:  # fmt: skip
        who = asked.asker
        self._outbox.publish(
            m.OperatorEvent(who, "answer", asked.id, code is None, code,
                            {"message": text, **(body or {})})
        )  # fmt: skip
        outcome = "ok" if code is None else f"refused: {text}"
        self._audit(asked, outcome, asked.session_id or "")

    def _audit(self, asked: m.OperatorRequest, outcome: str, detail: str) -> None:
        self._outbox.carry_out([Audit(asked.who, asked.verb[:40], asked.cp, outcome, detail)])


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
