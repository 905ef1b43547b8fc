"""What services tell, in the ledger: once each, whatever ends Central, and at which step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters.broker_log import BrokerLines
from evcs.adapters.ledger import Ledger
from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.log_tailer import MAX_LINES_A_LOOK, LogTailer
from evcs.adapters.spool import Spool, SpoolReader
from evcs.core.audit import AuditEntry, refused_logins
from evcs.core.bounded_entries import A_SECOND, AT_ONCE
from evcs.core.errors import EvcsError
from evcs.services.central.auditor import Auditor, Sources
from evcs.services.central.entries import Entries
from evcs.services.central.ledger_writer import LedgerWriter
from tests.unit.fakes import FakeClock

REFUSED = "1795350217: Client <unknown> disconnected, not authorised.\n"


class Killed(Exception):
    """Central ends here."""


class KilledBefore(SpoolReader):
    """Central is ended before it cuts."""

    def cut(self, names: Sequence[str]) -> None:
        if names:
            raise Killed


class ReadOnly(SpoolReader):
    """Its disk takes nothing."""

    def cut(self, names: Sequence[str]) -> None:
        raise OSError("a disk that can't be written")


class AnothersFiles(SpoolReader):
    """A file, or the whole folder (""), may be read by another user alone."""

    closed: str | None = None

    def waiting(self) -> list[str]:
        self._open("")
        return super().waiting()

    def read(self, name: str) -> list[AuditEntry]:
        self._open(name)
        return super().read(name)

    def _open(self, name: str) -> None:
        if name == self.closed:
            raise PermissionError(13, "Permission denied", name)


class Central:
    """What of a Central that starts now takes up; its ledger may be a broken one."""

    def __init__(
        self, folder: Path, ledger: type[Ledger] = Ledger, reader: type[SpoolReader] = SpoolReader
    ) -> None:
        self.ledger = ledger(folder / "ledger.db")
        self.clock = FakeClock()
        self.writer = LedgerWriter(self.ledger)
        log = folder / "mosquitto.log"
        self.entries = Entries(self.writer.add_entry, self.clock)
        self.auditor = Auditor(self.writer, self.entries, self.ledger.noted(), Sources(
            lambda cursor: LogTailer(log, lambda whole: BrokerLines(whole).parse_line, cursor),
            {"web": reader(folder / "web")},
        ), self.clock)  # fmt: skip

    def look(self) -> None:
        self.entries.look()
        self.auditor.look()
        self.writer.commit()


def told(folder: Path) -> list[dict[str, Any]]:
    """The ledger's entries, the oldest first."""
    return LedgerReader(folder / "ledger.db").audit()[::-1]


def details(folder: Path) -> list[str]:
    return [one["detail"] for one in told(folder)]


def refused(folder: Path) -> int:
    """How many refused logins all entries stand for."""
    rows = LedgerReader(folder / "ledger.db").audit(limit=100_000)
    return sum(refused_logins(AuditEntry(**one)) for one in rows)


@pytest.fixture
def tell(tmp_path: Path) -> Callable[[str], None]:
    spool = Spool.open(tmp_path / "web")
    return lambda detail: spool.tell("127.0.0.1:7", "login", "ok", detail)


def test_a_flood_at_the_broker(tmp_path: Path) -> None:
    (tmp_path / "mosquitto.log").write_text(REFUSED * 200)
    central = Central(tmp_path)
    central.look()
    assert len(told(tmp_path)) == AT_ONCE
    central.clock.now += 60.0
    central.look()
    found = told(tmp_path)
    assert [one["detail"] for one in found if one["detail"] != "broker"] == ["broker: and 100 more"]
    assert len(found) == AT_ONCE + 1
    Central(tmp_path).look()
    assert told(tmp_path) == found, "nothing is told twice"


@pytest.mark.parametrize("looks", [1, 2])
def test_a_kill_loses_no_number(tmp_path: Path, looks: int) -> None:
    count = 3 * MAX_LINES_A_LOOK
    (tmp_path / "mosquitto.log").write_text(REFUSED * count)
    central = Central(tmp_path)
    for _ in range(looks):
        central.look()
    central = Central(tmp_path)
    central.look()
    while central.auditor.behind:
        central.look()
    central.clock.now += 60.0
    central.look()
    assert refused(tmp_path) == count


def test_wrong_tokens_are_few_entries_and_a_number(tmp_path: Path) -> None:
    """Each waits for its answer, and tells how many were turned away meanwhile."""
    central, spool = Central(tmp_path), Spool.open(tmp_path / "web")
    for number in range(150):
        spool.tell(f"127.0.0.1:{number}", "login", "refused", "a token for POST /api/v1/cps")
        spool.tell("various", "login", "refused", "and 7 more")
        central.clock.now += 0.1
        central.look()
    assert len(told(tmp_path)) <= AT_ONCE + 15 * A_SECOND
    central.clock.now += 60.0
    central.look()
    assert refused(tmp_path) == 150 * 8
    spool.tell("127.0.0.1:7", "login", "ok", "a link")
    central.look()
    assert details(tmp_path)[-1] == "web: a link"


