"""What the operator asks of Central, from the CLI or the page, and its answers."""

from __future__ import annotations

import os
from typing import NamedTuple

from evcs.core import back_ends
from evcs.core import messages as m
from evcs.core.asked_messages import SIMULATED
from evcs.core.decisions import events as d
from evcs.core.effects import Audit
from evcs.core.errors import BadValue
from evcs.core.ids import FORGOTTEN
from evcs.core.placement import OCPP
from evcs.core.session import Session
from evcs.services.central.auditor import Auditor
from evcs.services.central.fleet import Fleet
from evcs.services.central.ledger_writer import LedgerWriter
from evcs.services.central.outbox import Outbox

#: Of commands whose Engine has not replied; the oldest give way.
MOST_WAITING = 1_000
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


class OperatorRequests:
    """Answers each request with one event; a change of a CP goes through core.decisions."""

    def __init__(
        self, fleet: Fleet, writer: LedgerWriter, outbox: Outbox, auditor: Auditor
    ) -> None:
        self._fleet, self._writer = fleet, writer
        self._outbox, self._auditor = outbox, auditor
        self._unreplied: dict[tuple[str, str], Unreplied] = {}

    def on_request(self, asked: m.OperatorRequest, at: d.At) -> None:
        """A request of the operator's."""
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

    def on_reply(self, reply: m.Reply) -> None:
        """An Engine's answer to a command given by hand."""
        command = self._unreplied.pop((reply.cp, reply.id), None)
        if command is not None:
            code = None if reply.ok else "conflict"
            if command.request.verb == "present" and reply.error not in NO_CARDS_FAULT:
                code = None if reply.ok else "denied"
            self._tell(command.request, code, reply.error or "", dict(reply.body))

    def expire(self, now: float) -> None:
        """Answer for the Engines that have not replied in time."""
        for key, command in tuple(self._unreplied.items()):
            if command.until <= now:
                del self._unreplied[key]
                text = "its Engine does not reply; see: evcs status"
                self._tell(command.request, "timeout", text)

    def _ping(self, asked: m.OperatorRequest) -> None:
        failing = self._writer.failing
        body = {"message": UNWRITTEN} if failing else {}
        code = "failed" if failing else None
        self._outbox.publish(
            m.OperatorEvent(asked.asker, "answer", asked.id, not failing, code, body)
        )

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
