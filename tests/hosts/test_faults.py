"""FAULTS of several machines: cut lines, power cuts, moves, a machine that is gone for good."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters import journal_db, journal_places
from evcs.cli.trial_engines import EngineWatch
from evcs.core.errors import PartFailed
from evcs.home import Home
from tests.faults.charging import begin_many
from tests.hosts.network import Machine, Network, host, join, start_centre
from tests.system_under_test import ROOT, eventually

OWN, POOLED = ("CP-1", "CP-2"), ("P-1", "P-2")
CPS = (*OWN, *POOLED)
#: In a pool whose broker is away, and for how long (D3); by hand:
#: POOL_SIZE=500 AWAY_S=120 bin/check tests/hosts/test_faults.py -k broker
POOL_SIZE = int(os.environ.get("POOL_SIZE", "20"))
AWAY_S = float(os.environ.get("AWAY_S", "12"))
#: How long a line is rough at least (D1); by hand:
#: ROUGH_S=300 bin/check tests/hosts/test_faults.py -k rough
ROUGH_S = float(os.environ.get("ROUGH_S", "1"))
#: 22 kW, sixty times as fast: 22 s.
KWH = "8.000"

pytestmark = pytest.mark.timeout(400 + 2 * AWAY_S + POOL_SIZE + ROUGH_S)


@pytest.fixture(scope="module")
def centre(machines: Network) -> Machine:
    return start_centre(machines)


@pytest.fixture(scope="module")
def h2(machines: Network, centre: Machine) -> Machine:
    """A host with two CPs of their own processes and two in a pool, and a driver for each."""
    made = join(machines, 2)
    centre.ok("evcs-cp", "create", *OWN, "--host", "h2")
    centre.ok("evcs-cp", "create", *POOLED, "--host", "h2", "--hosting", "pool")
    centre.ok("evcs", "driver", "add", *(f"D-{cp}" for cp in CPS))
    return made


@pytest.fixture(autouse=True)
def _lines_are_up(machines: Network, h2: Machine) -> Iterator[None]:
    yield
    machines.mend(h2)


def charge(centre: Machine, kwh: str = KWH) -> Callable[[], None]:
    """Begin a charge at each CP; what is given back waits for the tickets, each with all of it."""
    for cp in CPS:
        centre.ok("evcs-driver", "charge", cp, "--driver", f"D-{cp}", "--kwh", kwh, "--no-watch")
    in_state(centre, "SUPPLYING")
    begun = {one["session_id"] for one in sessions(centre) if one["state"] != "settled"}
    assert len(begun) == len(CPS)

    def settled() -> bool:
        mine = [one for one in sessions(centre) if one["session_id"] in begun]
        return all(one["state"] == "settled" for one in mine)

    def wait() -> None:
        eventually("each has its ticket", settled, 150)
        mine = [one for one in sessions(centre) if one["session_id"] in begun]
        wanted = [(int(float(kwh) * 1000), "completed")] * len(CPS)
        assert [(one["energy_wh"], one["reason"]) for one in mine] == wanted
        assert len(sessions(centre)) == len({one["session_id"] for one in sessions(centre)})

    return wait


def sessions(centre: Machine) -> list[dict[str, Any]]:
    return list(centre.ok("evcs", "sessions", "--json").json)


def in_state(centre: Machine, state: str, cps: Collection[str] = CPS) -> None:
    def probe() -> bool:
        states = centre.states()
        return bool(states) and {states[cp] for cp in cps} == {state}

    eventually(f"{cps} {state}", probe, 90)


@contextmanager
def never_two_engines(*machines: Machine, cps: Collection[str] = CPS) -> Iterator[None]:
    """Meanwhile no CP has an Engine on two machines at once."""
    with EngineWatch([Home(one.home) for one in machines], cps) as watch:
        yield
    assert not watch.doubled, f"two Engines at once: {watch.doubled}"


def pids(machine: Machine) -> dict[str, int]:
    return {name: pid for name, pid in machine.processes().items() if name != "cp-manager"}


def test_a_line_that_is_cut_ends_no_charge(machines: Network, centre: Machine, h2: Machine) -> None:
    """Who is moved meanwhile stays until the line is there again, and has charged."""
    moved, wait, before = (OWN[0], POOLED[0]), charge(centre), pids(h2)
    with never_two_engines(centre, h2):
        machines.cut(h2)
        centre.ok("evcs-cp", "edit", *moved, "--host", "main", "--when-free", "--no-wait")
        is_known_to_be_away(centre, h2)
        assert moving(centre) == {*moved}, "nobody begins while h2 may run it"
        machines.mend(h2)
        wait()
        eventually("they moved", lambda: not moving(centre))
        in_state(centre, "ACTIVATED")
        stayed = {name: pid for name, pid in before.items() if not name.startswith(OWN[0])}
        assert pids(h2) == stayed, "no process noticed more than a line"
        centre.ok("evcs-cp", "edit", *moved, "--host", "h2")


def is_known_to_be_away(centre: Machine, h2: Machine) -> None:
    """What is said of it here and there."""
    in_state(centre, "DISCONNECTED")
    eventually("the host is seen to be away", lambda: not host(centre, "h2")["online"], 30)
    eventually("that is why", lambda: {cp["reason"] for cp in centre.cps()} == {"host h2 gone"})
    eventually(
        "the charges wait for it",
        lambda: [one["state"] for one in sessions(centre)].count("interrupted") == len(CPS),
    )
    done = h2.run("evcs", "doctor", "--json")
    (link,) = [one for one in done.json["checks"] if one["check"] == "link"]
    assert (done.code, link["level"]) == (1, "fail")
    assert "is the line up? if so, at the centre:" in link["remedy"]


def test_a_rough_line_ends_no_charge(machines: Network, centre: Machine, h2: Machine) -> None:
    """One packet in twenty is lost, all others are 200 ms late, each way; all dial anew by it."""
    before, until = pids(h2), time.monotonic() + ROUGH_S
    with machines.rough(h2) as line:
        while time.monotonic() < until:
            wait = charge(centre, "5.000")
            centre.ok("supervisorctl", "restart", "mosquitto")
            in_state(centre, "SUPPLYING")
            wait()
            in_state(centre, "ACTIVATED")
        assert line.lost > 0
    assert pids(h2) == before


def test_power_cuts_take_nothing(centre: Machine, h2: Machine) -> None:
    wait = charge(centre)
    for cut in ([h2], [centre], [h2, centre]):
        for machine in cut:
            machine.kill_all()
        for machine in cut:
            machine.ok("evcs", "up")
        in_state(centre, "SUPPLYING")
    wait()
    in_state(centre, "ACTIVATED")


def energies(machine: Machine, cps: list[str]) -> list[int]:
    """What each holds by the journals of that machine's pools; Wh."""
    rows: dict[str, str] = {}
    for path in journal_places.in_pools(Home(machine.home)).values():
        rows |= journal_db.read(path)
    return [(journal_db.parsed(rows.get(cp)) or {}).get("energy_wh", 0) for cp in cps]


