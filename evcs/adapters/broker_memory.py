"""The broker's memory: the kernel holds it to a limit, so that no client takes the machine's.

mosquitto 2.0.11 has such a limit (memory_limit), but its count is wrong: of each property that it
read 56 bytes stay counted for ever, also of a CONNECT that is refused (seen). 420 of these would
have it take nothing more from anybody.
"""

from __future__ import annotations

import resource
from contextlib import suppress

from evcs.adapters.broker_connections import broker_pid
from evcs.home import Home

#: Of the heap: 5 KiB a client were measured, and what waits for services that stall comes to that.
MEMORY = 256 * 2**20
MEMORY_A_CP = 64 * 2**10


def hold(home: Home, cps: int) -> None:
    """Hold a broker that runs to what so many CPs need."""
    pid = broker_pid(home)
    with suppress(OSError):  # it has just ended, and its successor is seen to in its turn
        if pid is not None:
            _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY + MEMORY_A_CP * cps, hard))
