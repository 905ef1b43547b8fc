"""A service's sign of life: the time of a file, which the watchdog in supervisord looks at.

`beat` stands in each turn of a service's loop, and in what may take it long.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from pathlib import Path

BEAT_EVERY_S = 1.0

_log = logging.getLogger("evcs")


class _Heart:
    """This process's: the file's descriptor, and the monotonic second of its last sign."""

    fd: int | None = None
    beaten_at = 0.0


_heart = _Heart()


def begin(path: Path) -> None:
    """Give signs from now on, for the life of this process."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _heart.fd = os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        _log.error("the watchdog can't be told of life: %s", error)
    beat()


def beat() -> None:
    """Give a sign; nothing in a process that did not begin, or on a disk that takes none."""
    if _heart.fd is None:
        return
    now = time.monotonic()
    if now - _heart.beaten_at >= BEAT_EVERY_S:
        _heart.beaten_at = now
        with suppress(OSError):  # the watchdog knows: its own isn't taken either
            os.utime(_heart.fd)
