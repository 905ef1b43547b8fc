"""An Engine's journal: appended a line a second while it supplies, read at its birth.

The last line that can be one is what the Engine holds; what a kill tore or a hand wrote is
passed over. A file that has grown long begins anew with its last line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evcs.adapters.files import clear_place, write_atomic

#: In bytes; an hour of a supply is half a megabyte.
LONGEST = 4 * 1024 * 1024
#: Of readings, one a second.
SYNC_EVERY = 10
#: What is read of its end at first; twice as much each time that holds no whole record.
TAIL = 65_536


class Journal:
    """Append-only lines of JSON in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_place(path)
        self._fd = self._open()
        self._torn = self._ends_torn()
        self._unsynced = 0

    def last(self, is_record: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """The last whole line that is a record, or None."""
        size, length = os.fstat(self._fd).st_size, TAIL
        while True:
            tail = os.pread(self._fd, length, max(size - length, 0))
            found = _last(tail, is_record)
            if found is not None or length >= size:
                return found
            length *= 2

    def append(self, record: dict[str, Any], sync: bool) -> None:
        """Add a line; with `sync`, it lasts through a power cut. Raises OSError (disk full).

        Of those without, each tenth does, with all before it.
        """
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        if os.fstat(self._fd).st_size > LONGEST and self._begun_anew(line):
            return
        if self._torn:
            line = b"\n" + line
        self._torn = True
        if os.write(self._fd, line) == len(line):
            self._torn = False
        else:
            raise OSError(28, "No space left on device", str(self._path))
        self._unsynced += 1
        if sync or self._unsynced >= SYNC_EVERY:
            os.fsync(self._fd)
            self._unsynced = 0

    def close(self) -> None:
        """Append no more."""
        os.close(self._fd)

    def _begun_anew(self, line: bytes) -> bool:
        """Whether a new file with that line has taken the old one's place."""
        try:
            write_atomic(self._path, line, 0o600)
        except OSError:
            return False  # the old one is still good
        fd = self._open()
        os.close(self._fd)
        self._fd, self._torn = fd, False
        return True

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _ends_torn(self) -> bool:
        size = os.fstat(self._fd).st_size
        return size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"


def _last(tail: bytes, is_record: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    for line in reversed(tail.split(b"\n")):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and is_record(found):
            return found
    return None
