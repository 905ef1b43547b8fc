"""Lines of the broker's log, for the one thing that only the broker knows: refused logins.

They begin with epoch seconds and tell a refusal without a name: the address is that of a
connection which was opened and has not been let in.
"""

from __future__ import annotations

import re
import time

from evcs.core.audit import AuditEntry

MAX_WAITING = 200

_OPENED = re.compile(rb"(\d+): New connection from (\S+) on port \d+\.")
_LET_IN = re.compile(rb"(\d+): New client connected from (\S+) as ")
_REFUSED = re.compile(rb"(\d+): Client (?:<unknown>|.* \[(\S+)\]) disconnected, not authorised\.")
_LOST = re.compile(rb"(\d+): Client <unknown> ")


class BrokerLines:
    """Takes the lines in order."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def take(self, line: bytes) -> AuditEntry | None:
        """The refusal that a line tells, if it tells one."""
        if match := _OPENED.match(line):
            self._waiting = [*self._waiting[-MAX_WAITING:], match[2]]
        elif match := _LET_IN.match(line):
            if match[2] in self._waiting:
                self._waiting.remove(match[2])
        elif match := _REFUSED.match(line):
            address = self._address(match[2]).decode("ascii", "replace")
            return AuditEntry(_time(int(match[1])), address, "login", None, "refused", "broker")
        elif _LOST.match(line):
            # Whose it was isn't told; who has waited longest is the likeliest.
            del self._waiting[:1]
        return None

    def _address(self, told: bytes | None) -> bytes:
        """Whose it was: that of the one that waits; of several only what they share is sure."""
        if told is None and len(self._waiting) == 1:
            told = self._waiting[0]
        if told is not None:
            if told in self._waiting:
                self._waiting.remove(told)
            return told
        hosts = {one.rpartition(b":")[0] for one in self._waiting}
        if self._waiting:
            del self._waiting[0]
        return hosts.pop() if len(hosts) == 1 else b"unknown"


def _time(epoch_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(epoch_s))