def all_more(machine: Machine, cps: list[str], before: list[int]) -> bool:
    return all(now > then for now, then in zip(energies(machine, cps), before, strict=True))


def moving(centre: Machine) -> set[str]:
    return {cp["id"] for cp in centre.cps() if cp["moving"]}


def hosts_now(centre: Machine) -> set[str]:
    return {cp["host"] for cp in centre.cps() if not cp["moving"]}


@pytest.fixture(scope="module")
def supplying(centre: Machine, h2: Machine) -> list[str]:
    """CPs of a pool of h2 that supply until they are moved away."""
    cps = [f"Q-{number:03d}" for number in range(1, POOL_SIZE + 1)]
    drivers = [f"E-{cp}" for cp in cps]
    centre.ok("evcs-cp", "create", *cps, "--host", "h2", "--hosting", "pool", timeout=300)
    centre.ok("evcs", "driver", "add", *drivers, timeout=300)
    begin_many(centre, dict(zip(drivers, cps, strict=True)))
    in_state(centre, "SUPPLYING", cps)
    return cps


def test_a_pool_whose_broker_is_away_goes_on_to_meter(
    machines: Network, centre: Machine, h2: Machine, supplying: list[str]
) -> None:
    """To dial what gives no answer holds up nobody: each Engine meters on, second by second."""
    machines.cut(h2)
    until = time.monotonic() + AWAY_S
    while time.monotonic() < until:
        before = energies(h2, supplying)
        eventually("each has metered more", partial(all_more, h2, supplying, before), 6.0)
    machines.mend(h2)
    in_state(centre, "SUPPLYING", supplying)
    pools = [one for one in centre.ok("evcs", "pools", "--json").json if one["host"] == "h2"]
    assert max(one["late_p99_ms"] for one in pools) < 1000, pools


