"""Processes of this machine, by what the kernel says of them in /proc.

Without psutil, which every command and supervisord would load: docs/decisions/.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Stat(NamedTuple):
    """A process's state, its letter as ps has it; its parent's pid; its CPU seconds so far."""

    state: str
    parent: int
    cpu_s: float


def stat(pid: int) -> Stat:
    """What a process does. Raises OSError where there is none."""
    # The name before the last ")" may hold anything.
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Stat(words[0], int(words[1]), (int(words[11]) + int(words[12])) / _TICKS_A_SECOND)


def age_s(pid: int) -> float:
    """Seconds since it began. Raises OSError where there is none."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / _TICKS_A_SECOND


def lives(pid: int) -> bool:
    """Whether it is there and has not ended."""
    try:
        return stat(pid).state != "Z"
    except OSError:
        return False


def is_stopped(pid: int) -> bool:
    """Whether a signal has stopped it."""
    # Asked of each process of a fleet again and again: a fifth of what `stat` takes.
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.read(fd, 256).rpartition(b")")[2].startswith(b" T")
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)


def of_home(home: Path) -> list[int]:
    """Pids of the processes started for a home, by their environment; without this one."""
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


def environment(pid: int) -> dict[str, str]:
    """What a process was started with; nothing where it is not to be read."""
    try:
        found = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(one.split("=", 1) for one in found.split("\0") if "=" in one)
