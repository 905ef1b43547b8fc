"""A backup of the first layout, every format of version 1, runs under the present code."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters import ledger_schema
from tests.adapters import ledger_v1
from tests.system_under_test import System, eventually

OPEN = "261103-cccccccccccc"
JOURNAL = {
    "phase": "supplying", "session_id": OPEN, "seq": 120, "energy_wh": 730, "target_wh": 2000,
    "max_power_w": 22000, "reason": None, "over": [],
}  # fmt: skip
CP = {
    "id": "CP-001", "service": "in", "price_eur_kwh": "0.30", "max_power_w": 22000,
    "location": "Hof", "host": "main", "revoked": False, "deleted": False, "revision": 1,
}  # fmt: skip


def registry_v1() -> bytes:
    tables = json.dumps(
        {
            "cps": {"1": CP},
            "drivers": {"1": {"id": "ALICE"}, "2": {"id": "BERT"}},
            "meta": {"1": {"revision": 1}},
        },
        separators=(",", ":"),
    )
    digest = hashlib.sha256(tables.encode()).hexdigest()
    return f'{{"format":1,"sha256":"{digest}","tables":{tables}}}\n'.encode()


def files_v1(folder: Path) -> dict[str, bytes]:
    """A home's files as version 1 of each format had them: no format in the journal, ledger 1."""
    ledger_v1.make(folder / "ledger.db")
    return {
        "data/journals/CP-001.jsonl": json.dumps(JOURNAL).encode() + b"\n",
        "data/ledger.db": (folder / "ledger.db").read_bytes(),
        "data/registry.json": registry_v1(),
        **{
            f"data/secrets/{name}": hashlib.sha256(name.encode()).hexdigest().encode()
            for name in ("cp/CP-001/engine", "cp/CP-001/monitor", "driver/ALICE", "driver/BERT")
        },
    }


def backup_v1(folder: Path) -> Path:
    """A backup of it."""
    files = files_v1(folder)
    listed = {
        name: {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}
        for name, raw in files.items()
    }
    manifest = {
        "format": 1, "evcs": "0.1.0", "made_at": "2026-11-03T09:01:55.000Z", "files": listed,
    }  # fmt: skip
    goal = folder / "first.backup"
    with tarfile.open(goal, "w") as tar:
        for name, raw in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(raw), 0o600
            tar.addfile(member, io.BytesIO(raw))
    return goal


def sessions(system: System) -> dict[str, dict[str, Any]]:
    return {one["session_id"]: one for one in system.ok("evcs", "sessions", "--json").json}


def test_it_restores_and_runs_with_the_same_sums(
    new_system: Callable[..., System], tmp_path: Path
) -> None:
    system = new_system(time_scale=600.0)
    done = system.ok("evcs", "restore", str(backup_v1(tmp_path)), "--json").json
    assert (done["cps"], done["drivers"]) == (1, 2)
    found = sessions(system)
    assert [(one["energy_wh"], one["cost_eur"]) for one in found.values()] == [
        (700, "0.21"), (1500, "0.50"), (4133, "1.24"),
    ]  # fmt: skip
    assert found[OPEN]["state"] == "interrupted"
    system.up()
    assert [(cp["id"], cp["location"]) for cp in system.cps()] == [("CP-001", "Hof")]
    # Its Engine read the journal: the supply goes on, and no Wh is lost or told twice.
    eventually("a ticket", lambda: sessions(system)[OPEN]["state"] == "settled")
    after = sessions(system)
    assert (after[OPEN]["energy_wh"], after[OPEN]["reason"]) == (2000, "completed")
    for old in found.keys() - {OPEN}:
        assert after[old] == found[old]
    system.ok("evcs", "driver", "remove", "ALICE", "--forget")
    assert {one["driver"] == "BERT" for one in sessions(system).values()} == {True, False}
    assert sum(one["energy_wh"] for one in sessions(system).values()) == 7633
    checks = system.run("evcs", "doctor", "--json").json["checks"]
    assert not [one for one in checks if one["level"] == "fail"]


def version(system: System) -> int:
    path = system.home / "data" / "ledger.db"
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    return 0


def is_migrated(system: System, what: str) -> bool:
    if what == "the ledger":
        return version(system) == ledger_schema.VERSION
    return any(one.read_bytes().startswith(b'{"format":6,')
               for one in (system.home / "data").glob(what))  # fmt: skip


def killed(system: System) -> list[int]:
    """Whoever is there just now; one that is being started may be missed."""
    pids = system.stray_pids()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids


@pytest.mark.parametrize("what", ["registry.copy.json", "the ledger"])
def test_a_home_that_is_killed_as_it_is_migrated_comes_up_whole(
    new_system: Callable[..., System], tmp_path: Path, what: str
) -> None:
    system = new_system(time_scale=600.0)
    for name, raw in files_v1(tmp_path).items():
        path = system.home / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(raw)
        path.chmod(0o600)
    up = system.spawn("evcs", "up")
    eventually("a part is migrated", lambda: is_migrated(system, what), 30, every_s=0.001)
    up.kill()
    up.wait()
    eventually("nothing is left of it", lambda: not killed(system), 30)
    system.up()
    eventually("a ticket", lambda: sessions(system)[OPEN]["state"] == "settled")
    assert sum(one["energy_wh"] for one in sessions(system).values()) == 7633
    assert [(cp["id"], cp["location"]) for cp in system.cps()] == [("CP-001", "Hof")]
    assert all(
        map(is_migrated, [system] * 3, ["registry.copy.json", "registry.json", "the ledger"])
    )
