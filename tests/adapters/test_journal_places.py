"""What a CP holds goes where it is to run, killed at any step; and goes away with it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from evcs.adapters import journal_places
from evcs.adapters.cp_traces import CpTraces
from evcs.adapters.files import hold_lock
from evcs.adapters.journal import Journal
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_journal import PoolJournals
from evcs.core import supply
from evcs.core.ocpp import station_record, station_state, station_tokens
from evcs.core.ocpp.station_record import StationRecord
from evcs.core.ports import JournalStore
from evcs.core.supply import Supply
from evcs.home import Home
from tests.adapters.conftest import Disk

ONE, TWO, THREE, TWELVE = (f"_pool-{number}" for number in (1, 2, 3, 12))
WAYS = [(None, ONE), (ONE, None), (ONE, TWO)]

#: A CP -> what is left of it, by place.
Held = dict[str, dict[str | None, int]]


def store(home: Home, cp: str, pool: str | None) -> JournalStore:
    """A CP's journal, as its Engine has it there."""
    if pool is None:
        return Journal(home.journal(cp))
    log = NamedLog("pool")
    return PoolJournals(home.pool_journal(pool), lambda call: call(), log).of(cp)


def last(home: Home, cp: str, pool: str | None, is_record: Callable[..., bool] = bool) -> Any:
    """A CP's last record there."""
    with closing(store(home, cp, pool)) as journal:
        return journal.last(is_record)


def append(home: Home, cp: str, pool: str | None, record: dict[str, Any]) -> None:
    """Have a CP's journal there hold a record."""
    with closing(store(home, cp, pool)) as journal:
        journal.append(record, sync=True)


def put(home: Home, cp: str, pool: str | None, wh: int) -> None:
    """Have a CP hold a session of so many Wh there."""
    record = supply.to_record(Supply("supplying", "S1", 1, wh, 20_000, 22_000))
    append(home, cp, pool, record)


def held(home: Home, *cps: str) -> Held:
    """The Wh of what each place holds of CPs."""
    found: Held = {cp: {} for cp in cps}
    places = (None, *journal_places.in_pools(home))
    for cp in cps:
        for pool in places:
            if pool is not None or home.journal(cp).exists():
                record = last(home, cp, pool, supply.is_record)
                if record is not None:
                    found[cp][pool] = record["energy_wh"]
    return found


def names(home: Home) -> set[str]:
    """The files of all places."""
    return {path.name for path in (home.data / "journals").iterdir()}


@pytest.mark.parametrize(
    ("old", "new"),
    [(None, ONE), (ONE, None), (ONE, TWO), (TWELVE, THREE)],
    ids=["in", "out", "over", "back"],
)
def test_what_a_cp_holds_goes_where_it_is_to_run(
    home: Home, old: str | None, new: str | None
) -> None:
    for cp in ("CP-1", "CP-2", "CP-3"):
        put(home, cp, old, 700)
    put(home, "CP-2", new, 5)
    journal_places.carry_over(home, {"CP-1": new, "CP-2": new, "CP-9": new, "CP-3": old})
    assert held(home, "CP-1", "CP-2", "CP-9", "CP-3") == {
        "CP-1": {new: 700}, "CP-2": {new: 700}, "CP-9": {}, "CP-3": {old: 700},
    }  # fmt: skip
    journal_places.carry_over(home, {"CP-1": new, "CP-2": new})
    assert held(home, "CP-1", "CP-2") == {"CP-1": {new: 700}, "CP-2": {new: 700}}


def test_what_a_station_of_a_back_end_holds_goes_along(home: Home) -> None:
    record = station_record.to_record(
        StationRecord(
            station_state.StationState("k", 700).begun(station_tokens.Token("CARD"), "2026")
        )
    )
    append(home, "CP-001", None, record)
    journal_places.carry_over(home, {"CP-001": ONE})
    assert last(home, "CP-001", ONE, station_record.is_record) == json.loads(json.dumps(record))
    assert last(home, "CP-001", None) is None


def test_a_home_that_has_nothing_gets_nothing(home: Home) -> None:
    journal_places.carry_over(home, {"CP-1": None, "CP-2": ONE})
    journal_places.forget(home, ["CP-1"])
    assert not (home.data / "journals").exists()


def test_a_fault_and_what_a_newer_version_wrote_go_along_and_what_is_no_record_does_not(
    home: Home,
) -> None:
    broken = supply.to_record(Supply(fault="cable"))
    append(home, "CP-1", ONE, broken)
    newer = {"format": 2, "x": [1]}
    append(home, "CP-2", None, newer)
    append(home, "CP-3", None, {"seq": 1})
    append(home, "CP-4", ONE, {"seq": 1})
    put(home, "CP-4", None, 3)
    journal_places.carry_over(home, {"CP-1": None, "CP-2": ONE, "CP-3": ONE, "CP-4": None})
    assert last(home, "CP-1", None) == {**broken, "over": []}
    assert last(home, "CP-2", ONE) == newer
    assert last(home, "CP-3", ONE) is None
    assert held(home, "CP-4") == {"CP-4": {None: 3}}
    assert names(home) >= {"CP-1.jsonl", "CP-4.jsonl", "_pool-1.db"}
    assert not names(home) & {"CP-2.jsonl", "CP-3.jsonl"}


