"""FAULTS of several machines: cut lines, power cuts, moves, a machine that is gone for good."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evcs.home import Home
from tests.hosts.network import Machine, Network, host, join, start_centre
from tests.system_under_test import ROOT, eventually

OWN, POOLED = ("CP-1", "CP-2"), ("P-1", "P-2")
CPS = (*OWN, *POOLED)
#: 22 kW, sixty times as fast: 41 s.
KWH = "15.000"

pytestmark = pytest.mark.timeout(400)


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


def in_state(centre: Machine, state: str, cps: tuple[str, ...] = CPS) -> None:
    def probe() -> bool:
        states = centre.states()
        return bool(states) and {states[cp] for cp in cps} == {state}

    eventually(f"{cps} {state}", probe, 90)


@contextmanager
def never_two_engines(*machines: Machine) -> Iterator[None]:
    """Meanwhile no CP has an Engine on two machines at once: each holds its lock as it lives."""
    stop, seen = threading.Event(), list[str]()

    def held() -> set[int]:
        rows = map(str.split, Path("/proc/locks").read_text().splitlines())
        return {int(row[5].rpartition(":")[2]) for row in rows if row[1] == "FLOCK"}

    def look() -> None:
        while not stop.is_set():
            locks = held()
            for cp in CPS:
                files = [Home(one.home).lock(f"{cp}.engine") for one in machines]
                inodes = [path.stat().st_ino for path in files if path.exists()]
                if len(locks.intersection(inodes)) > 1:
                    seen.append(cp)
            stop.wait(0.002)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not seen, f"two Engines at once: {set(seen)}"


def pids(machine: Machine) -> dict[str, int]:
    return {name: pid for name, pid in machine.processes().items() if name != "cp-manager"}


def test_a_line_that_is_cut_ends_no_charge(machines: Network, centre: Machine, h2: Machine) -> None:
    wait = charge(centre)
    before = pids(h2)
    machines.cut(h2)
    in_state(centre, "DISCONNECTED")
    assert not host(centre, "h2")["online"]
    assert {cp["reason"] for cp in centre.cps()} == {"host h2 gone"}
    eventually(
        "the charges wait for it",
        lambda: [one["state"] for one in sessions(centre)].count("interrupted") == len(CPS),
    )
    done = h2.run("evcs", "doctor", "--json")
    (link,) = [one for one in done.json["checks"] if one["check"] == "link"]
    assert (done.code, link["level"]) == (1, "fail")
    assert "is the line up? if so, at the centre:" in link["remedy"]
    machines.mend(h2)
    wait()
    in_state(centre, "ACTIVATED")
    assert pids(h2) == before, "no process noticed more than a line"


@pytest.mark.parametrize("who", ["the host", "the centre", "both"])
def test_a_power_cut_takes_nothing(centre: Machine, h2: Machine, who: str) -> None:
    wait = charge(centre, "5.000")
    cut = {"the host": [h2], "the centre": [centre], "both": [h2, centre]}[who]
    for machine in cut:
        machine.kill_all()
    for machine in cut:
        machine.ok("evcs", "up")
    eventually("the centre answers", lambda: bool(centre.states()), 30)
    wait()
    in_state(centre, "ACTIVATED")


def test_a_cp_moves_from_host_to_host_and_never_has_two_engines(
    machines: Network, centre: Machine, h2: Machine
) -> None:
    h3 = join(machines, 3)
    homes = (centre, h2, h3)
    with never_two_engines(*homes):
        for goal in ("h3", "main", "h2"):
            centre.ok("evcs-cp", "edit", *CPS, "--host", goal)
            eventually("they moved", lambda: not any(cp["moving"] for cp in centre.cps()), 60)
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
        eventually("they moved", lambda: not any(cp["moving"] for cp in centre.cps()), 60)
        in_state(centre, "ACTIVATED")
        assert pids(h2) == {}
        machines.cut(h3)
        centre.ok("evcs-cp", "edit", *CPS, "--host", "h2", "--no-wait")
        in_state(centre, "DISCONNECTED")
        assert all(cp["moving"] for cp in centre.cps()), "nobody begins while h3 may run it"
        machines.mend(h3)
        in_state(centre, "ACTIVATED")
    assert not cp_secrets(h3), "what it ran no more it can't speak for"
    h3.ok("evcs", "down")
    centre.ok("evcs", "host", "remove", "h3")


def cp_secrets(machine: Machine) -> list[Path]:
    return list((machine.home / "data" / "secrets" / "cp").iterdir())


def test_a_host_is_emptied_while_cars_charge_there(centre: Machine, h2: Machine) -> None:
    wait = charge(centre, "5.000")
    centre.ok("evcs-cp", "create", "FREE-{1..10}", "--host", "h2", "--hosting", "pool")
    drain = ("evcs", "host", "drain", "h2", "--to", "main", "--when-free", "--timeout", "5")
    done = centre.run(*drain)
    assert done.code in (7, 8), done
    free = {cp["id"]: cp["host"] for cp in centre.cps() if cp["id"].startswith("FREE")}
    assert {*free.values()} == {"main"}
    wait()
    eventually("all have moved", lambda: not any(cp["moving"] for cp in centre.cps()), 60)
    assert pids(h2) == {}
    centre.ok("evcs-cp", "delete", "FREE-{1..10}", "--yes")
    centre.ok("evcs-cp", "edit", *CPS, "--host", "h2")
    in_state(centre, "ACTIVATED")


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


def test_nothing_went_wrong_unseen(centre: Machine, h2: Machine) -> None:
    assert (centre.tracebacks(), h2.tracebacks()) == ([], [])
