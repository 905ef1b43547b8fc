"""A backup of the first layout, every format of version 1, runs under the present code."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def backup_v1(folder: Path) -> Path:
    """A backup as version 1 of each format had it: no format in the journal, ledger 1."""
    ledger_v1.make(folder / "ledger.db")
    files = {
        "data/journals/CP-001.jsonl": json.dumps(JOURNAL).encode() + b"\n",
        "data/ledger.db": (folder / "ledger.db").read_bytes(),
        "data/registry.json": registry_v1(),
        **{
            f"data/secrets/{name}": hashlib.sha256(name.encode()).hexdigest().encode()
            for name in ("cp/CP-001/engine", "cp/CP-001/monitor", "driver/ALICE", "driver/BERT")
        },
    }
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
