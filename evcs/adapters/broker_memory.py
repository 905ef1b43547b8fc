"""The broker's memory: the kernel holds it to a limit, so that no client takes the machine's.

mosquitto 2.0.11 has such a limit (memory_limit), but its count is wrong: of each property that it
read 56 bytes stay counted for ever, also of a CONNECT that is refused (seen). 420 of these would
have it take nothing more from anybody. And it makes room for a packet's whole length as soon as its
head is there, also for who will not be let in: for that there is room beside all else.
"""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from evcs.adapters import broker_listeners
from evcs.adapters.broker_listeners import broker_pid
from evcs.core.topics import MAX_PACKET
from evcs.home import Home

#: Of the heap: 5 KiB a client were measured, and what waits for services that stall comes to that.
MEMORY = 256 * 2**20
MEMORY_A_CP = 64 * 2**10
#: For each stranger at the broker's bound, and as many that come between two looks at it.
MEMORY_A_STRANGER = 2 * MAX_PACKET
#: What is left is enough until the next look.
FULL = 0.7

_log = logging.getLogger("evcs")


def hold(home: Home, cps: int, end: Callable[[], object]) -> None:
    """Hold a broker that runs to what so many CPs need; have it ended where that is used up.

    A session that is left behind keeps its will, whoever had it is shut out: only a new start gives
    that back. A broker without memory refuses everybody, as it can't read its accounts.
    """
    pid = broker_pid(home)
    with suppress(OSError):  # it has just ended, and its successor is seen to in its turn
        if pid is not None:
            most = MEMORY + MEMORY_A_CP * cps + MEMORY_A_STRANGER * _strangers(home)
            _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, hard))
            if has_taken(pid) > FULL * most:
                _log.error("the broker's memory is used up; it is started anew")
                end()


def has_taken(pid: int) -> int:
    """Bytes of a process that its limit counts. Raises OSError."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    # One that is ending has none.
    found = (line.split()[1] for line in lines if line.startswith("VmData:"))
    return int(next(found, "0")) * 1024


def _strangers(home: Home) -> int:
    """How many it may have; none where it has no port."""
    try:
        return sum(broker_listeners.bounds(home).values())
    except FileNotFoundError:
        return 0
