"""The broker's log, followed for the one thing that only the broker knows: refused logins.

Its lines begin with epoch seconds and tell a refusal without a name: the address is that of
a connection which was opened and has not been let in. The place reached is a word that the
reader keeps, so that no line is told twice or missed, also when the log was rotated.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAX_WAITING = 200
MAX_BYTES_A_LOOK = 1_000_000

_OPENED = re.compile(rb"(\d+): New connection from (\S+) on port \d+\.")
_LET_IN = re.compile(rb"(\d+): New client connected from (\S+) as ")
_REFUSED = re.compile(rb"(\d+): Client (?:<unknown>|.* \[(\S+)\]) disconnected, not authorised\.")
_LOST = re.compile(rb"(\d+): Client <unknown> ")


class Refusal(NamedTuple):
    """A login that the broker refused: when (RFC 3339 UTC), from where."""

    at: str
    address: str


class BrokerLog:
    """Reads on from `place`, the word of an earlier reader ("" for none)."""

    def __init__(self, path: Path, place: str = "") -> None:
        self._path = path
        self._waiting: list[bytes] = []
        self._file: BinaryIO | None = None
        self._skip_to = 0
        if place:
            self._go_to(*(int(word) for word in place.split()))

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
    def place(self) -> str:
        """The word for how far this reader has come."""
        if self._file is None:
            return ""
        return f"{os.fstat(self._file.fileno()).st_ino} {self._file.tell()}"

    def read(self) -> list[Refusal]:
        """Refusals that were written since the last look."""
        found: list[Refusal] = []
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

    def _read_lines(self, found: list[Refusal], most: int) -> int:
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
            refusal = self._take(line)
            at += len(line)
            if refusal is not None and at > self._skip_to:
                found.append(refusal)
        return end

    def _take(self, line: bytes) -> Refusal | None:
        if match := _OPENED.match(line):
            self._waiting = [*self._waiting[-MAX_WAITING:], match[2]]
        elif match := _LET_IN.match(line):
            if match[2] in self._waiting:
                self._waiting.remove(match[2])
        elif match := _REFUSED.match(line):
            return Refusal(_time(int(match[1])), self._address(match[2]).decode("ascii", "replace"))
        elif _LOST.match(line):
            # Whose it was isn't told; who has waited longest is the likeliest.
            del self._waiting[:1]
        return None

    def _address(self, told: bytes | None) -> bytes:
        """Whose it was: that of the one that waits; of several only what they share is sure."""
        if told is None and len(self._waiting) == 1:
            told = self._waiting[0]
        if told is not None:
            if told in self._waiting:
                self._waiting.remove(told)
            return told
        hosts = {one.rpartition(b":")[0] for one in self._waiting}
        if self._waiting:
            del self._waiting[0]
        return hosts.pop() if len(hosts) == 1 else b"unknown"


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _time(epoch_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(epoch_s))
