"""A log that is followed for the audit's sake, through rotation and restarts of the reader.

The cursor reached is a word that the reader keeps, so that no line is told twice or missed.
A file that was read is read again from its begin, for what its earlier lines say of later
ones, and nothing before the cursor is told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from evcs.core.audit import AuditEntry

MAX_BYTES_A_LOOK = 1_000_000
#: Inode and offset; anything else, in a ledger of another's making, is no cursor.
_CURSOR = re.compile(r"([0-9]{1,20}) ([0-9]{1,20})")


class LogTailer:
    """Reads on from `cursor`, the word of an earlier reader ("" for none).

    `parse_line` is given each line in order and says which of them are entries.
    """

    def __init__(
        self, path: Path, parse_line: Callable[[bytes], AuditEntry | None], cursor: str = ""
    ) -> None:
        self._path = path
        self._parse_line = parse_line
        self._file: BinaryIO | None = None
        self._skip_to = 0
        if found := _CURSOR.fullmatch(cursor):
            self._go_to(int(found[1]), int(found[2]))

    def _go_to(self, inode: int, offset: int) -> None:
        """Find the file that was read, by its inode; the last rotated one where it is gone."""
        rotated = self._path.with_name(self._path.name + ".1")
        found = next((one for one in (self._path, rotated) if _inode(one) == inode), None)
        if found is None and not rotated.exists():
            return
        self._file = (found or rotated).open("rb")
        size = os.fstat(self._file.fileno()).st_size
        self._skip_to = offset if found is not None and offset <= size else 0

    @property
    def cursor(self) -> str:
        """The word for how far this reader has come."""
        if self._file is None:
            return ""
        return f"{os.fstat(self._file.fileno()).st_ino} {self._file.tell()}"

    def read(self) -> list[AuditEntry]:
        """Entries that were written since the last look."""
        found: list[AuditEntry] = []
        left = MAX_BYTES_A_LOOK
        while left > 0:
            if self._file is None and not self._open():
                break
            left -= self._read_lines(found, left)
            if left <= 0 or not self._rotated():
                break
        return found

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        try:
            self._file = self._path.open("rb")
        except OSError:
            return False
        return True

    def _rotated(self) -> bool:
        """Leave a file that is no longer the log, once it is read to its end."""
        assert self._file is not None
        if _inode(self._path) in (None, os.fstat(self._file.fileno()).st_ino):
            return False
        self.close()
        self._skip_to = 0
        return True

    def _read_lines(self, found: list[AuditEntry], most: int) -> int:
        """Whole lines only; how many bytes they are."""
        assert self._file is not None
        begin = self._file.tell()
        raw = self._file.read(most)
        end = raw.rfind(b"\n") + 1
        if end == 0 and len(raw) == most:
            end = most  # no line is that long: go past it
        self._file.seek(begin + end)
        at = begin
        for line in raw[:end].splitlines(keepends=True):
            entry = self._parse_line(line)
            at += len(line)
            if entry is not None and at > self._skip_to:
                found.append(entry)
        return end


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
