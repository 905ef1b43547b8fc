"""Lines of the broker's log that tell of refused logins, which only the broker knows.

Clients choose their ids, user names and topics, and lines hold them. So a line counts by its
begin and its end, which are the broker's own, and names nobody; what may be a subscription's
line, which has neither, doesn't count. The address is that of a
connection which was opened and has not been let in, where only one can be meant.
"""

from __future__ import annotations

import re
import time
from collections import Counter, OrderedDict, deque
from functools import lru_cache
from typing import NamedTuple

from evcs.core.audit import AuditEntry

#: The broker closes a connection that says nothing after 90 s.
OPEN_S = 120
MAX_WAITING = 10_000
#: The broker cuts longer lines: such a one ends with what a client has chosen, and may be a
#: subscription's that was cut before its QoS.
CUT_BYTES = 1_000

#: With it nobody is connected.
STARTS = re.compile(rb"^\d+: mosquitto version \d{1,4}\.[0-9.]{1,20} starting\n", re.MULTILINE)
_OPENED = re.compile(rb"(\d+): New connection from ([^ ]+):(\d+) on port \d+\.\n")
_LET_IN = re.compile(rb"\d+: New client connected from ([^ ]+):(\d+) as ")
_REFUSED = re.compile(rb"(\d+): Client .+ disconnected, not authorised\.\n")
#: The line of a subscription (id, QoS, topic) has no word of the broker's own, so what may be one
#: tells nothing: who calls himself so is let in unseen, and makes nobody's address surer.
_MAY_SUBSCRIBE = re.compile(rb" [012] ")


class _Waiting(NamedTuple):
    """A connection that was opened."""

    at_s: int
    host: bytes
    port: bytes


class BrokerLines:
    """Takes the lines of a log in order, from the begin of a file.

    `whole`: nothing was written before. A line costs the same however many wait: anybody can
    have lines written.
    """

    def __init__(self, whole: bool) -> None:
        self._begin(whole)

    def _begin(self, whole: bool) -> None:
        #: Those not let in yet, by their number, the oldest first.
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        self._hosts: Counter[bytes] = Counter()
        self._next = 0
        # Of those before this number it isn't sure any more which ones still wait. They are all
        # of one host; the others' numbers are here.
        self._sure_from = 0
        self._numbers: dict[tuple[bytes, bytes], deque[int]] = {}
        # Who came before the first line may still wait.
        self._all_known_from_s = 0 if whole else None

    def parse_line(self, line: bytes) -> AuditEntry | None:
        """What a line tells for the audit, if it tells anything."""
        if len(line) >= CUT_BYTES:
            return None
        if match := _OPENED.fullmatch(line):
            self._add(_Waiting(self._time(match), match[2], match[3]))
        elif _MAY_SUBSCRIBE.search(line):
            return None
        elif match := _LET_IN.match(line):
            self._remove(match[1], match[2])
        elif match := _REFUSED.fullmatch(line):
            at_s = self._time(match)
            return AuditEntry(_text(at_s), self._who(at_s), "login", None, "refused", "broker")
        elif line.endswith(b" starting\n") and STARTS.fullmatch(line):
            self._begin(True)
        return None

    def _time(self, match: re.Match[bytes]) -> int:
        at_s = int(match[1])
        if self._all_known_from_s is None:
            self._all_known_from_s = at_s + OPEN_S
        while self._waiting and self._oldest().at_s < at_s - OPEN_S:
            self._drop(next(iter(self._waiting)))
        return at_s

    def _oldest(self) -> _Waiting:
        return self._waiting[next(iter(self._waiting))]

    def _add(self, one: _Waiting) -> None:
        self._waiting[self._next] = one
        self._hosts[one.host] += 1
        self._numbers.setdefault((one.host, one.port), deque()).append(self._next)
        self._next += 1
        if len(self._waiting) > MAX_WAITING:
            self._drop(next(iter(self._waiting)))
            self._all_known_from_s = one.at_s + OPEN_S

    def _remove(self, host: bytes, port: bytes) -> None:
        if numbers := self._numbers.get((host, port)):
            self._drop(numbers[0])
        elif self._waiting:
            number = next(iter(self._waiting))
            if number < self._sure_from and self._waiting[number].host == host:
                self._drop(number)

    def _drop(self, number: int) -> _Waiting:
        one = self._waiting.pop(number)
        self._hosts[one.host] -= 1
        if not self._hosts[one.host]:
            del self._hosts[one.host]
        if number >= self._sure_from:  # of one address the oldest goes first
            numbers = self._numbers[one.host, one.port]
            numbers.popleft()
            if not numbers:
                del self._numbers[one.host, one.port]
        return one

    def _who(self, at_s: int) -> str:
        """Whose it was; of several only the host is sure, where they share one."""
        if at_s < (self._all_known_from_s or 0) or len(self._hosts) != 1:
            return "unknown"
        number = next(iter(self._waiting))
        sure = number >= self._sure_from and len(self._waiting) == 1
        one = self._drop(number)
        if not sure:
            self._sure_from = self._next
            self._numbers.clear()
        # A unix socket's address is its path, which all share.
        name = one.host.rpartition(b"/")[2]
        who = b":".join((name, one.port)) if sure and name == one.host else name
        return who.decode("ascii", "replace")


@lru_cache(maxsize=1)
def _text(epoch_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(epoch_s))
