"""`evcs backup` of a running system, and `restore` of it into an empty home."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults import stores
from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually

TICKET = ("session_id", "cp", "driver", "energy_wh", "cost_eur", "price_eur_kwh", "ended_at")


@pytest.fixture(scope="module")
def taken(new_system: Callable[..., System], short_tmp: Path) -> tuple[System, Path, str]:
    """A system that was backed up while a charge was under way, and is lost now."""
    system = new_system(time_scale=60.0)
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}", "--price-eur-kwh", "0.41", "--location", "Hof")
    system.ok("evcs-cp", "stop", "CP-003")
    system.ok("evcs", "driver", "add", "ALICE", "BERT")
    system.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "0.5")
    charge = system.ok("evcs-driver", "charge", "CP-002", "--driver", "BERT", "--kwh", "20",
                       "--no-watch", "--json").json  # fmt: skip
    system.wait_for_state("CP-002", "SUPPLYING")
    eventually("some Wh", lambda: sessions(system)[charge["session_id"]]["energy_wh"] > 0)
    goal = short_tmp / "system.backup"
    system.ok("evcs", "backup", str(goal))
    system.kill_all()
    return system, goal, charge["session_id"]


def sessions(system: System) -> dict[str, dict[str, Any]]:
    return {one["session_id"]: one for one in system.ok("evcs", "sessions", "--json").json}


def secrets(system: System) -> dict[str, str]:
    top = system.home / "data" / "secrets"
    return {str(p.relative_to(top)): p.read_text() for p in top.rglob("*") if p.is_file()}


def test_a_backup_is_one_closed_file(taken: tuple[System, Path, str]) -> None:
    system, goal, _ = taken
    assert goal.stat().st_mode & 0o777 == 0o600
    with tarfile.open(goal) as tar:
        names = tar.getnames()
        assert names[0] == "manifest.json"
        assert {member.mode for member in tar} == {0o600}
    assert {"data/registry.json", "data/ledger.db", "data/secrets/cp/CP-001/engine"} <= set(names)
    assert not [name for name in names if "passwd" in name or name.startswith(("log", "run"))]
    assert system.run("evcs", "backup", str(goal)).code == 5
    nowhere = system.run("evcs", "backup", "/no/such/folder/x")
    assert (nowhere.code, "folder you may write to" in nowhere.err) == (1, True)
    assert not list(goal.parent.glob(".*.tmp"))
    assert not list((system.home / "data").glob(".backup*"))


def test_the_same_system_elsewhere(
    taken: tuple[System, Path, str], new_system: Callable[..., System]
) -> None:
    before, goal, charging = taken
    was = sessions(before)
    after = new_system(time_scale=60.0)
    done = after.ok("evcs", "restore", str(goal), "--json").json
    assert (done["cps"], done["drivers"]) == (3, 2)
    assert done["under_way"] == [charging]
    now = sessions(after)
    assert now[charging]["state"] == "interrupted"
    assert now.keys() == was.keys()
    assert secrets(after) == secrets(before)
    after.up()
    assert secrets(after) == secrets(before)
    assert {cp["id"]: (cp["price_eur_kwh"], cp["location"]) for cp in after.cps()} == {
        f"CP-00{n}": ("0.41", "Hof") for n in (1, 2, 3)
    }
    assert after.states()["CP-003"] == "OUT_OF_ORDER"
    tickets = {s: one for s, one in was.items() if s != charging}
    found = sessions(after)
    assert {s: [found[s][k] for k in TICKET] for s in tickets} == {
        s: [one[k] for k in TICKET] for s, one in tickets.items()
    }
    # As after a power cut: its Engine is back, so it goes on.
    eventually("it goes on", lambda: sessions(after)[charging]["state"] == "active")
    after.ok("evcs-driver", "stop", "--driver", "BERT")
    eventually("settled", lambda: sessions(after)[charging]["state"] == "settled")
    ticket = sessions(after)[charging]
    assert ticket["energy_wh"] >= now[charging]["energy_wh"] > 0
    assert len(sessions(after)) == len(was)
    assert wait_until_consistent(after) == {"CP-001", "CP-002", "CP-003"}
    told = {one["what"]: one for one in after.ok("evcs", "audit", "--json").json}
    assert f"the backup is of {done['made_at']}" in told["restore"]["detail"]
    assert "audit" not in told, "no line of a log is missing that was never here"


def test_only_into_an_empty_home(
    taken: tuple[System, Path, str], new_system: Callable[..., System], short_tmp: Path
) -> None:
    before, goal, _ = taken
    kept = secrets(before)
    done = before.run("evcs", "restore", str(goal), "--json")
    assert (done.code, done.json["error"]["code"]) == (5, "conflict")
    assert secrets(before) == kept
    running = new_system()
    running.up()
    assert running.run("evcs", "restore", str(goal)).code == 5
    empty = new_system()
    assert empty.run("evcs", "backup", str(short_tmp / "none")).code == 4
    assert empty.run("evcs", "restore", str(short_tmp / "none")).code == 4


def rewritten(goal: Path, path: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    """A backup with members changed, its list left as it was unless that is changed."""
    with tarfile.open(goal) as tar, tarfile.open(path, "w") as new:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            member.name, raw = change(member.name, content.read())
            member.size = len(raw)
            new.addfile(member, io.BytesIO(raw))
    return path


def _flip(name: str, raw: bytes) -> tuple[str, bytes]:
    return name, bytes([raw[0] ^ 1]) + raw[1:] if name.endswith("ledger.db") else raw


def _escape(name: str, raw: bytes) -> tuple[str, bytes]:
    if name == "manifest.json":
        found = json.loads(raw)
        found["files"]["data/../../evil"] = found["files"].pop("data/ledger.db")
        return name, json.dumps(found).encode()
    return ("data/../../evil" if name.endswith("ledger.db") else name), raw


def _newer(name: str, raw: bytes) -> tuple[str, bytes]:
    if name != "manifest.json":
        return name, raw
    return name, json.dumps({**json.loads(raw), "format": 2}).encode()


def _rename(name: str, raw: bytes) -> tuple[str, bytes]:
    return ("data/other" if name == "data/registry.json" else name), raw


def _shadow(name: str, raw: bytes) -> tuple[str, bytes]:
    if name == "manifest.json":
        found = json.loads(raw)
        found["files"]["data/ledger.db-wal"] = found["files"].pop("data/ledger.db")
        return name, json.dumps(found).encode()
    return ("data/ledger.db-wal" if name.endswith("ledger.db") else name), raw


def _sizes(name: str, raw: bytes) -> tuple[str, bytes]:
    return name, raw.replace(b'"size": ', b'"size": -') if name == "manifest.json" else raw


def _no_list(name: str, raw: bytes) -> tuple[str, bytes]:
    return name, b"[" * 100_000 if name == "manifest.json" else raw


@pytest.mark.parametrize("change", [_flip, _escape, _newer, _rename, _shadow, _sizes, _no_list])
def test_a_changed_backup_is_refused(
    taken: tuple[System, Path, str], new_system: Callable[..., System], short_tmp: Path,
    change: Callable[[str, bytes], tuple[str, bytes]],
) -> None:  # fmt: skip
    path = rewritten(taken[1], short_tmp / f"{change.__name__}.backup", change)
    refused(new_system(), path)


def _with(goal: Path, path: Path, name: str, raw: bytes) -> Path:
    """A backup one of whose files is another, with its list saying so."""
    digest = {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}

    def change(member: str, content: bytes) -> tuple[str, bytes]:
        if member == "manifest.json":
            found = json.loads(content)
            found["files"][name] = digest
            return member, json.dumps(found).encode()
        return member, raw if member == name else content

    return rewritten(goal, path, change)


def _forged(tables: Callable[[stores.Tables], object], home: Path) -> bytes:
    content = stores.tables(home)
    tables(content)
    return stores.forged(content)


def _ledger(home: Path) -> bytes:
    """One with a ticket that ended at no time."""
    with (
        closing(sqlite3.connect(home / "data" / "ledger.db")) as db,
        closing(sqlite3.connect(":memory:")) as copy,
    ):
        db.backup(copy)
        copy.execute(
            "INSERT INTO session (session_id, cp, price_eur_kwh, max_power_w, started_at, phase, "
            "energy_wh, seq, power_w) VALUES ('S1', 'CP-1', '0.30', 1, 'zz', 'settled', 1, 1, 0)"
        )
        copy.commit()
        return copy.serialize()


CONTENTS: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "a way out": (
        "data/registry.json",
        lambda home: _forged(lambda t: stores.add_cp(t, "../../x"), home),
    ),
    "a driver with a line": (
        "data/registry.json",
        lambda home: _forged(lambda t: t["drivers"].update({"9": {"id": "A\nB"}}), home),
    ),
    "no store": ("data/registry.json", lambda _: b"{}"),
    "no ledger": ("data/ledger.db", lambda _: b"garbage " * 1000),
    "no ticket": ("data/ledger.db", _ledger),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_a_backup_that_holds_what_no_home_does_is_refused(
    taken: tuple[System, Path, str], new_system: Callable[..., System], short_tmp: Path, what: str
) -> None:
    name, make = CONTENTS[what]
    path = short_tmp / f"{what.replace(' ', '-')}.backup"
    system = new_system()
    refused(system, _with(taken[1], path, name, make(taken[0].home)))
    assert "Traceback" not in system.run("evcs", "restore", str(path)).err


def test_a_cp_of_a_host_that_is_not_here_is_restored_and_named(
    taken: tuple[System, Path, str], new_system: Callable[..., System], short_tmp: Path
) -> None:
    raw = _forged(lambda t: stores.add_cp(t, "FAR", host="h2"), taken[0].home)
    system, path = new_system(), short_tmp / "far.backup"
    done = system.ok("evcs", "restore", str(_with(taken[1], path, "data/registry.json", raw)))
    assert "FAR is of host h2, which is not here" in done.err
    goes_on = f"it goes on once CP-002 is up; or end it then: evcs sessions end {taken[2]}"
    assert f"a charge was under way, BERT at CP-002: {goes_on}" in done.err
    here = f"EVCS_HOME={system.home} "
    assert f"start it: {here}evcs up --wait" in done.err
    home = system.home
    undone = f"to go back: {here}evcs down; rm -rf {home}/data {home}/conf/supervisord.d"
    assert done.err.endswith(f"{undone}\n")
    again = system.run("evcs", "restore", str(path))
    aside = again.err.rpartition("put that one aside: ")[2]
    assert (again.code, aside) == (5, f"mkdir {home}/before && mv {home}/data {home}/before\n")
    subprocess.run(["sh", "-c", aside], check=True)
    told = system.ok("evcs", "restore", str(path)).err
    assert told.endswith(f"{undone}; mv {home}/before/data {home}; rmdir {home}/before\n")


def test_folders_that_links_lead_to_are_kept_or_refused_by_name(
    taken: tuple[System, Path, str], short_tmp: Path
) -> None:
    system, _, _ = taken
    elsewhere, link = short_tmp / "elsewhere", system.home / "data" / "linked"
    elsewhere.mkdir()
    (elsewhere / "key").write_text("secret")
    link.symlink_to(elsewhere)
    system.ok("evcs", "backup", str(short_tmp / "linked.backup"))
    with tarfile.open(short_tmp / "linked.backup") as tar:
        assert "data/linked/key" in tar.getnames()
    for where in (system.home / "data", short_tmp / "nowhere"):
        link.unlink()
        link.symlink_to(where)
        done = system.run("evcs", "backup", str(short_tmp / "never.backup"))
        assert (done.code, "data/linked leads" in done.err) == (1, True)
    link.unlink()
    assert not (short_tmp / "never.backup").exists()


def test_a_killed_backup_leaves_nothing(taken: tuple[System, Path, str], short_tmp: Path) -> None:
    system, before = taken[0], set(short_tmp.iterdir())
    goal = short_tmp / "killed.backup"
    assert system.run("evcs", "backup", str(goal), EVCS_CRASH_AT="backup.packed").code == 137
    assert set(short_tmp.iterdir()) == before
    system.up()
    assert not list((system.home / "data").glob(".*"))
    system.kill_all()


def test_a_torn_backup_is_refused(
    taken: tuple[System, Path, str], new_system: Callable[..., System], short_tmp: Path
) -> None:
    whole = taken[1].read_bytes()
    for part in (0, 100, 3000, len(whole) // 2):
        path = short_tmp / f"torn-{part}.backup"
        path.write_bytes(whole[:part])
        refused(new_system(), path)


def refused(system: System, path: Path) -> None:
    """Exit 2, and nothing was left behind."""
    done = system.run("evcs", "restore", str(path), "--json")
    assert done.code == 2, done
    assert done.json["error"]["message"]
    left = {p.name for p in system.home.rglob("*") if p.is_file()} - {"up.lock"}
    assert not left
    assert not (system.home.parent / "evil").exists()


def test_backup_while_the_fleet_changes(new_system: Callable[..., System], short_tmp: Path) -> None:
    system = new_system()
    system.up()
    busy = system.spawn("evcs-cp", "create", "CP-{001..040}", "--no-wait")
    taken: list[Path] = []
    while busy.poll() is None or len(taken) < 3:
        taken.append(short_tmp / f"busy-{len(taken)}.backup")
        system.ok("evcs", "backup", str(taken[-1]))
    system.ok("evcs-cp", "delete", "CP-*", "--yes", "--no-wait")
    system.down()
    for path in taken[-2:]:
        shutil.rmtree(system.home)
        system.ok("evcs", "restore", str(path))
        for cp in (
            json.loads((system.home / "data" / "registry.json").read_bytes())["tables"]
            .get("cps", {})
            .values()
        ):
            assert (system.home / "data" / "secrets" / "cp" / cp["id"] / "engine").stat().st_size
