"""A backup: one tar (0600) whose first member lists every file with its SHA-256.

    manifest.json     format, version, time, and path -> sha256 and size
    data/...          registry.json, ledger.db, secrets, journals, whatever else is kept there
    conf/evcs.toml    if there is one

Left out is what is rendered from these, or only of this run: the broker's password file,
the Registry's second copy, SQLite's own extra files.
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
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from evcs.adapters.files import hold_lock, sync_folder
from evcs.config import Home
from evcs.core.errors import BadValue, Conflict, EvcsError, NotFound

FORMAT = 1
MANIFEST = "manifest.json"
SETTINGS = "conf/evcs.toml"
LEDGER = "data/ledger.db"
LEFT_OUT = frozenset({
    "mosquitto.passwd", "registry.copy.json", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal",
})  # fmt: skip
MAX_MANIFEST = 64 * 1024 * 1024
MAX_TRIES = 50
CHUNK = 1024 * 1024


def write(home: Home, goal: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Back the home up into `goal`; its manifest. Raises EvcsError.

    The system may run: the ledger is copied by SQLite itself, and secrets and journals are
    taken while the Registry's file, which is whole at every moment, stays the same.
    """
    if goal.exists():
        raise Conflict(f"{goal} exists already", "choose another name")
    temp = goal.with_name(f".{goal.name}.{os.getpid()}.tmp")
    stage = home.data / ".backup"
    lock = hold_lock(home.lock("backup"), "evcs backup")
    try:
        shutil.rmtree(stage, ignore_errors=True)  # of one that was killed
        stage.mkdir(0o700)
        _copy_ledger(home.ledger_db, stage / "ledger.db")
        files = _steady_copy(home, stage)
        if (stage / "ledger.db").exists():
            files[LEDGER] = stage / "ledger.db"
        return _pack(files, temp, goal, about)
    except OSError as error:
        hint = "make room" if error.errno == errno.ENOSPC else "choose a folder you may write to"
        raise EvcsError(f"the backup can't be written: {error}", hint) from None
    finally:
        temp.unlink(missing_ok=True)
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def _copy_ledger(path: Path, goal: Path) -> None:
    if not path.exists():
        return
    try:
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(goal)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as error:
        raise EvcsError(f"the ledger can't be read: {error}", "evcs doctor") from None


def _steady_copy(home: Home, stage: Path) -> dict[str, Path]:
    """Copies of all other files, taken between two equal looks at the Registry's file."""
    store = home.registry_json
    for _ in range(MAX_TRIES):
        before = store.read_bytes() if store.exists() else b""
        copies = stage / "files"
        shutil.rmtree(copies, ignore_errors=True)
        try:
            found = {}
            for name, path in _to_keep(home):
                found[name] = copies / name
                found[name].parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, found[name])
        except FileNotFoundError:
            continue  # deleted just now: look again
        if "data/registry.json" in found:
            found["data/registry.json"].write_bytes(before)
        if (store.read_bytes() if store.exists() else b"") == before:
            return found
    raise EvcsError("the Registry changes all the time", "try again when less is going on")


def _to_keep(home: Home) -> Iterator[tuple[str, Path]]:
    for path in sorted(home.data.rglob("*")):
        below = path.relative_to(home.data)
        if below.parts[0] == "ledger.db" or below.parts[0] in LEFT_OUT:
            continue
        if not any(part.startswith(".") for part in below.parts) and path.is_file():
            yield f"data/{below.as_posix()}", path
    settings = home.path / SETTINGS
    if settings.is_file():
        yield SETTINGS, settings


def _pack(files: dict[str, Path], temp: Path, goal: Path, about: dict[str, Any]) -> dict[str, Any]:
    listed: dict[str, dict[str, Any]] = {
        name: {"sha256": _digest(path), "size": path.stat().st_size}
        for name, path in sorted(files.items())
    }
    manifest = {"format": FORMAT, **about, "files": listed}
    raw = json.dumps(manifest, indent=1).encode()
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.addfile(_member(MANIFEST, len(raw)), io.BytesIO(raw))
            for name in listed:
                with files[name].open("rb") as content:
                    tar.addfile(_member(name, listed[name]["size"]), content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temp, goal)  # unlike a rename it never replaces a file
    except FileExistsError:
        raise Conflict(f"{goal} exists already", "choose another name") from None
    sync_folder(goal.parent)
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
        with tarfile.open(path, "r:") as tar:
            yield tar
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", "name a backup") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadValue(f"{path} can't be read as a backup: {error}", "take another one") from None


def read(source: Path, goal: Path) -> dict[str, Any]:
    """Unpack a backup below `goal`, every byte checked; its manifest. Raises EvcsError."""
    with _opened(source) as tar:
        manifest = _manifest(source, tar)
        listed = dict(manifest["files"])
        for member in tar:
            if member.name == MANIFEST:
                continue
            expected = listed.pop(member.name, None)
            if expected is None or not member.isreg() or not _is_ours(member.name):
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
        found = json.loads(content.read())
        version, files = found["format"], found["files"]
        shape = all(
            isinstance(one["size"], int) and isinstance(one["sha256"], str)
            for one in files.values()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadValue(f"{source}: its list of files can't be read", "take another one") from None
    if version != FORMAT or not shape:
        raise BadValue(
            f"{source} is of format {version!a:.20}; this evcs reads {FORMAT}", "upgrade evcs"
        )
    return dict(found)


def _is_ours(name: str) -> bool:
    path = PurePosixPath(name)
    plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    return plain and (name == SETTINGS or (path.parts[0] == "data" and len(path.parts) > 1))


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