def test_once_each_and_cut(tmp_path: Path, tell: Callable[[str], None]) -> None:
    central = Central(tmp_path)
    for detail in ("a", "b", "c"):
        tell(detail)
        central.look()
        central.look()
    assert details(tmp_path) == ["web: a", "web: b", "web: c"]
    assert list((tmp_path / "web").iterdir()) == []


@pytest.mark.parametrize("again", [0, 1])
def test_killed_after_the_commit(tmp_path: Path, tell: Callable[[str], None], again: int) -> None:
    for detail in ("a", "b"):
        tell(detail)
    with pytest.raises(Killed):
        Central(tmp_path, reader=KilledBefore).look()
    assert details(tmp_path) == ["web: a", "web: b"]
    assert len(list((tmp_path / "web").iterdir())) == 2
    for _ in range(again):
        tell("c")
    Central(tmp_path).look()
    assert details(tmp_path) == ["web: a", "web: b", *["web: c"] * again]
    assert list((tmp_path / "web").iterdir()) == []


@pytest.mark.parametrize(
    "noted",
    [
        '["%s/victim.jsonl", "../victim.jsonl", 7, "a\\u0000b"]',
        "garbage",
        "{}",
        "[" * 100_000,
        '{"broker": [1e400, "x"]}',
    ],
)
def test_what_a_ledger_of_anothers_making_notes_is_not_trusted(
    tmp_path: Path, tell: Callable[[str], None], noted: str
) -> None:
    (tmp_path / "victim.jsonl").write_text("precious")
    (tmp_path / "web").mkdir(exist_ok=True)
    (tmp_path / "web" / "folder.jsonl").mkdir()
    ledger = Ledger(tmp_path / "ledger.db")
    said = noted.replace("%s", str(tmp_path))
    ledger.commit([], [], [], {"spool/web": said, "broker_log": said, "refused_logins": said})
    ledger.close()
    tell("a")
    Central(tmp_path).look()
    assert details(tmp_path) == ["web: a"]
    assert (tmp_path / "victim.jsonl").read_text() == "precious"


def test_a_cut_that_fails_doubles_nothing(tmp_path: Path, tell: Callable[[str], None]) -> None:
    central = Central(tmp_path, reader=ReadOnly)
    for detail in ("a", "b"):
        tell(detail)
        central.look()
    Central(tmp_path, reader=ReadOnly).look()
    Central(tmp_path).look()
    assert details(tmp_path) == ["web: a", "web: b"]


class Full(Ledger):
    """Its disk takes nothing."""

    full = True

    def commit(self, *args: Any, **more: Any) -> None:
        if self.full:
            raise EvcsError("the ledger can't be written", "make room")
        super().commit(*args, **more)


def test_while_the_ledger_can_t_be_written_it_waits(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    central = Central(tmp_path, Full)
    for detail in ("a", "b", "c"):
        tell(detail)
        central.look()
    assert len(list((tmp_path / "web").iterdir())) == 3
    Full.full = False
    central.look()
    central.look()
    assert details(tmp_path) == ["web: a", "web: b", "web: c"]
    assert list((tmp_path / "web").iterdir()) == []


def test_while_the_ledger_can_t_be_written_refusals_wait_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "mosquitto.log").write_text(REFUSED * 3 * MAX_LINES_A_LOOK)
    Full.full = True
    central = Central(tmp_path, Full)
    for _ in range(5):
        central.look()
    assert not central.auditor.behind, "nothing is due before the ledger can be written"
    Full.full = False
    for _ in range(5):
        central.look()
    central.clock.now += 60.0
    central.look()
    assert refused(tmp_path) == 3 * MAX_LINES_A_LOOK


def test_a_file_that_no_writer_of_ours_has_made(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    tell("a")
    (tmp_path / "web" / "0-0.jsonl").write_text("{}\n")
    tell("b")
    Central(tmp_path).look()
    assert details(tmp_path) == ["web: a", "web: b"]
    assert [path.name for path in (tmp_path / "web").iterdir()] == ["0-0.broken"]


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_another_users_is_named_once_and_holds_up_nothing(
    tmp_path: Path, tell: Callable[[str], None], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, whole: bool,
) -> None:  # fmt: skip
    tell("a")
    (name,) = [path.name for path in (tmp_path / "web").iterdir()]
    tell("b")
    (tmp_path / "web" / "0-0.jsonl").symlink_to("0-0.jsonl")
    monkeypatch.setattr(AnothersFiles, "closed", "" if whole else name)
    central = Central(tmp_path, reader=AnothersFiles)
    for _ in range(3):
        central.look()
    assert details(tmp_path) == ([] if whole else ["web: b"])
    assert [one.message.count("Permission denied") for one in caplog.records] == [1]
    monkeypatch.setattr(AnothersFiles, "closed", None)
    central.look()
    central.look()
    assert sorted(details(tmp_path)) == ["web: a", "web: b"]
    assert [path.name for path in (tmp_path / "web").iterdir()] == ["0-0.jsonl"]


def test_a_log_that_can_not_be_read_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "mosquitto.log"
    log.write_text(REFUSED)
    central = Central(tmp_path)
    central.look()
    log.rename(tmp_path / "mosquitto.log.2")
    (tmp_path / "mosquitto.log.1").mkdir()
    log.write_text(REFUSED * 2)
    central.look()
    assert refused(tmp_path) == 3
