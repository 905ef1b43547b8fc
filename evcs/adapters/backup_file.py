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
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from evcs.adapters import ledger_mark, ledger_schema
from evcs.adapters.crash_points import crash_point
from evcs.adapters.files import hold_lock, write_new
from evcs.config import Home
from evcs.core import strict_json
from evcs.core.errors import BadValue, Conflict, EvcsError, NotFound

FORMAT = 1
MANIFEST = "manifest.json"
SETTINGS = "conf/evcs.toml"
LEDGER = "data/ledger.db"
LEFT_OUT = frozenset({
    "mosquitto.passwd", "registry.copy.json", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal",
    "ledger.mark",
})  # fmt: skip
STAGE = ".backup"
RESTORING = ".restore"
MAX_MANIFEST = 64 * 1024 * 1024
MAX_TRIES = 50
CHUNK = 1024 * 1024
NOT_A_TAR = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError)


def write(home: Home, goal: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Back the home up into `goal`; its manifest. Raises EvcsError.

    The system may run: the ledger is copied by SQLite itself, and secrets and journals are
    taken while the Registry's file, which is whole at every moment, stays the same.
    """
    if goal.exists():
        raise Conflict(f"{goal} exists already", "choose another name")
    stage = home.data / STAGE
    lock = hold_lock(home.lock("backup"), "evcs backup")
    try:
        shutil.rmtree(stage, ignore_errors=True)  # of one that was killed
        stage.mkdir(0o700)
        _copy_ledger(home.ledger_db, stage / "ledger.db")
        files = _steady_copy(home, stage)
        if (stage / "ledger.db").exists():
            files[LEDGER] = stage / "ledger.db"
        return _pack(files, goal, about)
    except FileExistsError:
        raise Conflict(f"{goal} exists already", "choose another name") from None
    except OSError as error:
        hint = "make room" if error.errno == errno.ENOSPC else "choose a folder you may write to"
        raise EvcsError(f"the backup can't be written: {error}", hint) from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def remove_stage(home: Home) -> None:
    """Remove the copies that a killed backup left, unless one is being made."""
    if not (home.data / STAGE).exists():
        return
    with suppress(Conflict):
        lock = hold_lock(home.lock("backup"), "evcs backup")
        shutil.rmtree(home.data / STAGE, ignore_errors=True)
        os.close(lock)


def _copy_ledger(path: Path, goal: Path) -> None:
    ledger_mark.check(path)
    if not path.exists():
        return
    with (
        ledger_schema.told(path),
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(goal)) as copy,
    ):
        source.backup(copy)


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
    for path in _files(home.data, ()):
        below = path.relative_to(home.data)
        if below.parts[0] != "ledger.db" and below.parts[0] not in LEFT_OUT:
            yield f"data/{below.as_posix()}", path
    settings = home.path / SETTINGS
    if settings.is_file():
        yield SETTINGS, settings


def _files(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """All files below, also by way of links. Raises EvcsError for what can't be kept."""
    real = folder.resolve()
    if real in above:
        raise EvcsError(f"{folder} leads to a folder above it", "remove that link")
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if above or path.name != STAGE:
                yield from _files(path, (*above, real))
        elif path.is_file():
            if not (path.name.startswith(".") and path.name.endswith(".tmp")):
                yield path
        elif path.is_symlink():
            raise EvcsError(
                f"{path} leads nowhere, so it can't be kept", "remove or mend that link"
            )


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
        if not _is_ours(name) or above & files.keys():
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


def _is_ours(name: str) -> bool:
    """Whether a file of that name may be put into a home."""
    path = PurePosixPath(name)
    plain = str(path) == name and not path.is_absolute() and name.isprintable()
    short = all(part != ".." and len(os.fsencode(part)) <= 255 for part in path.parts)
    if not plain or not short or name == SETTINGS:
        return name == SETTINGS
    below = path.parts[1:]
    return path.parts[0] == "data" and len(below) > 0 and below[0] not in (*LEFT_OUT, STAGE)


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
