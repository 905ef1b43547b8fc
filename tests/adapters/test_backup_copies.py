"""What a backup takes of a home that changes: each entry for the audit once, nothing unreadable."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from evcs.adapters import backup_content, backup_file, journal_db
from evcs.adapters.ledger import Ledger
from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.registry_db import RegistryDb
from evcs.adapters.spool import Spool, SpoolReader
from evcs.core.errors import BadValue, Conflict, EvcsError
from evcs.home import Home
from evcs.services.central.auditor import Auditor, Sources
from evcs.services.central.entries import Entries
from evcs.services.central.ledger_writer import LedgerWriter
from tests.records import kept
from tests.system_under_test import eventually
from tests.unit.fakes import FakeClock

BACKUPS = 25


class Central:
    """What of it takes up what web tells."""

    def __init__(self, home: Home) -> None:
        self.ledger = Ledger(home.ledger_db)
        clock = FakeClock()
        self.writer = LedgerWriter(self.ledger)
        entries = Entries(self.writer.add_entry, clock)
        sources = Sources(None, {"web": SpoolReader(home.spool("web"))})
        self.auditor = Auditor(self.writer, entries, self.ledger.noted(), sources, clock)

    def look(self) -> None:
        self.auditor.look()
        self.writer.commit()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.data.mkdir(parents=True)
    made.run.mkdir()
    RegistryDb(made.registry_json).commit(1, [kept("CP-1")])
    return made


def unpacked(backup: Path, goal: Path) -> Home:
    """The home that a backup makes, judged as `restore` does."""
    backup_file.read(backup, goal)
    backup_content.check(goal)
    return Home(goal)


def test_what_central_takes_up_meanwhile_is_in_it_once(home: Home, tmp_path: Path) -> None:
    ended, told = threading.Event(), 0
    Spool.open(home.spool("web"))

    def tell_and_take_up() -> None:
        nonlocal told
        spool, central = Spool(home.spool("web")), Central(home)
        while not ended.is_set():
            spool.tell("127.0.0.1:7", "login", "ok", str(told))
            told += 1
            if told % 3 == 0:
                central.look()
        central.ledger.close()

    teller = threading.Thread(target=tell_and_take_up)
    teller.start()
    try:
        least = []
        for number in range(BACKUPS):
            least.append(told)
            backup_file.write(home, tmp_path / f"{number}.backup", {})
    finally:
        ended.set()
        teller.join()
    for number in range(BACKUPS):
        found = unpacked(tmp_path / f"{number}.backup", tmp_path / str(number))
        central = Central(found)
        central.look()
        central.ledger.close()
        there = [row["detail"] for row in LedgerReader(found.ledger_db).audit(limit=100_000)]
        assert there[::-1] == [f"web: {one}" for one in range(len(there))]
        assert len(there) >= least[number]


POOL = """
import sys
from pathlib import Path
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_journal import PoolJournals
due, number = [], 0
journals = PoolJournals(Path(sys.argv[1]), due.append, NamedLog("pool"))
cps = [journals.of(f"CP-{cp}") for cp in range(200)]
while True:
    number += 1
    for cp in cps:
        cp.append({"seq": number, "pad": "x" * 300}, sync=False)
    due.pop()()
    print(number, flush=True)
