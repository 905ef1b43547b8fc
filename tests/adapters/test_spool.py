"""What is told for the audit: each file whole, known to be told or not after a kill at any step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evcs.adapters.spool import Spool, SpoolReader
from evcs.core.audit import AuditEntry

ENTRY = AuditEntry("2026-11-22T09:00:00.000Z", "operator", "create", "CP-1", "ok", "x\u2028\n'y'")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "web"


def told(folder: Path) -> list[AuditEntry]:
    reader = SpoolReader(folder)
    return [entry for name in reader.waiting() for entry in reader.read(name)]


def test_in_order_and_closed_to_others(folder: Path) -> None:
    spool = Spool.open(folder)
    for number in range(20):
        spool.tell("127.0.0.1:7", "login", "ok", f"a link {number}")
    assert [one.detail for one in told(folder)] == [f"web: a link {n}" for n in range(20)]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    reader = SpoolReader(folder)
    reader.cut(reader.waiting()[:19])
    assert len(told(folder)) == 1


def test_a_folder_that_is_removed_is_made_again(folder: Path) -> None:
    spool = Spool.open(folder)
    folder.rmdir()
    spool.made(spool.prepare([ENTRY], 1))
    assert told(folder) == [ENTRY]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_beside_a_commit(folder: Path) -> None:
    spool = Spool.open(folder)
    prepared = spool.prepare([ENTRY, ENTRY], 4)
    assert told(folder) == []
    spool.made(prepared)
    assert told(folder) == [ENTRY, ENTRY]


@pytest.mark.parametrize(("committed", "wanted"), [(3, []), (4, [ENTRY])])
def test_killed_beside_a_commit(folder: Path, committed: int, wanted: list[AuditEntry]) -> None:
    Spool.open(folder).prepare([ENTRY], 4)
    Spool.open(folder).recover(committed)
    assert told(folder) == wanted
    assert len(list(folder.iterdir())) == len(wanted)


def test_killed_as_it_writes(folder: Path) -> None:
    Spool.open(folder)
    (folder / ".0-0.jsonl.7.tmp").write_text('{"at": "20')
    Spool.open(folder)
    assert list(folder.iterdir()) == []


def test_while_nobody_takes_up_refusals_are_a_few_and_a_number(folder: Path) -> None:
    Spool.open(folder)
    spool = Spool(folder, most_waiting=10)
    for number in range(100):
        spool.tell(f"a{number}", "login", "refused", "a token")
    spool.tell("operator", "login", "ok", "a link")
    assert len(told(folder)) == 10 + 2
    assert told(folder)[-1].detail == "web: and 90 more"
    SpoolReader(folder).cut(SpoolReader(folder).waiting())
    spool.tell("b", "login", "refused", "a token")
    assert [one.who for one in told(folder)] == ["b"]


def test_a_disk_that_takes_nothing(folder: Path) -> None:
    folder.parent.mkdir()
    folder.touch()
    spool = Spool(folder)  # there can be no such folder
    spool.tell("a", "login", "ok", "a link")
    with pytest.raises(OSError, match="File exists"):
        spool.prepare([ENTRY], 1)


@pytest.mark.parametrize(
    "line",
    [
        "", "x", "[]", "{}", '{"at": 1}',
        json.dumps(ENTRY._replace(cp=1)._asdict()),  # type: ignore[arg-type]
        json.dumps(ENTRY._replace(at="2026-13-01T09:00:00.000Z")._asdict()),
        json.dumps(ENTRY._replace(detail="x" * 5_000)._asdict()),
    ],
)  # fmt: skip
def test_what_is_no_entry(folder: Path, line: str) -> None:
    Spool.open(folder)
    (folder / "1-0.jsonl").write_text(line + "\n")
    reader = SpoolReader(folder)
    with pytest.raises(ValueError, match=r"."):
        reader.read("1-0.jsonl")
    assert reader.quarantine("1-0.jsonl").exists()
    assert reader.waiting() == []
