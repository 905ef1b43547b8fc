"""What drivers, the operator and the web page ask of Central, and its answers."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from evcs.adapters.clock import timestamp
from evcs.adapters.ledger import Ledger, to_json
from evcs.core import authorization, units
from evcs.core import messages as m
from evcs.core import session as s
from evcs.core.ids import FORGOTTEN
from evcs.services.central import pages
from evcs.services.central.outbox import Outbox

if TYPE_CHECKING:
    from evcs.services.central.service import Central

#: A page takes some milliseconds, as long as hundreds of other requests.
AT_ONCE = 5
#: Of pages, and of commands whose Engine has not replied; the oldest give way.
MOST_WAITING = 1_000
SIMULATE = frozenset({"plug", "unplug", "fault", "clear"})


class Requests:
    """Answers each request with one event; a change goes through Central."""

    def __init__(self, central: Central, ledger: Ledger, outbox: Outbox) -> None:
        self._central, self._ledger, self._outbox = central, ledger, outbox
        self._waiting: dict[tuple[str, str], m.OperatorRequest] = {}
        self._pages: deque[m.DriverRequest] = deque(maxlen=MOST_WAITING)

    def on_driver(self, asked: m.DriverRequest) -> None:
        """A driver's request; the topic says whose."""
        if asked.verb == "charge":
            self._charge(asked)
        elif asked.verb == "stop":
            self._stop(asked)
        elif asked.verb in pages.PAGED:
            self._pages.append(asked)
        elif asked.verb == "status":
            session = self._central.sessions.of_driver(asked.driver)
            self._answer(asked, {"session": to_json(session) if session else None})
        else:
            self._deny(asked, "bad_value", f"unknown verb {asked.verb[:40]!a}")

    @property
    def waiting(self) -> bool:
        """Whether there are pages that are still to be answered."""
        return bool(self._pages)

    def answer_pages(self) -> None:
        """Answer a few of the pages that are asked for: what else comes is never behind many."""
        for _ in range(min(AT_ONCE, len(self._pages))):
            self._page(self._pages.popleft())

    def on_operator(self, asked: m.OperatorRequest) -> None:
        """The operator's request, from the CLI or the page."""
        if asked.verb == "close":
            self._close(asked)
        elif asked.verb == "forget":
            self._forget(asked)
        elif asked.verb in SIMULATE:
            self._simulate(asked)
        elif asked.verb == "ping":
            self._outbox.publish(m.OperatorEvent(asked.asker, "answer", asked.id, True))
        else:
            self._tell(asked, "bad_value", f"unknown verb {asked.verb[:40]!a}")

    def on_reply(self, reply: m.Reply) -> None:
        """An Engine's answer to a command given by hand."""
        asked = self._waiting.pop((reply.cp, reply.id), None)
        if asked is not None:
            self._tell(asked, None if reply.ok else "conflict", reply.error or "")

    def _page(self, asked: m.DriverRequest) -> None:
        """A page of what grows with the fleet or with time."""
        limit = asked.limit if asked.limit is not None else pages.MAX_ROWS
        if not 1 <= limit <= pages.MAX_ROWS:
            self._deny(asked, "bad_value", f"limit must be 1 to {pages.MAX_ROWS}")
        elif asked.verb == "list":
            offers = (self._offer(cp) for cp in self._central.cps(asked.after or ""))
            self._answer(asked, pages.page("cps", "id", offers, limit))
        else:
            found = self._ledger.of_driver(asked.driver, limit + 1, asked.after)
            current = self._central.sessions.open
            rows = (to_json(current.get(one.session_id, one)) for one in found)
            self._answer(asked, pages.page("sessions", "session_id", rows, limit))

    def _charge(self, asked: m.DriverRequest) -> None:
        central = self._central
        known = central.fleet.get(asked.cp or "")
        energy = asked.energy_wh if asked.energy_wh is not None else units.DEFAULT_ENERGY_WH
        if not 1 <= energy <= units.MAX_ENERGY_WH:
            self._deny(asked, "bad_value", f"energy must be 1 to {units.MAX_ENERGY_WH} Wh")
            return
        state = central.judging.state_of(asked.cp or "")
        here = central.sessions.at_cp(asked.cp or "")
        mine = central.sessions.of_driver(asked.driver)
        if mine is not None and mine.request_id == asked.id:
            self._charge_again(mine)
            return
        denial = authorization.authorize(
            authorization.Situation(
                known.desired if known else None,
                state.state if state else "",
                state.reason if state else "",
                here.session_id if here else None,
                mine.cp if mine else None,
            )
        )
        if denial is not None or known is None or known.desired is None:
            denial = denial or authorization.Denial("not_found", "unknown CP")
            self._deny(asked, denial.code, denial.reason)
            return
        session = central.sessions.request(asked.driver, known.desired, energy, asked.id)
        central.tell_due(session)

    def _charge_again(self, session: s.Session) -> None:
        """A request that is sent again, to a Central that was away, makes no second session."""
        if session.phase == s.REQUESTED:
            self._central.tell_due(session)
        else:
            self._central.sessions.accepted(session)

    def _stop(self, asked: m.DriverRequest) -> None:
        session = self._central.sessions.of_driver(asked.driver)
        if session is None:
            self._deny(asked, "conflict", "no session is under way")
            return
        self._central.stop_session(session, "driver")
        who = f"driver/{asked.driver}"
        self._central.entries.add(who, "stop", session.cp, "ok", session.session_id)
        self._answer(asked, {"session": to_json(session)})

    def _offer(self, desired: m.DesiredCp) -> dict[str, Any]:
        state = self._central.judging.state_of(desired.id)
        return {
            "id": desired.id,
            "state": state.state if state else "",
            "price_eur_kwh": desired.price_eur_kwh,
            "max_power_w": desired.max_power_w,
            "location": desired.location,
        }

    def _answer(self, asked: m.DriverRequest, body: dict[str, Any]) -> None:
        self._outbox.publish(m.DriverEvent(asked.driver, "answer", asked.id, None, body))

    def _deny(self, asked: m.DriverRequest, code: str, reason: str) -> None:
        body: dict[str, object] = {"code": code, "reason": reason, "cp": asked.cp}
        self._outbox.publish(m.DriverEvent(asked.driver, "denied", asked.id, None, body))
        who = f"driver/{asked.driver}"
        self._central.entries.add(who, asked.verb[:40], asked.cp, "denied", reason)

    def _close(self, asked: m.OperatorRequest) -> None:
        session = self._central.sessions.open.get(asked.session_id or "")
        if session is None:
            found = self._central.sessions.find(asked.session_id or "")
            text = (
                "it is settled already"
                if found
                else f"no session {asked.session_id}; list them with: evcs sessions"
            )
            self._tell(asked, "conflict" if found else "not_found", text)
            return
        after = self._central.sessions.advance(session, s.Closed("closed", timestamp()))
        self._central.mark_dirty(after.cp)
        self._central.tell_due(after)
        self._tell(asked, None, "", {"session": to_json(after)})

    def _forget(self, asked: m.OperatorRequest) -> None:
        """A driver's name out of tickets and audit; neither answer nor entry may repeat it."""
        driver = asked.driver or ""
        if self._outbox.failing:
            # What spools have of the driver can't be taken up, and would come behind.
            self._tell(asked, "failed", "the ledger can't be written; make room, try again")
            return
        self._central.take_up_spools()
        if self._central.sessions.of_driver(driver) is not None:
            self._tell(asked, "conflict", "a session of this driver is not settled yet")
        elif driver.startswith(FORGOTTEN) or not (
            self._ledger.knows(driver) or self._outbox.names(driver)
        ):
            self._tell(asked, "not_found", "neither a ticket nor the audit names this driver")
        else:
            pseudonym = FORGOTTEN + os.urandom(6).hex()
            self._central.entries.forget(f"driver/{driver}")
            self._outbox.forget_driver(driver, pseudonym)
            self._tell(asked, None, "", {"driver": pseudonym})

    def _simulate(self, asked: m.OperatorRequest) -> None:
        known = self._central.fleet.get(asked.cp or "")
        if known is None:
            self._tell(asked, "not_found", f"no CP {asked.cp}")
            return
        if known.engine is None or not known.engine.online:
            self._tell(asked, "conflict", "its Engine is not there")
            return
        if len(self._waiting) >= MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[known.cp, asked.id] = asked
        self._outbox.audit(asked.asker, asked.verb, asked.cp, "asked", asked.reason or "")
        self._central.tell(m.Command(known.cp, asked.verb, asked.id, reason=asked.reason))

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
        self._outbox.audit(who, asked.verb[:40], asked.cp, outcome, asked.session_id or "")