def test_a_host_is_emptied_while_cars_charge_there_and_its_power_is_cut(
    centre: Machine, h2: Machine, supplying: list[str]
) -> None:
    """Fifty CPs, twenty of which supply: these are named, and move once they may."""
    centre.ok("evcs-cp", "create", "FREE-{1..26}", "--host", "h2", "--hosting", "pool")
    all_of_them = [cp["id"] for cp in centre.cps()]
    assert len(all_of_them) == len(CPS) + 26 + POOL_SIZE
    drain = ("evcs", "host", "drain", "h2", "--to", "main")
    with never_two_engines(centre, h2, cps=all_of_them):
        with centre.spawn(*drain, "--when-free", "--timeout", "10", "--json") as draining:
            eventually("some have moved", lambda: "main" in hosts_now(centre))
            h2.kill_all()
            h2.ok("evcs", "up")
            told = json.loads(draining.communicate(timeout=60)[0])
        assert draining.returncode == PartFailed.exit_code
        assert {one["id"] for one in told if "error" in one} >= {*supplying}
        eventually("the others have moved", lambda: moving(centre) == {*supplying})
        in_state(centre, "SUPPLYING", supplying)
        centre.ok(*drain)
        in_state(centre, "ACTIVATED", all_of_them)
        assert (moving(centre), hosts_now(centre)) == (set(), {"main"})
    mine = [one for one in sessions(centre) if one["cp"] in supplying]
    assert [(one["state"], one["reason"]) for one in mine] == [("settled", "moved")] * POOL_SIZE
    assert min(one["energy_wh"] for one in mine) > 0
    assert pids(h2) == {}
    centre.ok("evcs-cp", "delete", "FREE-{1..26}", *supplying, "--yes")
    centre.ok("evcs-cp", "edit", *CPS, "--host", "h2")


@pytest.fixture(scope="module")
def h3(machines: Network, centre: Machine) -> Machine:
    return join(machines, 3)


@pytest.mark.parametrize(("who", "point"), [
    *(("old", f"manager.{step}") for step in (
        "section_erased", "group_stopped", "group_removed", "members_written", "secrets_dropped",
        "reported")),
    *(("centre", f"registry.{step}") for step in ("committed", "accounts_written", "published")),
    *(("new", f"manager.{step}") for step in (
        "secrets_fetched", "members_written", "section_written", "group_added", "reported")),
])  # fmt: skip
def test_a_move_is_killed_at_each_step(
    centre: Machine, h2: Machine, h3: Machine, who: str, point: str
) -> None:
    moved = (OWN[0], POOLED[0])
    there = {cp["host"] for cp in centre.cps() if cp["id"] in moved}
    old, new, goal = (h2, h3, "h3") if there == {"h2"} else (h3, h2, "h2")
    killed = {"old": old, "centre": centre, "new": new}[who]
    with never_two_engines(centre, h2, h3):
        killed.crash_mark.write_text(point)
        done = centre.run("evcs-cp", "edit", *moved, "--host", goal, "--no-wait")
        assert done.code in (0, 6, 8), done
        eventually("it was killed there", lambda: not killed.crash_mark.exists(), 30)
        eventually("the Registry is back", lambda: bool(centre.cps()), 30)
        centre.ok("evcs-cp", "edit", *moved, "--host", goal, "--no-wait")
        eventually("they moved", lambda: not moving(centre), 60)
        in_state(centre, "ACTIVATED")


def test_a_cp_moves_from_host_to_host_and_never_has_two_engines(
    centre: Machine, h2: Machine, h3: Machine
) -> None:
    homes = (centre, h2, h3)
    with never_two_engines(*homes):
        for goal in ("h3", "main", "h2"):
            centre.ok("evcs-cp", "edit", *CPS, "--host", goal)
            eventually("they moved", lambda: not moving(centre), 60)
            in_state(centre, "ACTIVATED")
        wait = charge(centre, "5.000")
        centre.ok("evcs-cp", "edit", *CPS, "--host", "h3", "--when-free", "--no-wait")
        assert all(cp["moving"] for cp in centre.cps()), "who charges moves after that"
        for pid in (*h2.pids_of("evcs", "cp-manager"), *h3.pids_of("evcs", "cp-manager")):
            subprocess.run(["kill", "-9", str(pid)], check=True)
        for cp in OWN:
            for pid in h2.pids_of("evcs", "engine", cp):
                subprocess.run(["kill", "-9", str(pid)], check=True)
        wait()
        eventually("they moved", lambda: not moving(centre), 60)
        in_state(centre, "ACTIVATED")
        assert pids(h2) == {}
        centre.ok("evcs-cp", "edit", *CPS, "--host", "h2")
        in_state(centre, "ACTIVATED")
    assert not cp_secrets(h3), "what it ran no more it can't speak for"
    h3.ok("evcs", "down")
    centre.ok("evcs", "host", "remove", "h3")


def cp_secrets(machine: Machine) -> list[Path]:
    return list((machine.home / "data" / "secrets" / "cp").iterdir())


