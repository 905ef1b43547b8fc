"""What processes take: memory by their own account, CPU seconds, by service."""

from __future__ import annotations

import re
from pathlib import Path

from evcs.adapters.supervisord import Supervisord, supervisord_pid
from evcs.config import Settings


def pss_mib(pid: int) -> float:
    """A process's memory, what it shares divided by those it shares with."""
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def cpu_s(pid: int) -> float:
    """CPU seconds of a process's threads so far."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1e9


def pids(settings: Settings) -> dict[str, list[int]]:
    """Service -> its processes; those of CPs under their roles, "engine" and "monitor"."""
    found: dict[str, list[int]] = {"supervisord": [supervisord_pid(settings.home) or 0]}
    for process in Supervisord(settings.home.supervisor_socket).processes():
        found.setdefault(process.name, []).append(process.pid)
    return found


def cpu_by_service(settings: Settings) -> dict[str, float]:
    """Service -> CPU seconds so far of all its processes."""
    return {name: sum(map(cpu_s, those)) for name, those in pids(settings).items()}
