"""Files that are whole or absent: temp, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from evcs.core.errors import Conflict

#: So many files are synced one by one.
FEW = 16
#: Bytes, more than any secret has.
SMALL = 65_536


def write_atomic(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put `content` at `path` with that mode, so that a kill leaves the old or the new."""
    write_each({path: content}, mode)


def write_each(contents: Mapping[Path, bytes], mode: int = 0o644) -> None:
    """The same of several paths, in order; a full disk refuses all.

    Many are synced together: one by one each would wait for the disk.
    """
    temps = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in contents}
    folders = {path.parent for path in contents}
    few = len(contents) <= FEW
    try:
        for path, temp in temps.items():
            temp.unlink(missing_ok=True)  # of one that was killed, or somebody else's link
            fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(contents[path])
                file.flush()
                if few:
                    os.fsync(file.fileno())
        if not few:
            _sync_file_systems(folders)
        for path, temp in temps.items():
            os.replace(temp, path)
    except BaseException:
        for temp in temps.values():
            temp.unlink(missing_ok=True)
        raise
    if not few:
        _sync_file_systems(folders)
        return
    for folder in folders:
        sync_folder(folder)


def write_new(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """A file (0600) that `write` fills; it has no name before it is whole, so a kill leaves none.

    Raises FileExistsError where there is one already, then or by the end.
    """
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        fd = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o600)
        source = f"/proc/self/fd/{fd}"
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
        # A file system without nameless files, such as NFS.
        fd, source = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), str(temp)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                # With a folder it is linkat, which alone follows the link in /proc.
                os.link(source, path, src_dir_fd=folder)
            finally:
                os.close(folder)
    finally:
        temp.unlink(missing_ok=True)
    sync_folder(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed `write_each` left below a folder; for its owner, while nobody writes."""
    for inside, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                with suppress(OSError):
                    Path(inside, name).unlink()


def read_small(name: str) -> bytes:
    """A file's content, of up to SMALL bytes; of what has no end to wait for. Raises OSError."""
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(fd, SMALL)
    finally:
        os.close(fd)


def set_aside(path: Path) -> Path:
    """Rename what is there so that nobody reads it any more; returns its new place."""
    goal, number = path.with_name(f"{path.name}.broken"), 1
    while os.path.lexists(goal):
        number += 1
        goal = path.with_name(f"{path.name}.broken.{number}")
    path.rename(goal)
    sync_folder(path.parent)
    return goal


def clear_place(path: Path) -> None:
    """Set aside what is no file and stands in the place of one, such as a folder or a pipe."""
    if path.exists() and not path.is_file():
        set_aside(path)


def sync_folder(path: Path) -> None:
    """Make renames and removals in a folder last through a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_file_systems(folders: Iterable[Path]) -> None:
    """All that was written there, at once. `os.sync` would wait for any disk, and tell no error."""
    import ctypes  # a CP process never writes so many

    libc = ctypes.CDLL(None, use_errno=True)
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if libc.syncfs(fd):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
        finally:
            os.close(fd)


def make_folder(path: Path, mode: int | None = None) -> None:
    """Create a folder and its parents. With a mode it gets that also if it was there.

    What a link leads to is its owner's to close.
    """
    path.mkdir(mode=0o755 if mode is None else mode, parents=True, exist_ok=True)
    if mode is not None and not path.is_symlink() and path.stat().st_mode & 0o777 != mode:
        path.chmod(mode)


def hold_lock(path: Path, who: str) -> int:
    """Take the lock that only one process may hold; it ends with the process.

    Returns the descriptor to keep. Raises Conflict, naming the holder's pid.
    """
    how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        fd = os.open(path, how, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, how, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(fd, 20, 0).decode("ascii", "replace").partition("\n")[0] or "unknown"
        os.close(fd)
        raise Conflict(f"{who} runs already (pid {pid})", f"it holds {path}") from None
    with suppress(OSError):  # a full disk: the lock is held all the same
        holder = f"{os.getpid()}\n".encode()
        os.pwrite(fd, holder, 0)
        # Mostly it is as long as the last one's, and to cut a file takes longer than all the rest.
        if os.fstat(fd).st_size != len(holder):
            os.ftruncate(fd, len(holder))
    return fd


def is_locked(path: Path) -> bool:
    """Whether somebody holds that lock. Who tries to take it just then may be refused."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def file_number(path: Path) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
