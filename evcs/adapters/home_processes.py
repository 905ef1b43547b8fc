"""The processes of a home, by what the kernel says of them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def pids(home: Path) -> list[int]:
    """Processes started for a home, by their environment; without this one."""
    mark = f"EVCS_HOME={home}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def words(pid: int) -> list[str]:
    """A process's command line; that of a fork is its title, one word. Raises OSError."""
    found = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0")
    return found.split("\0") if "\0" in found else found.split(" ")