@pytest.mark.parametrize("clock", ["+1d", "-1d"])
def test_a_clock_that_is_a_day_off_changes_no_charge(
    centre: Machine, h2: Machine, clock: str
) -> None:
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    off = {"LD_PRELOAD": str(library), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    done = h2.run("evcs", "doctor", "--json", LD_PRELOAD=str(library), FAKETIME=clock)
    checks = {one["check"]: one for one in done.json["checks"]}
    assert checks["link"]["level"] == "ok", "certificates begin two days before they are made"
    word = "ahead" if clock == "+1d" else "behind"
    found = checks["centre's clock"]
    assert (found["level"], "86400" in found["text"], word in found["text"]) == ("warn", True, True)
    h2.ok("supervisorctl", "stop", "cp-manager", "CP-1:engine")
    python = str(ROOT / ".venv" / "bin" / "python")
    by_that_clock = [
        subprocess.Popen(
            ["ip", "netns", "exec", h2.namespace, python, "-P", "-m", "evcs", *what],
            env={**h2.env, **off, "PYTHONPATH": str(ROOT)}, cwd=h2.home,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for what in (["engine", "CP-1"], ["cp-manager"])
    ]  # fmt: skip
    try:
        in_state(centre, "ACTIVATED", ("CP-1",))
        off_s = 86_400 if clock == "+1d" else -86_400
        eventually(
            "the centre knows of it",
            lambda: abs((host(centre, "h2")["clock_off_s"] or 0) - off_s) < 5,
        )
        checks = centre.run("evcs", "doctor", "--json").json["checks"]
        (found,) = [one for one in checks if one["check"] == "hosts"]
        assert (found["level"], f"s {word}" in found["text"]) == ("warn", True), found
        done = centre.ok("evcs-driver", "charge", "CP-1", "--driver", "D-CP-1", "--kwh", "1",
                         "--json")  # fmt: skip
        (mine,) = [one for one in sessions(centre) if one["session_id"] in done.out]
        assert (mine["energy_wh"], mine["cost_eur"], mine["reason"]) == (1000, "0.30", "completed")
        began, ended = (datetime.fromisoformat(mine[at]) for at in ("started_at", "ended_at"))
        assert datetime.now(UTC) - timedelta(minutes=5) < began <= ended <= datetime.now(UTC)
    finally:
        for process in by_that_clock:
            process.terminate()
            process.wait(10)
        h2.ok("evcs", "up")
        h2.ok("supervisorctl", "start", "cp-manager", "CP-1:engine")
    in_state(centre, "ACTIVATED")


def test_a_host_that_is_lost_is_nobody_when_it_comes_back(
    machines: Network, centre: Machine, h2: Machine
) -> None:
    refused = centre.run("evcs", "host", "remove", "h2")
    assert (refused.code, "CP-1" in refused.err) == (5, True)
    machines.cut(h2)
    centre.ok("evcs", "host", "remove", "h2", "--lost", "--yes")
    in_state(centre, "ACTIVATED")
    assert {cp["host"] for cp in centre.cps()} == {"main"}
    before = centre.steady()
    machines.mend(h2)
    told = eventually(
        "it is told that it is nobody",
        lambda: [
            one
            for one in h2.run("evcs", "doctor", "--json").json["checks"]
            if one["check"] == "link" and "no host's secret" in one["text"]
        ],
        30,
    )
    assert told[0]["level"] == "fail"
    log = (centre.home / "log" / "mosquitto.log").read_text
    eventually("the broker refuses it", lambda: "not authorised" in log(), 30)
    in_state(centre, "ACTIVATED")
    assert centre.steady() == before
    assert "manager/h2" not in (centre.home / "data" / "mosquitto.passwd").read_text()


def test_a_centre_from_an_old_backup_takes_down_nothing_that_was_made_since(
    machines: Network, centre: Machine, h2: Machine
) -> None:
    h2.kill_all()
    shutil.rmtree(h2.home)
    join(machines, 2)
    backup = centre.home.parent / "old.backup"
    centre.ok("evcs", "backup", str(backup))
    since = ("NEW-1", "NEW-2")
    centre.ok("evcs-cp", "create", since[0], "--host", "h2")
    centre.ok("evcs-cp", "create", since[1], "--host", "h2", "--hosting", "pool")
    before = h2.steady()
    centre.kill_all()
    shutil.rmtree(centre.home)
    centre.ok("evcs", "restore", str(backup))
    centre.ok("evcs", "up")
    eventually("h2 is online", lambda: host(centre, "h2")["online"], 60)
    eventually("the centre knows nothing of them", lambda: not {*since} & {*centre.states()})

    def told() -> bool:
        checks = h2.run("evcs", "doctor", "--json").json["checks"]
        (found,) = [one for one in checks if one["check"] == "CPs here"]
        return found["level"] == "warn" and all(cp in found["text"] for cp in since)

    eventually("doctor there says so", told, 30)
    assert h2.steady() == before, "nothing is removed because it is absent"
    centre.ok("evcs-cp", "create", since[0], "--host", "h2")
    centre.ok("evcs-cp", "create", since[1], "--host", "h2", "--hosting", "pool")
    in_state(centre, "ACTIVATED", since)
    assert not told()


def test_nothing_went_wrong_unseen(centre: Machine, h2: Machine) -> None:
    assert (centre.tracebacks(), h2.tracebacks()) == ([], [])
