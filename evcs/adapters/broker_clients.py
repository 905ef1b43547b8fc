"""Whom the broker carries too much of, by its log: an identity's connections and subscriptions.

Each subscription is looked at at each publication, and a shared one matches by itself: 60,000 of
one client hold up the bus by a minute, and 1,900 connections with 99 each end the broker. It has
no limit of its own for either, so they are counted here, for the client whose id a line begins
with; the ids of ours are random and no other's to know. Clients choose their ids and topics, so a
line counts by its begin and its end, which are the broker's own. The line of a subscription has
neither: whose id could make one into another line is shut out, and the lines that begin with that
id are its subscriptions. So is whose id is long: of a longer one the login's line is cut, and
nobody knows whose it is, so what may begin with one tells of nobody.

A client may leave its session behind for an hour (mosquitto.conf; MQTT 5, 3.1.2.11.2), which the
log doesn't tell: its subscriptions are looked at all the same. Who may have left many is not shut
out, since each short connection counts; the sessions are ended.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from evcs.adapters.broker_log import CUT_BYTES, STARTS
from evcs.adapters.clock import timestamp
from evcs.adapters.log_tailer import LogTailer
from evcs.core.audit import FLOOD, AuditEntry
from evcs.core.placement import MAIN

#: Of one connection; ours have up to a dozen.
MOST_SUBSCRIPTIONS = 100
#: Of one identity, over all of its connections.
MOST_OF_ONE = 1_000
MOST_CONNECTIONS = 200
#: In a minute: each may leave a session behind, with a will of 64 KiB.
MOST_NEW = 300
#: Subscriptions of one identity in sessions that may be left behind, and for how long.
MOST_LEFT, LEFT_FOR_S = 1_000, 3_600
MAX_CLIENTS = 20_000
LOOKS_AT_ONCE = 10
#: Each is a connection of a ms or two.
ENDED_AT_ONCE = 50
#: Bytes of an id; a login's line has some 220 more at most, a socket's path among them.
MOST_OF_ID = 750

_LET_IN = re.compile(
    rb"(\d+): New client connected from .+?:\d+ as (.+) \(p\d, c(\d), k\d+, u'(.+)'\)\.\n"
)
_CLIENT = re.compile(rb"(\d+): Client (?=.)")
_LEAVES = re.compile(rb"(?= (?:disconnected|closed its|has exceeded|already connected)[^ ]*[ .,:])")
_QOS = re.compile(rb" (?=[012] )")
#: What no client of ours has in its id: with a topic behind it, it reads as another line.
_MISLEADS = re.compile(rb"New |Client |mosquitto |.* [012] ", re.DOTALL)
_LIMITED = re.compile(
    rf"(?:cp|driver|meter|manager(?!/{MAIN}\Z))/[A-Za-z0-9/_-]+", re.ASCII
)  # fmt: skip


class _Client(NamedTuple):
    """A client that was let in, and how many subscriptions it has made."""

    identity: str
    subscriptions: int = 0


class _Left(NamedTuple):
    """A client that has left, perhaps not for good."""

    at_s: int
    client: _Client


class BrokerClients:
    """Takes the lines of a log in order."""

    def __init__(self) -> None:
        #: Clients whose sessions are to be ended.
        self.to_end: deque[bytes] = deque()
        #: Client id -> it, the first to leave first.
        self._left: OrderedDict[bytes, _Left] = OrderedDict()
        self._left_behind: Counter[str] = Counter()
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
            self._begin()
        elif (ids := _ids(line)) and len(ids[-1]) > MOST_OF_ID:
            return None
        elif (client_id := self._subscriber(ids)) is not None:
            who = self._subscribes(client_id)
        elif len(line) >= CUT_BYTES:
            return None
        elif match := _LET_IN.fullmatch(line):
            who, detail = self._let_in(match), "connections"
            if _MISLEADS.match(match[2]) or len(match[2]) > MOST_OF_ID:
                who, detail = _text(match[4]), "client id"
        elif match := _CLIENT.match(line):
            self._leaves(int(match[1]), line[match.end() :])
        if who is None or not _LIMITED.fullmatch(who):
            return None
        return AuditEntry(timestamp(), who, FLOOD, None, "shut out", detail)

    def _begin(self) -> None:
        """The broker starts: nobody is connected, and no session is left."""
        for counted in (self._clients, self._connections, self._subscriptions, self._left_behind):
            counted.clear()
        self._left.clear()
        self.to_end.clear()

    def _let_in(self, match: re.Match[bytes]) -> str | None:
        minute, client_id, who = int(match[1]) // 60, match[2], _text(match[4])
        resumed = self._forget(client_id) or self._found_again(client_id)
        if minute != self._minute:
            self._minute = minute
            self._new.clear()
        if len(self._clients) == MAX_CLIENTS:
            self._forget(next(iter(self._clients)))
        self._clients[client_id] = _Client(who)
        self._connections[who] += 1
        self._new[who] += 1
        over = self._new[who] > MOST_NEW
        if over:
            self._new[who] = 0
        over |= self._connections[who] == MOST_CONNECTIONS + 1
        if resumed is not None and match[3] == b"0":  # no clean start
            over |= self._have_more(client_id, resumed.subscriptions)
        return who if over else None

    def _subscriber(self, ids: Sequence[bytes]) -> bytes | None:
        """Whose subscription it is, of these; of several who misleads."""
        return next((one for one in reversed(ids) if one in self._clients), None)

    def _subscribes(self, client_id: bytes) -> str | None:
        over = self._have_more(client_id, 1)
        return self._clients[client_id].identity if over else None

    def _have_more(self, client_id: bytes, more: int) -> bool:
        """Whether so many subscriptions more are too many, for the first time."""
        who, count = self._clients[client_id]
        of_all = self._subscriptions[who]
        self._clients[client_id] = _Client(who, count + more)
        self._subscriptions[who] += more
        return count <= MOST_SUBSCRIPTIONS < count + more or of_all <= MOST_OF_ONE < of_all + more

    def _leaves(self, at_s: int, told: bytes) -> None:
        ends = [end.start() for end in _LEAVES.finditer(told)]
        if not ends:
            return
        client_id = told[: ends[-1]]  # the last of these words is the broker's own
        client = self._forget(client_id)
        if client is not None and client.subscriptions and _LIMITED.fullmatch(client.identity):
            self._leave_behind(client_id, _Left(at_s, client))

    def _forget(self, client_id: bytes) -> _Client | None:
        client = self._clients.pop(client_id, None)
        if client is not None:
            self._connections[client.identity] -= 1
            self._subscriptions[client.identity] -= client.subscriptions
            if not self._connections[client.identity]:
                del self._connections[client.identity], self._subscriptions[client.identity]
        return client

    def _leave_behind(self, client_id: bytes, left: _Left) -> None:
        who = left.client.identity
        self._left[client_id] = left
        self._left_behind[who] += left.client.subscriptions
        while next(iter(self._left.values())).at_s < left.at_s - LEFT_FOR_S:
            self._found_again(next(iter(self._left)))
        if self._left_behind[who] > MOST_LEFT:
            self._end(*(one for one, at in self._left.items() if at.client.identity == who))
        elif len(self._left) > MAX_CLIENTS:
            self._end(next(iter(self._left)))

    def _end(self, *client_ids: bytes) -> None:
        for one in client_ids:
            self._found_again(one)
        self.to_end += client_ids

    def _found_again(self, client_id: bytes) -> _Client | None:
        """It is not left behind any more."""
        left = self._left.pop(client_id, None)
        if left is None:
            return None
        self._left_behind[left.client.identity] -= left.client.subscriptions
        if not self._left_behind[left.client.identity]:
            del self._left_behind[left.client.identity]
        return left.client


def _ids(line: bytes) -> list[bytes]:
    """All that a line may begin with as a client's id, if a subscription's; the longest last."""
    at, _, told = line.partition(b": ")
    return [told[: qos.start()] for qos in _QOS.finditer(told)] if at.isdigit() else []


def _text(identity: bytes) -> str:
    return identity.decode("utf-8", "replace")


class FloodWatch:
    """Reads on in the broker's log; whom it tells of before is known, and shut out already.

    `end(client_id)`: end that client's session; False where that can't be done now.
    """

    def __init__(self, log: Path, end: Callable[[str], bool]) -> None:
        try:
            there = log.stat()
            begin = f"{there.st_ino} {there.st_size}"
        except FileNotFoundError:
            begin = ""
        self._clients, self._end = BrokerClients(), end
        self._log = LogTailer(log, self._begun, begin, STARTS)
        while self._read() or self._log.behind:
            pass

    def look(self) -> dict[str, str]:
        """Who has had one too many since the last look -> of what."""
        found = self._read()
        to_end = self._clients.to_end
        for _ in range(min(ENDED_AT_ONCE, len(to_end))):
            if not self._end(_text(to_end[0])):
                break
            to_end.popleft()
        return found

    def _begun(self, _whole: bool) -> Callable[[bytes], AuditEntry | None]:
        self._clients = BrokerClients()
        return self._clients.parse_line

    def _read(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for _ in range(LOOKS_AT_ONCE):
            found |= {one.who: one.detail for one in self._log.read() if one.what == FLOOD}
            if not self._log.behind:
                break
        return found
