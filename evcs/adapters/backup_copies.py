"""A home's files, copied so that they fit together while the system runs: for a backup.

Left out is what is rendered from the others, or only of this run: the broker's password file,
the Registry's second copy, SQLite's own extra files.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath

from evcs.adapters import journal_db, ledger_mark, ledger_schema, registry_db
from evcs.core.errors import EvcsError
from evcs.home import Home

SETTINGS = "conf/evcs.toml"
STORE, LEDGER = "data/registry.json", "data/ledger.db"
SPOOLS = "audit"
JOURNALS = "data/journals/"
LEFT_OUT = frozenset({
    "mosquitto.passwd", "mosquitto.acl", "registry.copy.json", "ledger.db-wal", "ledger.db-shm",
    "ledger.db-journal", "ledger.mark",
})  # fmt: skip
STAGE = ".backup"
MAX_TRIES = 50


def steady_copy(home: Home, stage: Path) -> dict[str, Path]:
    """Copies of all files, by name, that fit together. Raises EvcsError."""
    for _ in range(MAX_TRIES):
        copies = stage / "files"
        shutil.rmtree(copies, ignore_errors=True)
        with suppress(FileNotFoundError), _read(home.ledger_db) as ledger:
            found = _fitting(home, copies, ledger)
            if found is not None and ledger is not None:
                found[LEDGER] = stage / "ledger.db"
                with closing(sqlite3.connect(found[LEDGER])) as copy:
                    ledger.backup(copy)
            if found is not None:
                return found
    raise EvcsError("the Registry changes all the time", "try again when less is going on")


def _fitting(home: Home, copies: Path, ledger: sqlite3.Connection | None) -> dict[str, Path] | None:
    """Copies of all but the ledger, which stands still from here on; None where they don't fit.

    The spools come first: what they told is either still there once the ledger stands, so that
    it notes whatever it has of it, or this is done again. The rest comes after the ledger, since
    an Engine's journal may be ahead of it, but not behind.
    """
    store = registry_db.content(home.registry_json)
    found = _copied(_spools(home), copies)
    if ledger is not None:
        ledger.execute("BEGIN")
        ledger.execute("SELECT 1 FROM sqlite_master").fetchone()
    if _entries(found) != _entries(dict(_spools(home))):
        return None
    found |= _copied(_to_keep(home), copies)
    found[STORE] = copies / STORE
    found[STORE].parent.mkdir(parents=True, exist_ok=True)
    found[STORE].write_bytes(store)
    return found if registry_db.content(home.registry_json) == store else None


@contextmanager
def _read(path: Path) -> Iterator[sqlite3.Connection | None]:
    """The ledger, to be read; None where this home never had one. Raises EvcsError."""
    ledger_mark.check(path)
    if not path.exists():
        yield None
        return
    uri = f"{path.as_uri()}?mode=ro"
    with ledger_schema.naming_errors(path), closing(sqlite3.connect(uri, uri=True)) as db:
        db.isolation_level = None
        yield db


def _copied(files: Iterable[tuple[str, Path]], copies: Path) -> dict[str, Path]:
    found = {}
    for name, path in files:
        found[name] = copies / name
        found[name].parent.mkdir(parents=True, exist_ok=True)
        if name.startswith(JOURNALS) and path.suffix == ".db":
            journal_db.copy(path, found[name])
        else:
            shutil.copyfile(path, found[name])
    return found


def _entries(names: Iterable[str]) -> set[PurePosixPath]:
    """What stands in spools, be it prepared, told or set aside."""
    return {PurePosixPath(name).with_suffix("") for name in names}


def _spools(home: Home) -> Iterator[tuple[str, Path]]:
    folder = home.data / SPOOLS
    return _named(home, _files(folder, ())) if folder.is_dir() else iter(())


def _to_keep(home: Home) -> Iterator[tuple[str, Path]]:
    for name, path in _named(home, _files(home.data, ())):
        of_sqlite = name.startswith(JOURNALS) and name.endswith((".db-wal", ".db-shm"))
        if name.split("/")[1] != SPOOLS and not of_sqlite:
            yield name, path
    settings = home.path / SETTINGS
    if settings.is_file():
        yield SETTINGS, settings


def _named(home: Home, files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Files by their names in a backup, but for the ledger. Raises EvcsError: one has none."""
    for path in files:
        name = f"data/{path.relative_to(home.data).as_posix()}"
        if name.split("/")[1] in LEFT_OUT or name == LEDGER:
            continue
        if not is_ours(name):
            raise EvcsError(f"{path} has a name that can't be kept", "rename it")
        yield name, path


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


def is_ours(name: str) -> bool:
    """Whether a file of that name may be put into a home."""
    path = PurePosixPath(name)
    plain = str(path) == name and not path.is_absolute() and name.isprintable()
    short = all(part != ".." and len(os.fsencode(part)) <= 255 for part in path.parts)
    if not plain or not short or name == SETTINGS:
        return name == SETTINGS
    below = path.parts[1:]
    return path.parts[0] == "data" and len(below) > 0 and below[0] not in (*LEFT_OUT, STAGE)
