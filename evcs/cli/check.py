"""`evcs status --check`: desired, applied, observed, judged, compared CP by CP."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from evcs.adapters.pool_files import PoolFiles
from evcs.adapters.section_files import SectionFiles
from evcs.adapters.supervisord import Supervisord
from evcs.cli.terminal import typed
from evcs.core import pools, sections
from evcs.core.charge_point import State
from evcs.core.cp_manager_ports import Process
from evcs.core.cp_row import way_out
from evcs.core.ids import RESERVED
from evcs.core.placement import OCPP, unit_of
from evcs.home import Home

STEADY_WITHIN_S = 5.0
WANTED_STATES = {"in": {"ACTIVATED", "SUPPLYING"}, "out": {"OUT_OF_ORDER"}}


def steady_processes(supervisord: Supervisord) -> list[Process]:
    """What supervisord knows of each process: after its first second, STARTING until then."""
    deadline = time.monotonic() + STEADY_WITHIN_S
    while True:
        processes = supervisord.processes()
        steady = all(process.state != "STARTING" for process in processes)
        if steady or time.monotonic() > deadline:
            return processes
        time.sleep(0.05)


def differences(
    home: Home, cps: Iterable[dict[str, Any]], processes: Iterable[Process], host: str
) -> list[dict[str, str]]:
    """Where actual is not desired: one entry a difference, with what to do."""
    cps, processes = list(cps), list(processes)
    found = [
        _entry(p.name, f"the service is {p.state}", f"evcs logs {p.name}")
        for p in processes
        if p.group in RESERVED and p.state != "RUNNING"
    ]
    files = SectionFiles(home.sections).texts()
    may_speak = accounts(home)
    running = {(p.group, p.name): p for p in processes}
    here = [cp for cp in cps if cp["host"] == host]
    units = {unit(cp) for cp in here if not cp["revoked"]} - {""}
    for one in sorted(units | {cp["id"] for cp in here}):
        found += _of_unit(one, one in units, files, running)
    found += _of_members(home, here)
    for cp in here:
        found += _of_cp(home, cp, may_speak)
    known = units | {cp["id"] for cp in cps}
    for group in sorted({p.group for p in processes} - known - RESERVED):
        found.append(_entry(group, "runs, and no record explains it", f"evcs ctl stop {group}:*"))
    for name in sorted(files.keys() - known):
        found.append(_entry(name, "has a section file, and no record explains it", "remove it"))
    return found


def unit(cp: Mapping[str, Any]) -> str:
    """The group in which a CP runs; "" where no process of it does."""
    return unit_of(cp["id"], cp["hosting"], cp["pool"]) or ""


def _entry(who: str, what: str, remedy: str) -> dict[str, str]:
    return {"id": who, "difference": what, "remedy": typed(remedy)}


def accounts(home: Home) -> set[str]:
    """The identities in the broker's password file."""
    try:
        text = home.passwords.read_text(encoding="ascii")
    except (OSError, ValueError):
        return set()
    return {line.partition(":")[0] for line in text.splitlines()}


def _of_unit(
    name: str, wanted: bool, files: dict[str, str | None], running: dict[tuple[str, str], Process]
) -> list[dict[str, str]]:
    found = []
    if (files.get(name) == sections.render(name)) != wanted:
        found.append(_entry(name, "section file is not as it should be", "evcs logs cp-manager"))
    for role in sections.roles(name):
        process = running.get((name, role))
        up = process is not None and process.state == "RUNNING"
        if up != wanted:
            word = process.state if process else "not there"
            found.append(_entry(name, f"its {role} is {word}", f"evcs logs {name}.{role}"))
    return found


def _of_members(home: Home, cps: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Units whose member file names others than those that are wanted there."""
    wanted: dict[str, set[str]] = {}
    for cp in cps:
        if pools.is_shared(unit(cp)) and not cp["revoked"]:
            wanted.setdefault(unit(cp), set()).add(cp["id"])
    named = PoolFiles(home.pools).members()
    return [
        _entry(pool, "member file is not as it should be", "evcs logs cp-manager")
        for pool in sorted(wanted.keys() | named.keys())
        if set(named.get(pool) or {}) != wanted.get(pool, set())
    ]


def _of_cp(home: Home, cp: dict[str, Any], may_speak: set[str]) -> list[dict[str, str]]:
    name = cp["id"]
    wanted = not cp["revoked"]
    found = []
    for role in sections.ROLES:
        identity = f"cp/{name}/{role}"
        if (identity in may_speak and home.secret(identity).exists()) != wanted:
            found.append(_entry(name, f"identity of its {role} is missing", "evcs logs registry"))
    # A charger that is not there is what is the case, not what we have failed to do.
    away = cp["hosting"] == OCPP and cp["state"] == State.DISCONNECTED
    if wanted and not away and cp["state"] not in WANTED_STATES[cp["service"]]:
        what = f"is {cp['state']} ({cp['reason']})"
        remedy = way_out({**cp, "service": "in"})  # that it is stopped is wanted
        found.append(_entry(name, what, remedy or f"evcs-cp show {name}"))
    return found
