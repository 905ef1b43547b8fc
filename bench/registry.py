"""The Registry alone: create, list, edit, with no CP Manager that would have the CPs run."""

from __future__ import annotations

import http.client
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import ours
from bench.plan import QUICK_SIZES, Plan
from bench.results import Series, load
from evcs.adapters.supervisord import Supervisord
from evcs.cli.common import CommandContext

TITLE = "Registry"
LOCATION = "Street 1, level 2, bay 34"


def run(plan: Plan) -> list[Series]:
    """Each change beside a bare SQLite insert, the list beside the Registry's /healthz."""
    found = []
    with ours.system() as call:
        Supervisord(call.settings.home.supervisor_socket).stop(["cp-manager"])
        there = 0
        db = _database(call.settings.home.path / "floor.db")
        for size in plan.sizes(10, 100, 1000, quick=QUICK_SIZES):
            names = [f"R-{number:04d}" for number in range(there, size)]
            call.registry.create_many([_fields(name) for name in names])
            there = size
            plan.say(f"{size} CPs are there")
            create, show, edit = (
                Series(size, what, "ms") for what in ("create one", "list all", "edit one")
            )
            found += [create, show, edit]
            for number in range(plan.samples(15)):
                at = load()
                cp = f"S-{size}-{number}"
                create.add(at, _ms(partial(call.registry.create, _fields(cp))), _insert(db))
                show.add(at, _ms(call.registry.cps), _ms(partial(_healthz, call)))
                change = {"price_eur_kwh": f"0.{number + 10}"}
                edit.add(at, _ms(partial(call.registry.edit, cp, change)), _insert(db))
        db.close()
    return found


def _fields(cp: str) -> dict[str, str]:
    return {"id": cp, "location": LOCATION}


def _ms(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return (time.monotonic() - began) * 1000


def _healthz(call: CommandContext) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", call.settings.registry_port)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    connection.close()


def _database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE cp (id TEXT PRIMARY KEY, location TEXT)")
    return db


def _insert(db: sqlite3.Connection) -> float:
    number = time.monotonic_ns()
    return _ms(lambda: db.execute("INSERT INTO cp VALUES (?, ?)", (f"CP-{number}", LOCATION)))
