"""Inside supervisord, at its ticks: moves the broker's log on when it is long.

The broker writes it by itself, since it would stand still with a supervisord that doesn't empty
its pipe. A HUP has it open the file anew, and read its accounts again.
"""

from __future__ import annotations

import signal
from pathlib import Path

from evcs.adapters.log_tailer import BACKUPS, inode_of, rotated
from evcs.adapters.supervisord_inside import Inside

MAX_BYTES = 5_000_000
BROKER = "mosquitto"


class BrokerLogFile:
    """`path`: the log, which the broker has open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = inode_of(path)

    def is_moved(self) -> bool:
        """Whether the broker has to open its log anew: it is moved on now, or was taken away."""
        if inode_of(self._path) is not None and self._path.stat().st_size >= MAX_BYTES:
            files = [rotated(self._path, number) for number in range(BACKUPS + 1)]
            for older, newer in zip(files[:0:-1], files[-2::-1], strict=True):
                if inode_of(newer) is not None:
                    newer.replace(older)
        before, self._inode = self._inode, inode_of(self._path)
        return self._inode is None or before not in (None, self._inode)


def begin(inside: Inside) -> None:
    """Look at the broker's log of this supervisord from now on."""
    log = BrokerLogFile(inside.home / "log" / "mosquitto.log")

    def look() -> None:
        try:
            process = inside.running(BROKER, BROKER)
            if process is not None and log.is_moved():
                process.signal(signal.SIGHUP)
        except Exception as error:  # noqa: BLE001
            inside.log(f"the broker's log can't be moved on: {error!r}")

    inside.at_ticks(look)