"""


def test_a_pools_journals_are_of_one_moment_and_no_older_than_the_backup(
    home: Home, tmp_path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    pool = child(POOL, str(home.pool_journal("_pool-1")))
    told: list[int] = []
    assert pool.stdout is not None
    lines = pool.stdout
    reader = threading.Thread(target=lambda: told.extend(int(line) for line in lines))
    reader.start()
    eventually("it writes", lambda: told)
    least = []
    for number in range(BACKUPS):
        least.append(told[-1])
        backup_file.write(home, tmp_path / f"{number}.backup", {})
    pool.kill()
    reader.join()
    for number in range(BACKUPS):
        found = unpacked(tmp_path / f"{number}.backup", tmp_path / str(number))
        assert [path.name for path in (found.data / "journals").iterdir()] == ["_pool-1.db"]
        rows = journal_db.read(found.pool_journal("_pool-1"))
        (seq,) = {json.loads(record)["seq"] for record in rows.values()}
        assert len(rows) == 200
        assert seq >= least[number]


def test_a_pools_journals_that_are_damaged_are_kept_as_they_are(home: Home, tmp_path: Path) -> None:
    home.pool_journal("_pool-1").parent.mkdir()
    home.pool_journal("_pool-1").write_bytes(b"x" * 5_000)
    backup_file.write(home, tmp_path / "a.backup", {})
    assert (
        unpacked(tmp_path / "a.backup", tmp_path / "a").pool_journal("_pool-1").stat().st_size
        == 5_000
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("secrets/central/x", "secrets/central is no file"),
        ("secrets/operator.token/x", "secrets/operator.token is no file"),
        ("secrets/cp/CP-1/engine/x", "secrets/cp/CP-1/engine is no file"),
        ("transaction_number/x", "transaction_number is no file"),
        ("secrets", "secrets is no folder"), ("secrets/cp", "secrets/cp is no folder"),
        ("secrets/cp/CP-1", "secrets/cp/CP-1 is no folder"),
        ("audit/web", "audit/web is no folder"), ("journals", "journals is no folder"),
    ],
)  # fmt: skip
def test_a_file_in_the_place_of_a_folder_is_refused_and_the_reverse(
    home: Home, tmp_path: Path, name: str, what: str
) -> None:
    place = home.data / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("x")
    backup_file.write(home, tmp_path / "b", {})
    with pytest.raises(BadValue, match=f"its data/{what}"):
        unpacked(tmp_path / "b", tmp_path / "again")


@pytest.mark.parametrize("harm", ["gone", "broken"])
def test_the_stores_copy_is_taken_where_the_store_is_not_good(
    home: Home, tmp_path: Path, harm: str
) -> None:
    if harm == "gone":
        home.registry_json.unlink()
    else:
        home.registry_json.write_bytes(b"{")
    backup_file.write(home, tmp_path / "a.backup", {})
    found = unpacked(tmp_path / "a.backup", tmp_path / "a")
    assert set(RegistryDb(found.registry_json).cps()) == {"CP-1"}


@pytest.mark.parametrize("name", [b"new\nline", b"not-utf8-\xff"])
def test_a_name_that_no_restore_takes_is_refused_at_once(
    home: Home, tmp_path: Path, name: bytes
) -> None:
    Path(f"{home.data}/{name.decode(errors='surrogateescape')}").touch()
    with pytest.raises(EvcsError, match="can't be kept"):
        backup_file.write(home, tmp_path / "a.backup", {})
    assert not (tmp_path / "a.backup").exists()


def test_a_sparse_file_in_a_backup_is_refused_before_it_is_written(
    home: Home, tmp_path: Path
) -> None:
    (home.data / "notes").write_bytes(b"")
    backup_file.write(home, tmp_path / "a.backup", {})
    size = 64 * 1024 * 1024
    with tarfile.open(tmp_path / "a.backup") as was, tarfile.open(tmp_path / "b", "w") as tar:
        for member in was:
            content = was.extractfile(member)
            assert content is not None
            raw = content.read()
            if member.name == backup_file.MANIFEST:
                found = json.loads(raw)
                found["files"]["data/notes"]["size"] = size
                raw = json.dumps(found).encode()
                member.size = len(raw)
            elif member.name == "data/notes":
                member.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(size)}
            tar.addfile(member, io.BytesIO(raw))
    with pytest.raises(BadValue, match="data/notes', which it should not"):
        backup_file.read(tmp_path / "b", tmp_path / "goal")
    assert not (tmp_path / "goal" / "data" / "notes").exists()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system without room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "evcs-test", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


@pytest.mark.parametrize("before", [True, False])
def test_a_home_without_room_is_backed_up_elsewhere(
    small: Path, tmp_path: Path, before: bool
) -> None:
    home = Home(small / "home")
    home.data.mkdir(parents=True)
    home.run.mkdir()
    RegistryDb(home.registry_json).commit(1, [kept("CP-1")])
    ledger = Ledger(home.ledger_db)
    ledger.open_sessions()  # as a Central that runs has it
    home.lock("backup").parent.mkdir()
    if before:
        home.lock("backup").write_text("1234567\n")
    _fill(small)
    backup_file.write(home, tmp_path / "a.backup", {})
    ledger.close()
    assert [one.name for one in tmp_path.iterdir() if "evcs" in one.name] == []
    found = unpacked(tmp_path / "a.backup", tmp_path / "a")
    assert set(RegistryDb(found.registry_json).cps()) == {"CP-1"}


def test_what_others_put_beside_a_goal_holds_no_backup_up(
    home: Home, small: Path, tmp_path: Path
) -> None:
    """On another file system, where the copies are made beside it."""
    Ledger(home.ledger_db).close()
    before = f".evcs.backup-{home.data.stat().st_ino}"
    theirs, ours = (small / f"{before}{end}" for end in ("", "-left"))
    theirs.mkdir()
    (small / f"{before}-link").symlink_to(tmp_path)
    ours.mkdir()
    backup_file.write(home, small / "a.backup", {})
    assert sorted(one.name for one in small.iterdir()) == [before, f"{before}-link", "a.backup"]
    assert list(tmp_path.iterdir()), "a link is not followed"
    with pytest.raises(Conflict, match="exists already"):
        backup_file.write(home, small / "a.backup", {})


def test_a_goal_without_room_is_named(home: Home, small: Path) -> None:
    Ledger(home.ledger_db).close()
    _fill(small)
    with pytest.raises(EvcsError, match=str(small)):
        backup_file.write(home, small / "a.backup", {})
    assert [one.name for one in small.iterdir()] == ["ballast"]
