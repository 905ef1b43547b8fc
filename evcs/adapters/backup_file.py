"""A backup: one tar (0600) whose first member lists every file with its SHA-256.

manifest.json     format, version, time, and path -> sha256 and size
data/...          registry.json, ledger.db, secrets, journals, whatever else is kept there
conf/evcs.toml    if there is one
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Any, BinaryIO

from evcs.adapters.backup_copies import STAGE, is_ours, steady_copy
from evcs.adapters.files import hold_lock, write_new
from evcs.core import strict_json
from evcs.core.errors import BadValue, Conflict, EvcsError, NotFound
from evcs.home import Home
from evcs.runtime.crash_points import crash_point

FORMAT = 1
MANIFEST = "manifest.json"
RESTORING = ".restore"
MAX_MANIFEST = 64 * 1024 * 1024
CHUNK = 1024 * 1024
NOT_A_TAR = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError)


def write(home: Home, goal: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Back the home up into `goal`; its manifest. Raises EvcsError.

    The system may run: see `steady_copy`.
    """
    if goal.exists():
        raise Conflict(f"{goal} exists already", "choose another name")
    lock = hold_lock(home.lock("backup"), "evcs backup")
    stage = home.data / STAGE
    try:
        shutil.rmtree(stage, ignore_errors=True)  # of one that was killed
        if begin := _beside(home, goal):
            _remove_own(goal.parent, begin)
            stage = Path(mkdtemp(prefix=begin, dir=goal.parent))
        else:
            stage.mkdir(0o700)
        return _pack(steady_copy(home, stage), goal, about)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, FileExistsError) and os.path.lexists(goal):
            raise Conflict(f"{goal} exists already", "choose another name") from None
        text = f"the backup can't be written: {error} (in {stage.parent} or {goal.parent})"
        denied = isinstance(error, OSError) and error.errno != errno.ENOSPC
        raise EvcsError(
            text, "choose a folder you may write to" if denied else "make room"
        ) from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def _beside(home: Home, goal: Path) -> str:
    """How the folder for copies beside the goal begins; "": they are made in the home.

    Who wants a full home on another file system has no room in that home.
    """
    with suppress(OSError):
        if goal.parent.stat().st_dev != home.data.stat().st_dev:
            return f".evcs{STAGE}-{home.data.stat().st_ino}-"
    return ""


def _remove_own(folder: Path, begin: str) -> None:
    """Remove what one left there that was killed; others may have made what is called so."""
    for left in folder.glob(f"{begin}*"):
        with suppress(OSError):
            if left.lstat().st_uid == os.geteuid():
                shutil.rmtree(left, ignore_errors=True)


def remove_stage(home: Home) -> None:
    """Remove the copies that a killed backup left, unless one is being made."""
    if not (home.data / STAGE).exists():
        return
    with suppress(Conflict):
        lock = hold_lock(home.lock("backup"), "evcs backup")
        shutil.rmtree(home.data / STAGE, ignore_errors=True)
        os.close(lock)


def _pack(files: dict[str, Path], goal: Path, about: dict[str, Any]) -> dict[str, Any]:
    listed: dict[str, dict[str, Any]] = {
        name: {"sha256": _digest(path), "size": path.stat().st_size}
        for name, path in sorted(files.items())
    }
    manifest = {"format": FORMAT, **about, "files": listed}
    raw = json.dumps(manifest, indent=1).encode()

    def write(file: BinaryIO) -> None:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.addfile(_member(MANIFEST, len(raw)), io.BytesIO(raw))
            for name in listed:
                with files[name].open("rb") as content:
                    tar.addfile(_member(name, listed[name]["size"]), content)
        crash_point("backup.packed")

    write_new(goal, write)
    return manifest


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        tar = tarfile.open(path, "r:")  # noqa: SIM115
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", "name a backup") from None
    except (*NOT_A_TAR, OSError) as error:
        raise BadValue(f"{path} can't be read as a backup: {error}", "take another one") from None
    with tar:
        try:
            yield tar
        except NOT_A_TAR as error:
            text = f"{path} can't be read as a backup: {error}"
            raise BadValue(text, "take another one") from None


def read(source: Path, goal: Path) -> dict[str, Any]:
    """Unpack a backup below `goal`, every byte checked; its manifest. Raises EvcsError."""
    with _opened(source) as tar:
        manifest = _manifest(source, tar)
        listed = dict(manifest["files"])
        for member in tar:
            if member.name == MANIFEST:
                continue
            expected = listed.pop(member.name, None)
            # A sparse one would have far more written than the backup is large.
            plain = member.isreg() and not member.issparse()
            if expected is None or not plain or not is_ours(member.name):
                raise BadValue(f"{source} holds {member.name[:80]!a}, which it should not")
            if member.size != expected["size"]:
                raise BadValue(f"{source}: {member.name} has another size than it says")
            if _unpack(tar, member, goal / member.name) != expected["sha256"]:
                raise BadValue(f"{source}: {member.name} is damaged", "take another backup")
        if listed:
            raise BadValue(f"{source}: {min(listed)[:80]} is missing", "take another backup")
        return manifest


def _manifest(source: Path, tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    content = tar.extractfile(first) if first and first.name == MANIFEST else None
    if first is None or content is None or first.size > MAX_MANIFEST:
        raise BadValue(f"{source} is not a backup of evcs", "name a file that evcs backup made")
    try:
        found = dict(strict_json.parse(content.read(), unique=True))
        version, files = found["format"], dict(found["files"])
    except (ValueError, KeyError, TypeError):
        raise BadValue(f"{source}: its list of files can't be read", "take another one") from None
    if type(version) is int and version > FORMAT:
        raise BadValue(f"{source} is of format {version}; this evcs reads {FORMAT}", "upgrade evcs")
    if version != FORMAT or not _is_list(files):
        raise BadValue(f"{source}: its list of files is not one", "take another one")
    for name in files:
        above = {str(one) for one in PurePosixPath(name).parents}
        if not is_ours(name) or above & files.keys():
            raise BadValue(f"{source} holds {name[:80]!a}, which it should not")
    return found | {"files": files}


def _is_list(files: dict[Any, Any]) -> bool:
    """Whether it is path -> size and SHA-256."""
    return all(
        isinstance(one, dict)
        and isinstance(one.get("sha256"), str)
        and type(size := one.get("size")) is int
        and size >= 0
        for one in files.values()
    )


def _make_closed(folder: Path) -> None:
    """Create a folder and its parents, none open to others (mkdir's mode is the last one's)."""
    if not folder.is_dir():
        _make_closed(folder.parent)
        folder.mkdir(0o700)


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, goal: Path) -> str:
    _make_closed(goal.parent)
    content = tar.extractfile(member)
    assert content is not None
    digest = hashlib.sha256()
    fd = os.open(goal, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
