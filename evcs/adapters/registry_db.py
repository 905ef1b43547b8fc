"""The Registry's store: TinyDB on a file that is whole at every moment.

A commit writes the copy of data/registry.json and then that file (temp, fsync, rename, fsync
of the folder). Both carry a checksum of their content, so a flipped bit is seen, and what they
hold is judged record by record (core.stored) before anyone acts on it; where the file is
broken, not valid or gone, the copy, equal to the last commit, takes its place.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tinydb import TinyDB
from tinydb.middlewares import CachingMiddleware
from tinydb.storages import Storage

from evcs.adapters.files import write_atomic, write_each
from evcs.adapters.secret_files import SecretFiles
from evcs.core import stored
from evcs.core.errors import RESTORE, BadValue, EvcsError
from evcs.core.hosts import Host
from evcs.core.messages import Circuit, DesiredCp, DesiredDriver
from evcs.core.stored import FORMAT, Stored
from evcs.home import Home

FIRST_FORMAT = 1
#: Since then a checksum is of the format, too.
NAMED_SINCE = 5

_log = logging.getLogger("evcs")
_Tables = dict[str, dict[str, Any]]
#: By table and number, a record and its JSON; a record is never changed, another takes its place.
_Texts = dict[str, dict[str, tuple[Any, str]]]
_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class _AtomicStorage(Storage):
    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy = _copy_of(path)
        self._texts: _Texts = {}

    def read(self) -> _Tables | None:
        found = _load(self._path)
        if not found.wrong:
            if found.format != FORMAT:
                _log.info("%s is of format %d; written as %d", self._path, found.format, FORMAT)
                self.write(found.tables)
            self._mend_copy(_dump(found.tables))
            return found.tables
        spare = _load(self._copy)
        if not spare.wrong:
            _log.error("%s %s; its copy, the last commit, is used", self._path.name, found.wrong)
            self.write(spare.tables)
            return spare.tables
        _refuse_newer(self._path, self._copy)
        if self._path.exists() or self._copy.exists():
            wrong = found.wrong if self._path.exists() else spare.wrong
            raise EvcsError(f"neither {self._path} nor its copy is good: it {wrong}", RESTORE)
        return None

    def _mend_copy(self, content: bytes) -> None:
        """Two faults, one after the other, must not lose what one could not."""
        try:
            if self._copy.read_bytes() == content:
                return
        except OSError:
            pass
        write_atomic(self._copy, content)

    def write(self, data: _Tables) -> None:
        # What is refused must not stand in the file: the copy, which gives way to it, goes first.
        content = _dump(data, texts=self._texts)
        write_each(dict.fromkeys((self._copy, self._path), content))

    def close(self) -> None:
        pass


def _copy_of(path: Path) -> Path:
    return path.with_name(path.stem + ".copy.json")


def _dump(tables: _Tables, kept_format: int = FORMAT, texts: _Texts | None = None) -> bytes:
    """A file's content. `texts`: of records that are written again, and they are few, for reuse."""
    texts = {} if texts is None else texts
    found = []
    for name, table in tables.items():
        before, texts[name] = texts.get(name, {}), {}
        for number, record in table.items():
            kept = before.get(number)
            if kept is None or kept[0] is not record:
                kept = record, f"{_json(number)}:{_json(record)}"
            texts[name][number] = kept
        found.append(f"{_json(name)}:{{{','.join(text for _, text in texts[name].values())}}}")
    text = f"{{{','.join(found)}}}"
    # Of later formats the number is within, too: one flipped bit makes 4 of 5.
    named = f"{kept_format}{text}" if kept_format >= NAMED_SINCE else text
    digest = hashlib.sha256(named.encode()).hexdigest()
    return f'{{"format":{kept_format},"sha256":"{digest}","tables":{text}}}\n'.encode()


class _Found(NamedTuple):
    """A file's tables as of today's format, its own format; what is wrong with it ("": nothing)."""

    tables: _Tables
    content: Stored
    wrong: str = ""
    format: int = FORMAT


