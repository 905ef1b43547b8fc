"""`evcs status --check`: desired, applied, observed, judged, compared CP by CP."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from evcs.adapters.section_files import SectionFiles
from evcs.adapters.supervisord import Supervisord
from evcs.cli.common import typed
from evcs.core import sections
from evcs.core.ids import RESERVED
from evcs.core.service_ports import Process
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
    for cp in cps:
        if cp["host"] == host:
            found += _of_cp(home, cp, files, may_speak, running)
    known = {cp["id"] for cp in cps}
    for group in sorted({p.group for p in processes} - known - RESERVED):
        found.append(_entry(group, "runs, and no record explains it", f"evcs ctl stop {group}:*"))
    for name in sorted(files.keys() - known):
        found.append(_entry(name, "has a section file, and no record explains it", "remove it"))
    return found


def _entry(who: str, what: str, remedy: str) -> dict[str, str]:
    return {"id": who, "difference": what, "remedy": typed(remedy)}


def accounts(home: Home) -> set[str]:
    """The identities in the broker's password file."""
    try:
        text = home.passwords.read_text(encoding="ascii")
    except (OSError, ValueError):
        return set()
    return {line.partition(":")[0] for line in text.splitlines()}


def _of_cp(
    home: Home,
    cp: dict[str, Any],
    files: dict[str, str | None],
    may_speak: set[str],
    running: dict[tuple[str, str], Process],
) -> list[dict[str, str]]:
    name = cp["id"]
    look = f"evcs-cp show {name}"
    wanted = not cp["revoked"]
    found = []
    if (files.get(name) == sections.render(name)) != wanted:
        found.append(_entry(name, "section file is not as it should be", "evcs logs cp-manager"))
    for role in sections.ROLES:
        identity = f"cp/{name}/{role}"
        if (identity in may_speak and home.secret(identity).exists()) != wanted:
            found.append(_entry(name, f"identity of its {role} is missing", "evcs logs registry"))
        process = running.get((name, role))
        up = process is not None and process.state == "RUNNING"
        if up != wanted:
            word = process.state if process else "not there"
            found.append(_entry(name, f"its {role} is {word}", f"evcs-cp logs {name} {role}"))
    if wanted and cp["state"] not in WANTED_STATES[cp["service"]]:
        found.append(_entry(name, f"is {cp['state']} ({cp['reason']})", look))
    return found