STEPS = """
import logging, os, sys
from pathlib import Path
from evcs.adapters import journal_db, journal_places
from evcs.home import Home

logging.disable()
home, new = Home(Path(sys.argv[1])), sys.argv[2] or None

def killed_at(step):
    left = step
    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename not in (journal_db.__file__, journal_places.__file__):
            return None
        left -= 1
        if not left:
            os._exit(9)
        return trace
    return trace

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        sys.settrace(killed_at(int(line)))
        journal_places.carry_over(home, {"CP-1": new, "CP-2": new})
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.parametrize(
    ("old", "new"), [(None, ONE), (ONE, None), (ONE, TWO)], ids=["in", "out", "over"]
)
def test_killed_at_any_step_it_is_simply_done_again(
    home: Home, child: Callable[..., subprocess.Popen[str]], old: str | None, new: str | None
) -> None:
    process = child(STEPS, str(home.path), new or "")
    assert process.stdin is not None
    assert process.stdout is not None
    code, step = 9, 0
    while code == 9:
        step += 3
        for cp in ("CP-1", "CP-2"):
            put(home, cp, old, step)
        process.stdin.write(f"{step}\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        for cp, places in held(home, "CP-1", "CP-2").items():
            assert step in places.values(), cp
        journal_places.carry_over(home, {"CP-1": new, "CP-2": new})
        assert held(home, "CP-1", "CP-2") == {"CP-1": {new: step}, "CP-2": {new: step}}
    assert code == 0
    assert step > 60


@pytest.mark.parametrize(
    ("old", "new"), [(None, ONE), (ONE, None), (ONE, TWO)], ids=["in", "out", "over"]
)
def test_on_a_full_disk_it_is_done_once_there_is_room(
    disk: Disk, old: str | None, new: str | None
) -> None:
    home = Home(disk.path)
    put(home, "CP-1", old, 700)
    disk.fill()
    with pytest.raises(OSError):  # noqa: PT011
        journal_places.carry_over(home, {"CP-1": new})
    assert held(home, "CP-1")["CP-1"].get(old) == 700
    disk.make_room()
    journal_places.carry_over(home, {"CP-1": new})
    assert held(home, "CP-1") == {"CP-1": {new: 700}}


def test_a_pool_that_runs_sees_what_has_come_and_is_not_held_up(home: Home) -> None:
    log = NamedLog("pool")
    pool = PoolJournals(home.pool_journal("_pool-1"), lambda call: call(), log)
    other = pool.of("CP-8")
    other.append(supply.to_record(Supply()), sync=True)
    put(home, "CP-1", None, 700)
    journal_places.carry_over(home, {"CP-1": ONE})
    found = pool.of("CP-1").last(supply.is_record)
    assert found is not None
    assert found["energy_wh"] == 700
    other.append(supply.to_record(Supply(fault="x")), sync=True)
    pool.release("CP-1")
    journal_places.carry_over(home, {"CP-1": None})
    other.append(supply.to_record(Supply(fault="y")), sync=True)
    assert held(home, "CP-1") == {"CP-1": {None: 700}}


def test_a_damaged_pool_holds_no_other_up(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    put(home, "CP-1", ONE, 700)
    home.pool_journal("_pool-2").write_bytes(b"x" * 9_000)
    journal_places.carry_over(home, {"CP-1": None})
    assert held(home, "CP-1")["CP-1"] == {None: 700}
    home.pool_journal("_pool-2").write_bytes(b"x" * 9_000)
    journal_places.carry_over(home, {"CP-1": TWO})
    assert held(home, "CP-1")["CP-1"] == {TWO: 700}
    assert "_pool-2.db.broken" in names(home)


def test_the_traces_of_cps_go_and_no_others(home: Home) -> None:
    logs = {"CP-1.engine.log", "CP-1.monitor.log.1", "CP-12.engine.log", "_pool-1.engines.log",
            "central.log", "CP-1.log"}  # fmt: skip
    for name in logs:
        (home.log / name).touch()
    for cp in ("CP-1", "CP-2", "CP-12"):
        put(home, cp, ONE, 1)
    put(home, "CP-1", None, 2)
    put(home, "CP-2", THREE, 2)
    os.close(hold_lock(home.lock("CP-1.engine"), "CP-1.engine"))
    CpTraces(home).remove({"CP-1", "CP-2", "CP-9"})
    assert held(home, "CP-1", "CP-2", "CP-12") == {"CP-1": {}, "CP-2": {}, "CP-12": {ONE: 1}}
    assert {path.name for path in home.log.iterdir()} == logs - {
        "CP-1.engine.log", "CP-1.monitor.log.1",
    }  # fmt: skip
    assert not home.lock("CP-1.engine").exists()
    CpTraces(home).remove({"CP-12"})
    assert held(home, "CP-12") == {"CP-12": {}}


def test_the_file_of_a_pool_that_is_gone_goes_with_the_last_that_it_holds(home: Home) -> None:
    for cp in ("CP-1", "CP-2", "CP-3"):
        put(home, cp, ONE, 1)
    journal_places.forget(home, ["CP-1"])
    journal_places.carry_over(home, {"CP-2": None})
    assert held(home, "CP-3") == {"CP-3": {ONE: 1}}
    lock = hold_lock(home.lock("_pool-1.engines"), "_pool-1.engines")
    journal_places.carry_over(home, {"CP-3": None})
    assert "_pool-1.db" in names(home)
    os.close(lock)
    journal_places.carry_over(home, {"CP-9": None})
    assert names(home) == {"CP-2.jsonl", "CP-3.jsonl"}
    put(home, "CP-4", TWO, 1)
    journal_places.forget(home, ["CP-4"])
    assert names(home) == {"CP-2.jsonl", "CP-3.jsonl"}


def test_other_names_are_no_pools(home: Home) -> None:
    put(home, "CP-1", ONE, 1)
    for name in ("_pool-0.db", "_pool-01.db", "_pool-1.db.broken", "_pool-x.db", "_pool-2.db-wal"):
        (home.data / "journals" / name).touch()
    assert set(journal_places.in_pools(home)) == {ONE}
