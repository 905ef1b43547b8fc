"""Whether this machine carries a fleet: said before anything of it is made."""

from __future__ import annotations

import re
import resource
from contextlib import suppress
from pathlib import Path

from evcs.cli import bounds, prepare, supervision
from evcs.config import Settings
from evcs.core.errors import EvcsError


def check_room(settings: Settings, there: int, more: int) -> None:
    """Refuse so many CPs more beside those that are there. Raises EvcsError, saying of what."""
    check_memory(more)
    pid = supervision.running(settings)
    if pid is None:
        return
    soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    if prepare.capacity(soft) < there + more:
        raise EvcsError(
            f"supervisord may open {soft} files, which carries {prepare.capacity(soft)} CPs; "
            f"{there + more} are wanted",
            "raise ulimit -n if it is low, then: evcs restart",
        )


def check_memory(more: int) -> None:
    """Refuse so many CPs more where what is free doesn't hold them. Raises EvcsError."""
    found = bounds.memory(free_bytes(), more, running=True)
    if found.level == bounds.FAIL:
        raise EvcsError(f"memory for {more} CPs more: {found.text}", found.remedy)


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
