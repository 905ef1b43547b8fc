"""conf/pools: member files, written whole by the CP Manager, read by it and by the pools."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

from evcs.adapters.files import clear_place, make_folder, sync_folder, write_atomic
from evcs.core import pools
from evcs.core.errors import BadValue
from evcs.core.pools import Members

_log = logging.getLogger("evcs")


class MemberFile:
    """One pool's, read again where it has changed or could not be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._members: Members | None = None
        self._error = ""

    def members(self) -> Members | None:
        """Whom it names; None where there is no file, or none that can be one."""
        try:
            now = self._path.stat()
            seen = now.st_ino, now.st_mtime_ns, now.st_size
            if seen != self._seen:
                self._members, self._error = self._read(now.st_mode), ""
            self._seen = seen
        except FileNotFoundError:
            self._seen, self._members, self._error = (), None, ""
        except (OSError, BadValue) as error:
            self._seen, self._members = (), None
            if str(error) != self._error:
                self._error = str(error)
                _log.error("%s can't be read: %s", self._path, error)
        return self._members

    def _read(self, mode: int) -> Members:
        if not stat.S_ISREG(mode):
            raise BadValue("no file")  # to read a pipe is to wait
        return pools.parse(self._path.read_bytes())


class PoolFiles:
    """Those of all pools of one home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, MemberFile] = {}

    def members(self) -> dict[str, Members | None]:
        """Pool -> whom its file names, None where it can't be read; of pools that have a file."""
        there = {path.stem for path in self._folder.glob("*.json") if pools.is_shared(path.stem)}
        self._files = {pool: self._files.get(pool) or self._file(pool) for pool in there}
        return {pool: file.members() for pool, file in self._files.items()}

    def write(self, pool: str, members: Members) -> None:
        """Put a pool's file in place."""
        make_folder(self._folder)
        clear_place(self._path(pool))
        write_atomic(self._path(pool), pools.render(members).encode())

    def erase(self, pool: str) -> None:
        """Remove it."""
        clear_place(self._path(pool))
        self._path(pool).unlink(missing_ok=True)
        sync_folder(self._folder)

    def _file(self, pool: str) -> MemberFile:
        return MemberFile(self._path(pool))

    def _path(self, pool: str) -> Path:
        return self._folder / pools.file_name(pool)
