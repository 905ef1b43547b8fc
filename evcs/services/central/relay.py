"""What is asked of a CP's processes or charger goes to its host, and the answer back.

Processes are its CP Manager's, a real charger is its gateway's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from evcs.core import messages as m
from evcs.core.effects import Audit
from evcs.core.errors import Conflict, EvcsError, NotFound, Unreachable
from evcs.core.ids import short
from evcs.core.placement import MAIN, OCPP, holder
from evcs.core.replies import can_be
from evcs.services.central.fleet import Fleet
from evcs.services.central.outbox import Outbox

#: What only a charger can do, or its gateway say: whether it has taken what the Registry wants.
OF_CHARGERS = frozenset({"ocpp", "confirm"})
ACTS = frozenset({"ocpp", "restart", "kill"})
VERBS = ACTS | {"confirm", "processes", "log"}
#: Requests that are known, answered or not; the oldest give way.
MOST_KNOWN = 1_000


class Party(NamedTuple):
    """Who is asked: its name, its log, and in how many seconds it replies if it is there."""

    name: str
    log: str
    within_s: float


MANAGER, GATEWAY = "manager", "gateway"
#: A gateway replies when the charger has answered; who asks waits a little longer.
PARTIES = {
    MANAGER: Party("CP Manager", "cp-manager", 5.0),
    GATEWAY: Party("gateway", "_ocpp", 40.0),
}


class Waiting(NamedTuple):
    """A request that `service` of `host` has not replied to, and until when it may."""

    asked: m.OperatorRequest
    service: str
    host: str
    until: float

    @property
    def of(self) -> str:
        """The identity that is to reply."""
        return f"{self.service}/{self.host}"


class Relay:
    """Passes requests on and answers each id once; of a reply only its form is looked at here."""

    def __init__(self, fleet: Fleet, outbox: Outbox) -> None:
        self._fleet, self._outbox = fleet, outbox
        self._there: set[str] = set()
        #: None: answered.
        self._known: dict[str, Waiting | None] = {}

    def connected(self) -> None:
        """All is told anew."""
        self._there.clear()

    def on_status(self, status: m.ServiceStatus) -> None:
        """Whether a host's CP Manager or gateway is there: one that has ended answers nothing."""
        (self._there.add if status.online else self._there.discard)(status.service)
        for waiting in list(self._known.values()):
            if waiting and not status.online and waiting.of == status.service:
                party = PARTIES[waiting.service]
                text = f"the {party.name} of host {waiting.host} has ended"
                hint = f"{_where(waiting.host)}: evcs logs {party.log}"
                self._refuse(waiting.asked, Unreachable(text, hint))

    def ask(self, asked: m.OperatorRequest, now: float) -> None:
        """Pass a request on; one whose id is known already is not asked again."""
        if asked.id in self._known:
            return
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[asked.id] = None
        try:
            command = self._command(asked)
        except EvcsError as error:
            self._refuse(asked, error)
            return
        service = MANAGER if isinstance(command, m.ManagerCommand) else GATEWAY
        party = PARTIES[service]
        if f"{service}/{command.host}" not in self._there:
            text = f"the {party.name} of host {command.host} is not there"
            self._refuse(asked, Unreachable(text, f"{_where(command.host)}: evcs status"))
            return
        self._known[asked.id] = Waiting(asked, service, command.host, now + party.within_s)
        self._audit(asked, "asked")
        self._outbox.publish(command)

    def _command(self, asked: m.OperatorRequest) -> m.ManagerCommand | m.GatewayCommand:
        """What is told to whom. Raises EvcsError."""
        record = self._fleet.records.get(asked.cp or "")
        if record is None or record.desired is None:
            raise NotFound(f"no CP {asked.cp}", "list them with: evcs-cp list")
        cp, host, real = record.cp, holder(record.desired).host, record.desired.hosting == OCPP
        if real and asked.verb == "kill":
            raise Conflict(f"CP {cp} is a real charger", f"restart it with: evcs-cp restart {cp}")
        if asked.verb in OF_CHARGERS and not real:
            raise Conflict(f"CP {cp} is no real charger", f"see: evcs-cp show {cp}")
        if asked.verb in OF_CHARGERS or (real and asked.verb == "restart"):
            return m.GatewayCommand(host, asked.verb, asked.id, cp, asked.body)
        return m.ManagerCommand(host, asked.verb, asked.id, cp, asked.role, asked.after)

    def on_reply(self, reply: m.ManagerReply | m.GatewayReply) -> None:
        """The first answer of who was asked goes on to who asked."""
        waiting = self._known.get(reply.id)
        service = MANAGER if isinstance(reply, m.ManagerReply) else GATEWAY
        if waiting is None or (waiting.service, waiting.host) != (service, reply.host):
            return
        if service == MANAGER and reply.ok and not can_be(waiting.asked.verb, reply.body):
            text = f"the answer of the CP Manager of host {waiting.host} can't be read"
            self._refuse(waiting.asked, Unreachable(text, f"{_where(waiting.host)}: evcs doctor"))
        else:
            self._tell(waiting.asked, reply.ok, reply.error, reply.body)

    def expire(self, now: float) -> None:
        """Answer for those that have not replied in time."""
        for waiting in list(self._known.values()):
            if waiting is not None and waiting.until <= now:
                party = PARTIES[waiting.service]
                text = f"the {party.name} of host {waiting.host} does not answer"
                hint = f"{_where(waiting.host)}: evcs logs {party.log}"
                self._refuse(waiting.asked, Unreachable(text, hint))

    def _refuse(self, asked: m.OperatorRequest, error: EvcsError) -> None:
        self._tell(asked, False, error.code, error.body)

    def _tell(
        self, asked: m.OperatorRequest, ok: bool, error: str | None, body: Mapping[str, object]
    ) -> None:
        self._known[asked.id] = None
        self._outbox.publish(m.OperatorEvent(asked.asker, "answer", asked.id, ok, error, body))
        self._audit(asked, "ok" if ok else f"refused: {body.get('message') or error}")

    def _audit(self, asked: m.OperatorRequest, outcome: str) -> None:
        """Of what is told to a charger the action or order alone: the rest may hold its keys."""
        if asked.verb in ACTS:
            action = asked.body.get("action", asked.body.get("order"))
            detail = asked.role or (short(action) if isinstance(action, str) else "")
            one = Audit(asked.who, asked.verb, asked.cp, outcome[:200], detail)
            self._outbox.carry_out([one])


def _where(host: str) -> str:
    """Where to look for what is wrong with a host."""
    return "see" if host == MAIN else "there"
