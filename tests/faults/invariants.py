"""I3: Registry = section files = credentials = running groups = what is retained."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from tests.system_under_test import System, eventually


def views(system: System) -> dict[str, set[str]]:
    """The CPs as each part of the system has them."""
    home = system.home
    status, cps = system.http("GET", f"{system.registry_url}/api/v1/cps")
    assert status == 200
    retained = system.retained()
    passwords = (home / "data" / "mosquitto.passwd").read_text()
    groups = {name.partition(":")[0] for name in system.processes() if ":" in name}
    found = {
        "registry": {cp["id"] for cp in cps},
        "sections": {path.stem for path in (home / "conf" / "supervisord.d").glob("*.conf")},
        "secrets": {path.name for path in (home / "data" / "secrets").glob("cp/*")},
        "accounts": set(re.findall(r"^cp/([^/]+)/engine:", passwords, re.MULTILINE)),
        "monitors": set(re.findall(r"^cp/([^/]+)/monitor:", passwords, re.MULTILINE)),
        "groups": groups,
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


def consistent(system: System) -> bool:
    """Whether all agree, and all is as desired."""
    try:
        found = views(system)
    except OSError:
        return False
    return len({frozenset(one) for one in found.values()}) == 1


def wait_until_consistent(system: System, deadline_s: float = 30.0) -> set[str]:
    """The CPs, once every part has the same ones and each is as wanted."""
    last: list[Any] = []

    def probe() -> bool:
        last[:] = []
        if not consistent(system):
            last.append({k: sorted(v) for k, v in views(system).items()} if _up(system) else "down")
            return False
        check = system.run("evcs", "status", "--check")
        last.append(check.out + check.err)
        return check.code == 0

    try:
        eventually("all parts agree", probe, deadline_s, every_s=0.3)
    except AssertionError:
        raise AssertionError(f"not consistent after {deadline_s:g} s: {last}") from None
    return views(system)["registry"]


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
        told = ("operator", "registry")
        return [row for row in rows if row["who"] in told and row["what"] != "login"]

    eventually("each change is audited", lambda: len(changes()) >= meta["revision"], 10)
    found = [row["detail"].rpartition("revision ")[2] for row in changes()]
    assert len(found) == meta["revision"]
    assert not [one for one, times in Counter(found).items() if times > 1 and one.isdecimal()]
