"""Whom the broker carries too much of, by its log: an identity's connections and subscriptions.

Each subscription is looked at at each publication, and a shared one matches by itself: 60,000 of
one client hold up the bus by a minute, and 1,900 connections with 99 each end the broker. It has
no limit of its own for either, so they are counted here, for the client whose id a line begins
with; the ids of ours are random and no other's to know. Clients choose their ids and topics, so a
line counts by its begin and its end, which are the broker's own. The line of a subscription has
neither: whose id could make one into another line is shut out, and the lines that begin with that
id are its subscriptions.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from pathlib import Path
from typing import NamedTuple

from evcs.adapters.broker_log import CUT_BYTES, STARTS
from evcs.adapters.clock import timestamp
from evcs.adapters.log_tailer import LogTailer
from evcs.core.audit import FLOOD, AuditEntry

#: Of one connection; ours have up to a dozen.
MOST_SUBSCRIPTIONS = 100
#: Of one identity, over all of its connections.
MOST_OF_ONE = 1_000
MOST_CONNECTIONS = 200
#: In a minute: each may leave a session behind, with a will of 64 KiB.
MOST_NEW = 300
MAX_CLIENTS = 20_000
LOOKS_AT_ONCE = 10

_LET_IN = re.compile(
    rb"(\d+): New client connected from .+?:\d+ as (.+) \(p\d, c\d, k\d+, u'(.+)'\)\.\n"
)
_CLIENT = re.compile(rb"\d+: Client (?=.)")
_LEAVES = re.compile(rb"(?= (?:disconnected|closed its|has exceeded|already connected)[^ ]*[ .,:])")
_QOS = re.compile(rb" (?=[012] )")
#: What no client of ours has in its id: with a topic behind it, it reads as another line.
_MISLEADS = re.compile(rb"New |Client |mosquitto |.* [012] ", re.DOTALL)
_LIMITED = re.compile(r"(?:cp|driver|meter)/[A-Za-z0-9/_-]+", re.ASCII)


class _Client(NamedTuple):
    """A client that was let in, and how many subscriptions it has made."""

    identity: str
    subscriptions: int = 0


class BrokerClients:
    """Takes the lines of a log in order."""

    def __init__(self) -> None:
        #: Client id -> it, the latest connected last.
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        self._connections: Counter[str] = Counter()
        self._subscriptions: Counter[str] = Counter()
        self._minute = 0
        self._new: Counter[str] = Counter()

    def parse_line(self, line: bytes) -> AuditEntry | None:
        """An entry of kind FLOOD, once the line gives somebody one too many."""
        who, detail = None, "subscriptions"
        if STARTS.fullmatch(line):
            for counted in (self._clients, self._connections, self._subscriptions):
                counted.clear()
        elif (client_id := self._subscriber(line)) is not None:
            who = self._subscribes(client_id)
        elif match := _LET_IN.fullmatch(line):
            if len(line) < CUT_BYTES:
                who, detail = self._let_in(int(match[1]) // 60, match[2], match[3]), "connections"
                if _MISLEADS.match(match[2]):
                    who, detail = _text(match[3]), "client id"
        elif match := _CLIENT.match(line):
            self._leaves(line[match.end() :])
        if who is None or not _LIMITED.fullmatch(who):
            return None
        return AuditEntry(timestamp(), who, FLOOD, None, "shut out", detail)

    def _let_in(self, minute: int, client_id: bytes, identity: bytes) -> str | None:
        self._forget(client_id)
        if minute != self._minute:
            self._minute = minute
            self._new.clear()
        if len(self._clients) == MAX_CLIENTS:
            self._forget(next(iter(self._clients)))
        who = _text(identity)
        self._clients[client_id] = _Client(who)
        self._connections[who] += 1
        self._new[who] += 1
        over = self._new[who] > MOST_NEW
        if over:
            self._new[who] = 0
        return who if over or self._connections[who] == MOST_CONNECTIONS + 1 else None

    def _subscriber(self, line: bytes) -> bytes | None:
        """The id that begins the line of a subscription; of several the one that misleads."""
        at, _, told = line.partition(b": ")
        ids = (told[: qos.start()] for qos in _QOS.finditer(told) if at.isdigit())
        return max((one for one in ids if one in self._clients), key=len, default=None)

    def _subscribes(self, client_id: bytes) -> str | None:
        who, count = self._clients[client_id]
        self._clients[client_id] = _Client(who, count + 1)
        self._subscriptions[who] += 1
        over = count == MOST_SUBSCRIPTIONS
        return who if over or self._subscriptions[who] == MOST_OF_ONE + 1 else None

    def _leaves(self, told: bytes) -> None:
        ends = [end.start() for end in _LEAVES.finditer(told)]
        if ends:  # the last of these words is the broker's own
            self._forget(told[: ends[-1]])

    def _forget(self, client_id: bytes) -> None:
        client = self._clients.pop(client_id, None)
        if client is not None:
            self._connections[client.identity] -= 1
            self._subscriptions[client.identity] -= client.subscriptions
            if not self._connections[client.identity]:
                del self._connections[client.identity], self._subscriptions[client.identity]


def _text(identity: bytes) -> str:
    return identity.decode("utf-8", "replace")


class FloodWatch:
    """Reads on in the broker's log; whom it tells of before is known, and shut out already."""

    def __init__(self, log: Path) -> None:
        try:
            there = log.stat()
            begin = f"{there.st_ino} {there.st_size}"
        except FileNotFoundError:
            begin = ""
        self._log = LogTailer(log, lambda _: BrokerClients().parse_line, begin, STARTS)
        while self.look() or self._log.behind:
            pass

    def look(self) -> list[AuditEntry]:
        """Who has had one too many since the last look, and of what."""
        found: list[AuditEntry] = []
        for _ in range(LOOKS_AT_ONCE):
            found += [one for one in self._log.read() if one.what == FLOOD]
            if not self._log.behind:
                break
        return found
