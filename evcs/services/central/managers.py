"""What is asked of a CP's processes goes to the CP Manager of its host, and its answer back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evcs.core import messages as m
from evcs.core import placement
from evcs.core.effects import Audit
from evcs.core.errors import EvcsError, NotFound, Unreachable
from evcs.services.central.fleet import Fleet
from evcs.services.central.outbox import Outbox

ACTS = frozenset({"restart", "kill"})
VERBS = ACTS | {"processes", "log"}
#: A CP Manager that is there replies at once; who asks waits a little longer.
REPLY_WITHIN_S = 5.0
#: Requests that are known, answered or not; the oldest give way.
MOST_KNOWN = 1_000


class Waiting(NamedTuple):
    """A request that a host has not replied to, and until when it may."""

    asked: m.OperatorRequest
    host: str
    until: float


class Managers:
    """Passes requests on and answers each id once; what a reply says is not read here."""

    def __init__(self, fleet: Fleet, outbox: Outbox) -> None:
        self._fleet, self._outbox = fleet, outbox
        self._there: set[str] = set()
        #: None: answered.
        self._known: dict[str, Waiting | None] = {}

    def connected(self) -> None:
        """All is told anew."""
        self._there.clear()

    def on_status(self, status: m.ServiceStatus) -> None:
        """Whether a host's CP Manager is there."""
        service, _, host = status.service.partition("/")
        if service == "manager":
            (self._there.add if status.online else self._there.discard)(host)

    def ask(self, asked: m.OperatorRequest, now: float) -> None:
        """Pass a request on; one whose id is known already is not asked again."""
        if asked.id in self._known:
            return
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[asked.id] = None
        record = self._fleet.records.get(asked.cp or "")
        if record is None or record.desired is None:
            self._refuse(asked, NotFound(f"no CP {asked.cp}", "list them with: evcs-cp list"))
            return
        host = placement.holder(record.desired).host
        if host not in self._there:
            self._refuse(
                asked,
                Unreachable(f"the CP Manager of host {host} is not there", "see: evcs status"),
            )
            return
        self._known[asked.id] = Waiting(asked, host, now + REPLY_WITHIN_S)
        self._audit(asked, "asked")
        self._outbox.publish(
            m.ManagerCommand(host, asked.verb, asked.id, record.cp, asked.role, asked.after)
        )

    def on_reply(self, reply: m.ManagerReply) -> None:
        """A CP Manager's answer: the first of the host that was asked goes on to who asked."""
        waiting = self._known.get(reply.id)
        if waiting is not None and waiting.host == reply.host:
            self._tell(waiting.asked, reply.ok, reply.error, reply.body)

    def expire(self, now: float) -> None:
        """Answer for the hosts that have not replied in time."""
        for waiting in list(self._known.values()):
            if waiting is not None and waiting.until <= now:
                text = f"the CP Manager of host {waiting.host} does not answer"
                self._refuse(waiting.asked, Unreachable(text, "see: evcs logs cp-manager"))

    def _refuse(self, asked: m.OperatorRequest, error: EvcsError) -> None:
        body = {"message": error.message, "hint": error.hint}
        self._tell(asked, False, error.code, body)

    def _tell(
        self, asked: m.OperatorRequest, ok: bool, error: str | None, body: Mapping[str, object]
    ) -> None:
        self._known[asked.id] = None
        self._outbox.publish(m.OperatorEvent(asked.asker, "answer", asked.id, ok, error, body))
        self._audit(asked, "ok" if ok else f"refused: {body.get('message') or error}")

    def _audit(self, asked: m.OperatorRequest, outcome: str) -> None:
        if asked.verb in ACTS:
            one = Audit(asked.asker, asked.verb, asked.cp, outcome[:200], asked.role or "")
            self._outbox.carry_out([one])
