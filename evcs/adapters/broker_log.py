"""Lines of the broker's log, for the one thing that only the broker knows: refused logins.

Clients choose their ids, user names and topics, and lines hold them. So a line counts by its
begin and its end, which are the broker's own, and names nobody; its address is that of a
connection which was opened and has not been let in, where only one can be meant.
"""

from __future__ import annotations

import re
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from evcs.core.audit import AuditEntry

#: The broker closes a connection that says nothing after 90 s.
OPEN_S = 120
MAX_WAITING = 10_000

_OPENED = re.compile(rb"(\d+): New connection from (.+):(\d+) on port \d+\.\n")
_LET_IN = re.compile(rb"\d+: New client connected from (.+?):(\d+) as ")
_REFUSED = re.compile(rb"(\d+): Client .+ disconnected, not authorised\.\n")


class _Waiting(NamedTuple):
    """A connection; no port where it isn't sure which ones of a host still wait."""

    at_s: int
    host: bytes
    port: bytes | None


class BrokerLines:
    """Takes the lines of a log in order, from the begin of its file."""

    def __init__(self, log: Path) -> None:
        self._waiting: deque[_Waiting] = deque()
        # Who came before the file was begun may still wait; before the first file was nobody.
        self._all_known_from_s = None if log.with_name(f"{log.name}.1").exists() else 0

    def parse_line(self, line: bytes) -> AuditEntry | None:
        """The refusal that a line tells, if it tells one."""
        if match := _OPENED.fullmatch(line):
            self._add(_Waiting(self._time(match), match[2], match[3]))
        elif match := _LET_IN.match(line):
            self._remove(match[1], match[2])
        elif match := _REFUSED.fullmatch(line):
            at_s = self._time(match)
            return AuditEntry(_text(at_s), self._who(at_s), "login", None, "refused", "broker")
        return None

    def _time(self, match: re.Match[bytes]) -> int:
        at_s = int(match[1])
        if self._all_known_from_s is None:
            self._all_known_from_s = at_s + OPEN_S
        while self._waiting and self._waiting[0].at_s < at_s - OPEN_S:
            self._waiting.popleft()
        return at_s

    def _add(self, one: _Waiting) -> None:
        self._waiting.append(one)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._all_known_from_s = one.at_s + OPEN_S

    def _remove(self, host: bytes, port: bytes) -> None:
        for wanted in (port, None):
            for one in self._waiting:
                if (one.host, one.port) == (host, wanted):
                    self._waiting.remove(one)
                    return

    def _who(self, at_s: int) -> str:
        """Whose it was; of several only the host is sure, where they share one."""
        hosts = {one.host for one in self._waiting}
        if at_s < (self._all_known_from_s or 0) or len(hosts) != 1:
            return "unknown"
        one = self._waiting.popleft()
        if self._waiting:
            self._waiting = deque(left._replace(port=None) for left in self._waiting)
            one = one._replace(port=None)
        # A unix socket's address is its path, which all share.
        name = one.host.rpartition(b"/")[2]
        told = name if one.port is None or name != one.host else b":".join((name, one.port))
        return told.decode("ascii", "replace")


def _text(epoch_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(epoch_s))
