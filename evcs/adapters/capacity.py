"""Whether this machine carries a fleet: said before anything of it is made."""

from __future__ import annotations

import re
import resource
from contextlib import suppress
from pathlib import Path

from evcs.adapters import broker_listeners
from evcs.adapters.supervisord import supervisord_pid
from evcs.config import Settings
from evcs.core.errors import NoRoom
from evcs.core.fleet_size import FleetSize
from evcs.home import Home

#: supervisord's open files, of itself and for a CP.
FDS_BASE, FDS_A_CP = 256, 6
#: `bin/bench memory`: a CP's two processes hold 15.4 MiB together (PSS, 100 CPs); with room for
#: what a supply takes. In a pool it is 0.07 MiB, and as much in broker, Central and web.
CP_BYTES = 18 * 2**20
POOLED_CP_BYTES = 2**18


def check_room(settings: Settings, there: FleetSize, more: FleetSize) -> None:
    """Refuse so many CPs more beside those that are there. Raises NoRoom, saying of what."""
    home, wanted = settings.home, there.with_more(more)
    if more.cps:
        check_memory(more)
        _check_here(home, wanted, more)
    most = broker_listeners.carried_elsewhere(settings)
    if more.elsewhere and most is not None and most < wanted.elsewhere:
        raise NoRoom(
            f"the broker takes connections for {most} CPs of other hosts; "
            f"{wanted.elsewhere} are wanted",
            "make fewer at a time, and in between: evcs restart; or raise ulimit -n before it",
        )


def _check_here(home: Home, wanted: FleetSize, more: FleetSize) -> None:
    pid = supervisord_pid(home)
    if pid is not None and more.own:
        soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        if carried_by(soft) < wanted.own:
            raise NoRoom(
                f"supervisord may open {soft} files, which carries {carried_by(soft)} CPs with "
                f"processes of their own; {wanted.own} are wanted",
                "use --hosting pool, or raise ulimit -n if it is low, then: evcs restart",
            )
    fits = broker_listeners.carried(home)
    if fits is not None and fits < wanted.cps:
        raise NoRoom(
            f"the broker may open files for {fits} CPs; {wanted.cps} are wanted",
            "raise ulimit -n, then: evcs restart",
        )


def check_memory(more: FleetSize) -> None:
    """Refuse so many CPs more where what is free doesn't hold them. Raises NoRoom."""
    free, needed = free_bytes(), needed_bytes(more)
    if free < needed:
        raise NoRoom(
            f"memory for {more.cps} CPs more: {free >> 20} MiB free; {needed >> 20} MiB still "
            f"needed; {free // CP_BYTES} fit with processes of their own, "
            f"{free // POOLED_CP_BYTES} in pools",
            "add memory, use --hosting pool, or move CPs to another machine",
        )


def needed_bytes(more: FleetSize) -> int:
    """Memory that so many CPs more take."""
    return more.own * CP_BYTES + more.pooled * POOLED_CP_BYTES


def carried_by(descriptors: int) -> int:
    """How many CPs with processes of their own a supervisord with so many open files can keep."""
    return max((descriptors - FDS_BASE) // FDS_A_CP, 0)


def free_bytes() -> int:
    """Memory that may still be taken: of the machine, and of the control group."""
    hit = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    free = int(hit[1]) * 1024 if hit else 0
    limit, used = (number(Path(f"/sys/fs/cgroup/memory.{name}")) for name in ("max", "current"))
    return min(free, limit - used) if limit is not None and used is not None else free


def number(path: Path) -> int | None:
    """The number in a file; None where there is no file or no number."""
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None
