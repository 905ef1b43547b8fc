"""Which machines are there, since when, and how far their clocks are off: judged, and told.

Each CP Manager that is there is asked for its time now and then. Nothing rests on what it says.
"""

from __future__ import annotations

from datetime import datetime
from secrets import token_hex
from typing import NamedTuple

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.decisions.events import At
from evcs.core.ids import is_word
from evcs.core.placement import MAIN
from evcs.services.central.outbox import Outbox

ASK_EVERY_S = 60.0
#: Half of the time that an answer took may be in what follows from it.
ANSWER_WITHIN_S = 1.0
#: After a new connection: who was there is back by then.
BACK_WITHIN_S = 10.0


class _Said(NamedTuple):
    """What a machine has said of itself."""

    address: str | None = None
    clock_off_s: float | None = None


class HostStates:
    """The centre, and all that have joined."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._there = {MAIN}
        #: CP Managers, as heard over this connection.
        self._heard: dict[str, m.ServiceStatus] = {}
        self._said: dict[str, _Said] = {}
        self._published: dict[str, m.HostState] = {}
        self._again: set[str] = set()
        self._ask_at: dict[str, float] = {}
        #: Host -> the id of what it was asked last, and when.
        self._asked: dict[str, tuple[str, float]] = {}

    def connected(self) -> None:
        """A new connection: all is told again."""
        self._heard.clear()
        self._again = set(self._published)

    def found(self, state: m.HostState) -> None:
        """What an earlier run published: `since` goes on from it."""
        self._published.setdefault(state.host, state)

    def on_desired(self, desired: m.DesiredHost) -> None:
        """A machine that has joined, or one that is only invited."""
        (self._there.discard if desired.joined_at is None else self._there.add)(desired.host)

    def forget(self, host: str) -> None:
        """A machine is no host any more."""
        self._there.discard(host)

    def on_status(self, host: str, status: m.ServiceStatus) -> None:
        """Its CP Manager is there, or is not; one that has begun is asked soon."""
        if status.online and status != self._heard.get(host):
            self._ask_at[host] = 0.0
            self._said.pop(host, None)
        self._heard[host] = status

    def on_reply(self, reply: m.ManagerReply, at: At) -> None:
        """What a machine says of itself, if it was asked that."""
        asked = self._asked.get(reply.host)
        if asked is None or not reply.ok or reply.id != asked[0]:
            return
        del self._asked[reply.host]
        asked_at = asked[1]
        address, there = reply.body.get("address"), reply.body.get("at")
        took_s = at.clock - asked_at
        if isinstance(address, str) and is_word(address):
            self._said[reply.host] = self._of(reply.host)._replace(address=address)
        if isinstance(there, str) and took_s <= ANSWER_WITHIN_S:
            off_s = _off_s(there, at.wall, took_s)
            self._said[reply.host] = self._of(reply.host)._replace(clock_off_s=off_s)

    def look(self, at: At, listed: bool) -> None:
        """Tell what is another than was told; ask who is to be asked. `listed`: all are known."""
        for host in self._published.keys() - self._there if listed else ():
            del self._published[host]
            self._said.pop(host, None)
            self._outbox.publish(topics.clear(m.HostState, host=host))
        for host in sorted(self._there):
            state = self._judged(host, at)
            if state is not None and (state != self._published.get(host) or host in self._again):
                self._published[host] = state
                self._outbox.publish(state)
            if state is not None and state.online and at.clock >= self._ask_at.get(host, 0.0):
                self._ask(host, at)
        self._again.clear()

    def _ask(self, host: str, at: At) -> None:
        self._ask_at[host] = at.clock + ASK_EVERY_S
        command = m.ManagerCommand(host, "host", token_hex(8))
        self._asked[host] = command.id, at.clock
        self._outbox.publish(command)

    def _judged(self, host: str, at: At) -> m.HostState | None:
        """None where nobody has spoken for it yet."""
        before, status = self._published.get(host), self._heard.get(host)
        if status is None and at.clock - at.connected_at < BACK_WITHIN_S:
            return before
        online = status is not None and status.online
        since = before.since if before is not None and before.online == online else at.wall
        known = before or m.HostState(host, online, since)
        if not online:
            return known._replace(online=False, since=since, clock_off_s=None)
        said, version = self._of(host), status.version if status else None
        return m.HostState(host, True, since, version, said.address, said.clock_off_s)

    def _of(self, host: str) -> _Said:
        """What it has said; of an earlier run of ours, as far as that has told it."""
        before = self._published.get(host)
        known = _Said(before.address, before.clock_off_s) if before else _Said()
        return self._said.get(host, known)


def _off_s(there: str, here: str, took_s: float) -> float | None:
    """How far the time that was said half of `took_s` ago is ahead; None where it is none."""
    try:
        ahead = datetime.fromisoformat(there) - datetime.fromisoformat(here)
    except (ValueError, TypeError):
        return None
    return round(ahead.total_seconds() + took_s / 2, 1) + 0.0  # never -0.0
