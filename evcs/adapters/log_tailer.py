"""A log that is followed for the audit's sake, through rotation and restarts of the reader.

The cursor reached is a word that the reader keeps, so that no line is told twice or missed.
A file that was read is read again from its begin, or from the last line that `begins` anew, for
what its earlier lines say of later ones, and nothing before the cursor is told. Where lines were
taken away unread, that is told.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from evcs.adapters.clock import timestamp
from evcs.core.audit import AuditEntry

#: Anybody can have lines written: a look takes some ms, and what is left is for the next one.
MAX_LINES_A_LOOK = 1_000
#: Longer than any line.
MAX_BYTES_A_LOOK = 131_072
BACKUPS = 2
#: Of a file's begin, to know it again: an inode is given to another file once it is free.
MARK_BYTES = 64
#: Inode, offset and mark; anything else, in a ledger of another's making, is no cursor. Earlier
#: versions left no mark.
_CURSOR = re.compile(r"([0-9]{1,20}) ([0-9]{1,20})(?: ([0-9]{1,10}))?")

ParseLine = Callable[[bytes], AuditEntry | None]


class LogTailer:
    """Reads on from `cursor`, the word of an earlier reader ("" for none).

    `parser(whole)` begins anew, `whole` if nothing was written before the first line that it is
    to be given; what it returns is given each line in order and says which of them are entries.
    `begins` matches lines before which nothing says anything of what comes after them.
    """

    def __init__(
        self, path: Path, parser: Callable[[bool], ParseLine], cursor: str = "",
        begins: re.Pattern[bytes] | None = None,
    ) -> None:  # fmt: skip
        self._path, self._parser, self._begins = path, parser, begins
        self._file: BinaryIO | None = None
        self._skip_to = 0
        self.behind = False
        found = _CURSOR.fullmatch(cursor)
        self._lost = found is not None and not self._go_to(int(found[1]), int(found[2]), found[3])
        self._parse_line = parser(not self._lost and not rotated(path, 1).exists())

    @property
    def cursor(self) -> str:
        """The word for how far this reader has come."""
        if self._file is None:
            return ""
        offset = self._file.tell()
        return f"{os.fstat(self._file.fileno()).st_ino} {offset} {_mark(self._file, offset)}"

    def read(self) -> list[AuditEntry]:
        """Entries that were written since the last look; `behind` says whether there are more."""
        found: list[AuditEntry] = []
        left = MAX_LINES_A_LOOK
        while left > 0 and (self._file is not None or self._open()):
            if self._lost:
                found.append(_lost(self._path.name))
                self._lost = False
            if taken := self._read_lines(found, left):
                left -= taken
            elif not self._go_on():
                break
        self.behind = left <= 0
        return found

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _files(self) -> list[Path]:
        """The log and what was moved on of it, the oldest first; what can't be read is no log."""
        found = [rotated(self._path, number) for number in range(BACKUPS, -1, -1)]
        return [path for path in found if os.access(path, os.R_OK) and path.is_file()]

    def _go_to(self, inode: int, offset: int, mark: str | None) -> bool:
        """Find the file that was read; where it is gone, begin with the oldest."""
        for path in self._files():
            if inode_of(path) == inode and path.stat().st_size >= offset:
                file = path.open("rb")
                if mark in (None, _mark(file, offset)):
                    self._file, self._skip_to = file, offset
                    file.seek(self._last_begin(file, offset))
                    return True
                file.close()
        return False

    def _last_begin(self, file: BinaryIO, offset: int) -> int:
        if self._begins is None:
            return 0
        read = os.pread(file.fileno(), offset, 0)
        return max((one.start() for one in self._begins.finditer(read)), default=0)

    def _open(self) -> bool:
        for path in self._files():
            try:
                self._file = path.open("rb")
            except OSError:
                continue
            return True
        return False

    def _go_on(self) -> bool:
        """Leave a file that is no longer the log, once it is read to its end; False if it is."""
        assert self._file is not None
        inode, files = os.fstat(self._file.fileno()).st_ino, self._files()
        inodes = [inode_of(path) for path in files]
        if inode in inodes[:-1]:
            following = files[inodes.index(inode) + 1]
        elif inode in inodes:
            if os.fstat(self._file.fileno()).st_size >= self._file.tell():
                return False
            following = self._path  # it was cut short
        elif files:
            following = files[0]
        else:
            return False
        if inode not in inodes[:-1]:
            self._lost = True
            self._parse_line = self._parser(False)
        self.close()
        self._skip_to = 0
        self._file = following.open("rb")
        return True

    def _read_lines(self, found: list[AuditEntry], most: int) -> int:
        """Whole lines only; how many they are."""
        assert self._file is not None
        at = self._file.tell()
        raw = self._file.read(MAX_BYTES_A_LOOK)
        *lines, _rest = raw.split(b"\n", most)
        if not lines and len(raw) == MAX_BYTES_A_LOOK:
            return 1  # no line is that long: go past it
        for line in lines:
            entry = self._parse_line(line + b"\n")
            at += len(line) + 1
            if entry is not None and at > self._skip_to:
                found.append(entry)
        self._file.seek(at)
        return len(lines)


def _lost(name: str) -> AuditEntry:
    detail = f"{name} was moved on, cut short or removed before it was read to its end"
    return AuditEntry(timestamp(), "central", "audit", None, "lines may be missing", detail)


def rotated(path: Path, number: int) -> Path:
    """The log's file that was moved on so many times."""
    return path.with_name(f"{path.name}.{number}") if number else path


def inode_of(path: Path) -> int | None:
    """A file's inode, None without one."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _mark(file: BinaryIO, offset: int) -> str:
    """What tells the file from another one: a sum of its begin, of what was read of it."""
    return str(zlib.crc32(os.pread(file.fileno(), min(offset, MARK_BYTES), 0)))
