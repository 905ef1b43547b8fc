"""What a service may expect of a port: of the real part, and of the fake that tests put in."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters.engine_health import Probe
from evcs.adapters.journal import Journal
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_journal import PoolJournals
from evcs.core.ports import HealthProbe, JournalStore
from tests.adapters.conftest import Disk
from tests.adapters.test_engine_health import ALL, engine
from tests.unit.fakes import FakeJournal, FakeProbe

RECORD: dict[str, Any] = {"seq": 1, "reason": "é\n", "over": ["S1", "S2"], "fault": None}


class Journals:
    """Journals of one CP, one after another."""

    def __init__(self, open_: Callable[[], JournalStore], fill: Callable[[JournalStore], None]):
        self.open, self.fill = open_, fill


@pytest.fixture(params=["file", "pool", "fake"])
def journals(request: pytest.FixtureRequest) -> Iterator[Journals]:
    if request.param != "fake":
        disk: Disk = request.getfixturevalue("disk")

        def in_pool() -> JournalStore:
            path = disk.path / "_pool-1.db"
            return PoolJournals(path, lambda call: call(), NamedLog("_pool-1 engines")).of("CP-1")

        open_ = in_pool if request.param == "pool" else lambda: Journal(disk.path / "CP-1.jsonl")
        yield Journals(open_, lambda _: disk.fill())
        return
    lines: list[str] = []

    def fill(journal: JournalStore) -> None:
        assert isinstance(journal, FakeJournal)
        journal.full = True

    yield Journals(lambda: FakeJournal(lines), fill)


def test_a_journal_holds_its_last_record_for_the_next_process(journals: Journals) -> None:
    one = journals.open()
    assert one.last(lambda _: True) is None
    one.append({"seq": 0}, sync=False)
    one.append(RECORD, sync=True)
    one.close()
    assert journals.open().last(lambda _: True) == RECORD
    assert journals.open().last(lambda found: found["seq"] == 2) is None


def test_a_journal_that_has_no_room_says_so_and_keeps_what_it_has(journals: Journals) -> None:
    one = journals.open()
    one.append(RECORD, sync=True)
    journals.fill(one)

    def until_full() -> None:
        while True:
            one.append({**RECORD, "pad": "x" * 300}, sync=False)

    with pytest.raises(OSError, match=r"space|large|I/O"):
        until_full()
    last = journals.open().last(lambda _: True)
    assert last is not None
    assert last["seq"] == RECORD["seq"]


def test_a_closed_journal_takes_nothing(journals: Journals) -> None:
    one = journals.open()
    one.close()
    with pytest.raises(OSError):  # noqa: PT011
        one.append(RECORD, sync=False)


class Engines:
    """A probe, and the process that it asks."""

    def __init__(self, probe: HealthProbe, hang: Callable[[], None]) -> None:
        self.probe, self.hang = probe, hang


@pytest.fixture(params=["real", "fake"])
def engines(request: pytest.FixtureRequest, short_tmp: Path) -> Engines:
    if request.param == "fake":
        fake = FakeProbe(ALL)
        return Engines(fake, lambda: setattr(fake, "hangs", True))
    path = short_tmp / f"{os.urandom(3).hex()}.sock"
    process: subprocess.Popen[str] = engine(request.getfixturevalue("child"), path)
    return Engines(Probe(path), lambda: process.send_signal(signal.SIGSTOP))


def test_a_probe_says_how_all_are_and_nothing_of_one_that_hangs(engines: Engines) -> None:
    assert engines.probe.ask(5.0) == ALL
    engines.hang()
    assert engines.probe.ask(0.2) is None


def test_a_process_that_hangs_is_ended_by_its_probe(engines: Engines) -> None:
    engines.hang()
    assert engines.probe.end() is not None
    assert engines.probe.ask(0.2) is None
