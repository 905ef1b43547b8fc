"""I3: Registry = section and member files = credentials = what runs = what is retained."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from evcs.adapters.engine_health import Probe
from evcs.adapters.pool_files import PoolFiles
from evcs.core import pools
from evcs.home import Home
from tests.system_under_test import System, eventually

#: What is audited, and changes nothing that the Registry holds.
NO_CHANGES = ("login", "fault", "clear", "kill")


def views(system: System) -> dict[str, set[str]]:
    """The CPs as each part of the system has them."""
    home = system.home
    status, cps = system.http("GET", f"{system.registry_url}/api/v1/cps")
    assert status == 200
    retained = system.retained()
    passwords = (home / "data" / "mosquitto.passwd").read_text()
    found = {
        "registry": {cp["id"] for cp in cps},
        "secrets": {path.name for path in (home / "data" / "secrets").glob("cp/*")},
        "accounts": set(re.findall(r"^cp/([^/]+)/engine:", passwords, re.MULTILINE)),
        "monitors": set(re.findall(r"^cp/([^/]+)/monitor:", passwords, re.MULTILINE)),
    }
    for word, pattern in (
        ("desired", r"evcs/v1/registry/cp/([^/]+)"),
        ("applied", r"evcs/v1/manager/main/cp/([^/]+)"),
        ("engine status", r"evcs/v1/cp/([^/]+)/engine/status"),
        ("monitor status", r"evcs/v1/cp/([^/]+)/monitor/status"),
        ("judged", r"evcs/v1/central/cp/([^/]+)/state"),
    ):
        hits = (re.fullmatch(pattern, topic) for topic in retained)
        found[word] = {hit[1] for hit in hits if hit}
    return found


def places(system: System) -> dict[str, set[str]]:
    """Where each part of the system has each CP ("CP-001 in _pool-1"), and the units there are."""
    status, cps = system.http("GET", f"{system.registry_url}/api/v1/cps")
    assert status == 200
    wanted = {f"{cp['id']} in {_unit(cp)}" for cp in cps} | {_unit(cp) for cp in cps}
    sections = {path.stem for path in (system.home / "conf" / "supervisord.d").glob("*.conf")}
    files = {f"{unit} in {unit}" for unit in sections if pools.number(unit) is None}
    for pool, members in PoolFiles(Home(system.home).pools).members().items():
        files |= {f"{cp} in {pool}" for cp in members or ()}
    running = {name for name in system.processes() if ":" in name}
    groups = {name.partition(":")[0] for name in running}
    return {"registry": wanted, "files": files | sections} | {
        role: groups | _playing(system, running, role) for role in ("engine", "monitor")
    }


def _unit(cp: dict[str, Any]) -> str:
    return str(cp["id"]) if cp["pool"] is None else pools.name(cp["pool"])


def _playing(system: System, running: set[str], role: str) -> set[str]:
    """Whose role is played by what runs; a pool is asked itself."""
    found = set()
    for unit, _, name in (one.partition(":") for one in running):
        if name == role:
            found.add(f"{unit} in {unit}")
        elif name == f"{role}s":
            path = system.home / Home(system.home).pool_socket(unit, name)
            found |= {f"{cp} in {unit}" for cp in Probe(path).ask() or {}}
    return found


def consistent(system: System) -> bool:
    """Whether all agree, and all is as desired."""
    try:
        found, placed = views(system), places(system)
    except OSError:
        return False
    return all(len({frozenset(one) for one in all_.values()}) == 1 for all_ in (found, placed))


def wait_until_consistent(system: System, deadline_s: float = 30.0) -> set[str]:
    """The CPs, once every part has the same ones and each is as wanted."""
    last: dict[str, Any] = {}

    def probe() -> bool:
        last["registry"] = "up" if _up(system) else "down"
        if not consistent(system):
            last["they differ"] = _told(views(system), places(system)) if _up(system) else None
            return False
        check = system.run("evcs", "status", "--check")
        last["status --check"] = check.out + check.err
        return check.code == 0

    try:
        eventually("all parts agree", probe, deadline_s, every_s=0.3)
    except AssertionError:
        logs = {one.name: one.read_text()[-2000:] for one in (system.home / "log").glob("*.log")}
        raise AssertionError(f"not consistent after {deadline_s:g} s: {last} {logs}") from None
    return views(system)["registry"]


def _told(*found: dict[str, set[str]]) -> list[dict[str, list[str]]]:
    """What not all have, by who has it."""
    common = [set.intersection(*one.values()) for one in found]
    return [
        {who: sorted(names - all_) for who, names in one.items()}
        for one, all_ in zip(found, common, strict=True)
    ]


def _up(system: System) -> bool:
    try:
        return system.http("GET", f"{system.registry_url}/healthz")[0] == 200
    except OSError:
        return False


def wait_until_audited(system: System) -> None:
    """Each change that the Registry committed is in the audit, once; and none that it didn't.

    Each has one revision of the Registry, from the first on.
    """
    store = json.loads((system.home / "data" / "registry.json").read_text())
    (meta,) = store["tables"]["meta"].values()

    def changes() -> list[dict[str, Any]]:
        rows = system.ok("evcs", "audit", "--limit", "100000", "--json").json
        told = ("operator", "registry", "web")
        of_these = [row for row in rows if row["who"].partition("/")[0] in told]
        return [row for row in of_these if row["what"] not in NO_CHANGES]

    eventually("each change is audited", lambda: len(changes()) >= meta["revision"], 10)
    found = [row["detail"].rpartition("revision ")[2] for row in changes()]
    assert len(found) == meta["revision"]
    assert not [one for one, times in Counter(found).items() if times > 1 and one.isdecimal()]