def _load(path: Path) -> _Found:
    none = _Found({}, Stored({}, {}, {}, {}, 0))
    try:
        raw = path.read_bytes()
        found = json.loads(raw)
        kept_format = found["format"]
        if kept_format not in range(FIRST_FORMAT, FORMAT + 1) or raw != _dump(
            found["tables"], kept_format
        ):
            return none._replace(wrong="is broken: its checksum is another")
        tables = stored.migrated(found["tables"], kept_format)
        return _Found(tables, stored.read(tables), format=kept_format)
    except FileNotFoundError:
        return none._replace(wrong="is missing")
    except BadValue as error:
        return none._replace(wrong=f"is not valid: {error.message}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return none._replace(wrong="is broken: it can't be read")


def _refuse_newer(*paths: Path) -> None:
    """Of files that can't be read: one may be of a format to come. Raises EvcsError.

    A flipped bit may look so too: asked only where there is no good file beside it.
    """
    for path in paths:
        try:
            found = json.loads(path.read_bytes())["format"]
            newer = found > FORMAT
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if newer:
            text = f"{path} is of a newer format ({found}; this evcs knows {FORMAT})"
            raise EvcsError(text, "upgrade evcs")


def peek(path: Path) -> tuple[Stored | None, dict[Path, str]]:
    """What the store holds, None where nothing is good; and what is wrong with its files.

    Changes nothing, so it is for those who don't own the store. Raises EvcsError where
    both files are of a newer format.
    """
    found = {one: _load(one) for one in (path, _copy_of(path))}
    good = next((one.content for one in found.values() if not one.wrong), None)
    bad = {one: content.wrong for one, content in found.items() if content.wrong and one.exists()}
    if good is None:
        _refuse_newer(*bad)
    return good, bad


def content(path: Path) -> bytes:
    """The last commit as the store's file has it, or else its copy. Raises EvcsError."""
    for one in (path, _copy_of(path)):
        found = _load(one)
        if not found.wrong:
            return _dump(found.tables)
    _refuse_newer(path, _copy_of(path))
    raise EvcsError(f"neither {path} nor its copy is good", RESTORE)


class RegistryDb:
    """CPs (with tombstones), drivers, circuits, hosts. A transaction is whole, or refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        """Take what is on disk; what was changed in memory alone is dropped."""
        self._storage = CachingMiddleware(_AtomicStorage)
        self._storage.WRITE_CACHE_SIZE = 1 << 62  # only commit() writes
        self._db = TinyDB(self._path, storage=self._storage)

    @staticmethod
    def exists(path: Path) -> bool:
        """Whether there is a store, be it only its copy."""
        return path.exists() or _copy_of(path).exists()

    def cps(self) -> dict[str, DesiredCp]:
        """All CPs by id, those being deleted too."""
        return {doc["id"]: stored.cp_of(doc) for doc in self._db.table("cps").all()}

    def drivers(self) -> dict[str, DesiredDriver]:
        """All drivers by id."""
        return {doc["id"]: stored.driver_of(doc) for doc in self._db.table("drivers").all()}

    def circuits(self) -> dict[str, Circuit]:
        """All circuits by name."""
        return {doc["id"]: stored.circuit_of(doc) for doc in self._db.table("circuits").all()}

    def hosts(self) -> dict[str, Host]:
        """All hosts beside the centre, by name."""
        return {doc["id"]: stored.host_of(doc) for doc in self._db.table("hosts").all()}

    def revision(self) -> int:
        """The last revision given to any change, of CPs that are gone too."""
        return max((doc["revision"] for doc in self._db.table("meta").all()), default=0)

    def commit(
        self,
        revision: int,
        cps: Iterable[DesiredCp] = (),
        gone: Iterable[str] = (),
        drivers: Iterable[DesiredDriver] = (),
        drivers_gone: Iterable[str] = (),
        circuits: Iterable[Circuit] = (),
        circuits_gone: Iterable[str] = (),
        hosts: Iterable[Host] = (),
        hosts_gone: Iterable[str] = (),
    ) -> None:
        """One transaction. Raises EvcsError where the disk refuses it; all is then as before."""
        # TinyDB's own verbs go through the whole table, each of them.
        names = ({"id": one.id, "tags": list(one.tags)} for one in drivers)
        tables: _Tables = self._storage.read() or {}
        changed = {
            "cps": _changed(tables.get("cps", {}), map(_record, cps), gone),
            "drivers": _changed(tables.get("drivers", {}), names, drivers_gone),
            "circuits": _changed(
                tables.get("circuits", {}), map(_named_record, circuits), circuits_gone
            ),
            "hosts": _changed(tables.get("hosts", {}), map(_named_record, hosts), hosts_gone),
            "meta": {"1": {"revision": revision}},
        }
        try:
            self._storage.write(changed)
            self._storage.flush()
        except OSError as error:
            self._open()
            raise EvcsError(
                f"the Registry can't be written: {error.strerror}", "make room and try again"
            ) from None


def open_store(home: Home) -> RegistryDb:
    """The home's store. One that is gone is not the same as one that never was.

    Raises EvcsError: an empty Registry beside the CPs' secrets would shut a fleet out.
    """
    path, secrets = home.registry_json, SecretFiles(home)
    if RegistryDb.exists(path):
        return RegistryDb(path)
    if secrets.names("cp") or secrets.names("driver"):
        raise EvcsError(
            f"{path} and its copy are gone, but CPs or drivers have secrets",
            "restore a backup, or remove data/secrets/cp and driver to start empty",
        )
    db = RegistryDb(path)
    db.commit(0)
    return db


def _changed(
    table: dict[str, Any], docs: Iterable[dict[str, Any]], gone: Iterable[str]
) -> dict[str, Any]:
    """The table after a change, another one; a record keeps its number."""
    table = dict(table)
    numbers = {doc["id"]: number for number, doc in table.items()}
    for doc in docs:
        number = numbers.setdefault(doc["id"], str(int(next(reversed(table), "0")) + 1))
        table[number] = doc
    for one in gone:
        table.pop(numbers.get(one, ""), None)
    return table


def _named_record(one: Circuit | Host) -> dict[str, Any]:
    record = one._asdict()
    return {"id": record.pop("name"), **record}


def _record(cp: DesiredCp) -> dict[str, Any]:
    record = cp._asdict()
    del record["cp"]
    return record
