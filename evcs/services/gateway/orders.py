"""What Central commands, put to a charger; and the charger's own word as the reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from evcs.core import messages as m
from evcs.core.end_reasons import EndReason
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.charging_profiles import Allowance
from evcs.core.ocpp.ports import NoAnswer, NotSendable, Refused
from evcs.core.ports import Log
from evcs.core.supply import Refusal
from evcs.runtime.crash_points import crash_point
from evcs.services.gateway.holdings import Holdings
from evcs.services.gateway.tasks import Tasks
from evcs.services.gateway.voice import ConnectorSeen, Voice

#: A charger that was told to stop is not told again before.
STOP_AGAIN_S = 20.0
#: Beyond a charger's own connection timeout.
START_GRACE_S = 15.0
#: For a charger to end what is under way at a CP that is being deleted; then it has what was read.
LEAVE_WITHIN_S = 60.0
ACCEPTED = "Accepted"


class ConnectedCharger(Protocol):
    """The station at the other end of a connection. Raises Refused, NoAnswer."""

    @property
    def connection_timeout_s(self) -> float:
        """How long it waits for a car after a start from afar."""

    async def start(self, connector: int, session_id: str) -> str:
        """Have it begin a charge; its word, "Accepted" or another."""

    async def stop(self, one: t.Transaction) -> str:
        """Have it end one; its word."""

    @property
    def rate_unit(self) -> str:
        """In what it takes limits: W, or A where it takes no W."""

    async def set_limit(self, allowance: Allowance) -> str:
        """Have it take no more; its word."""

    async def clear_limits(self, connector: int) -> str:
        """Have it take what it can; its word."""


class OrderParts(NamedTuple):
    """What orders work with. `end(one, reason)`: one that never began is over."""

    number: Callable[[], int]
    now: Callable[[], datetime]
    end: Callable[[t.Transaction, str], None]
    tell: Callable[[], None]
    log: Log


class Orders:
    """Of one connector. `charger` is None while it is away."""

    def __init__(self, connector: int, holdings: Holdings, voice: Voice, parts: OrderParts) -> None:
        self._connector, self._holdings, self._voice = connector, holdings, voice
        self._parts = parts
        self.charger: ConnectedCharger | None = None
        self._there_since = 0.0
        self._stop_asked: dict[int, datetime] = {}
        self._leaves_at: datetime | None = None
        self._tasks = Tasks(parts.log)

    def connected(self, charger: ConnectedCharger) -> None:
        """It is there: what it was asked to begin before, it has its time for from now on."""
        self.charger, self._there_since = charger, self._parts.now().timestamp()

    def take(self, cmd: m.Command, seen: ConnectorSeen) -> None:
        """Carry a command out, and reply."""
        one = self._holdings.held.of_session(cmd.session_id) if cmd.session_id else None
        if cmd.verb == "start" and cmd.session_id and cmd.energy_wh:
            self._start(cmd, cmd.energy_wh, one, seen)
        elif cmd.verb == "settled" and cmd.session_id:
            if isinstance(one, t.Transaction) and one.phase == t.Phase.ENDED:
                self._holdings.keep(self._holdings.held.settle(one))
                crash_point("gateway.settled")
            self._voice.reply(cmd, None)
        elif cmd.verb in ("stop", "resume") and cmd.session_id:
            there = isinstance(one, t.Transaction) and not one.is_lost
            asked = any(known.phase == t.Phase.ASKED for known in self._holdings.held.transactions)
            if there or not asked:  # else it may be the one of which the answer is still to come
                self._voice.reply(cmd, None if there else Refusal.NO_SESSION)
            if there and isinstance(one, t.Transaction) and cmd.verb == "stop":
                self._stop(one, cmd.reason or EndReason.STOPPED)
        else:
            self._voice.reply(cmd, Refusal.BAD_COMMAND)
        self._parts.tell()

    def stop(self, one: t.Transaction, reason: str) -> None:
        """Have the charger end a charge, for that reason."""
        now, asked = self._parts.now(), self._stop_asked.get(one.id)
        if self.charger is None or (asked and (now - asked).total_seconds() < STOP_AGAIN_S):
            return
        there = {known.id for known in self._holdings.held.transactions}
        self._stop_asked = {id_: at for id_, at in self._stop_asked.items() if id_ in there}
        self._stop_asked[one.id] = now
        self._holdings.put(self._holdings.current(one)._replace(reason=reason))
        self._tasks.do(self._remote_stop(self.charger, one))

    def look(self, leaves: bool) -> None:
        """Now and then: end what never began, and what is not ended at a CP that leaves."""
        now = self._parts.now()
        self._leaves_at = (self._leaves_at or now) if leaves else None
        given_up = self._leaves_at and (now - self._leaves_at).total_seconds() > LEAVE_WITHIN_S
        for one in self._holdings.held.transactions:
            if one.is_open and given_up:
                self._parts.end(one, EndReason.DELETED)
            elif one.phase == t.Phase.REMOTE and self._is_too_late(one):
                self._parts.end(one, EndReason.NOT_STARTED)

    def close(self) -> None:
        """Nothing more is done."""
        self._tasks.close()

    def _start(
        self,
        cmd: m.Command,
        energy_wh: int,
        one: t.Transaction | t.Over | None,
        seen: ConnectorSeen,
    ) -> None:
        if one is not None:
            self._voice.reply(cmd, None)
        elif self._holdings.held.live is not None:
            self._voice.reply(cmd, Refusal.BUSY)
        elif seen.fault is not None:
            self._voice.reply(cmd, Refusal.FAULTED)
        elif self.charger is None:
            self._voice.reply(cmd, "the charger is away")
        else:
            session = str(cmd.session_id)
            since = self._parts.now().timestamp()
            remote = t.Transaction(
                self._parts.number(), f"remote-{session}", t.Phase.REMOTE, session, session,
                target_wh=energy_wh, since=since,
            )  # fmt: skip
            self._holdings.put(remote)
            crash_point("gateway.remote_kept")
            self._tasks.do(self._remote_start(self.charger, cmd, remote))

    def _stop(self, one: t.Transaction, reason: str) -> None:
        if one.phase == t.Phase.ENDED:
            self._voice.ended(one)
        elif one.phase == t.Phase.REMOTE:
            self._parts.end(one, reason)
        else:
            self.stop(one, reason)

    async def _remote_start(
        self, charger: ConnectedCharger, cmd: m.Command, one: t.Transaction
    ) -> None:
        word = await word_of(charger.start(self._connector, str(one.session_id)))
        if word != ACCEPTED and self._holdings.current(one).phase == t.Phase.REMOTE:
            self._holdings.keep(self._holdings.held.drop(one))
            self._voice.reply(cmd, f"the charger answered {word}"[:200])
        else:
            self._voice.reply(cmd, None)
        self._parts.tell()

    def _is_too_late(self, one: t.Transaction) -> bool:
        if self.charger is None:  # it may have begun, and tell it once it is back
            return False
        waits_s = START_GRACE_S + self.charger.connection_timeout_s
        # One from after now was made before our clock was set back.
        return abs(self._parts.now().timestamp() - max(one.since, self._there_since)) > waits_s

    async def _remote_stop(self, charger: ConnectedCharger, one: t.Transaction) -> None:
        word = await word_of(charger.stop(one))
        if word != ACCEPTED:
            text = "transaction=%d told to stop; the charger answered %s"
            self._parts.log.error(text, one.id, word)


async def word_of(answer: Awaitable[str]) -> str:
    """What the charger said to a CALL of ours, or why it said nothing."""
    try:
        return await answer
    except (Refused, NotSendable) as refusal:
        return str(refusal)
    except NoAnswer:
        return "nothing"
