"""What the tests of sessions need: a charge under way, its journal, its ticket."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from evcs.adapters import cp_logs, journal_db, journal_places
from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.metered import metered as of_all
from evcs.cli.bus_probe import BusProbe
from evcs.config import load
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.units import MAX_ENERGY_WH
from evcs.home import Home
from tests.system_under_test import System, eventually

TOLD = re.compile(r" session=(\S+) energy_wh=(\d+) ")


def begin(system: System, cp: str, driver: str, kwh: str = "20") -> str:
    """Begin a charge and leave it to itself; its session id, once it meters."""
    done = system.ok(
        "evcs-driver", "charge", cp, "--driver", driver, "--kwh", kwh, "--no-watch", "--json"
    )
    session: str = done.json["session_id"]
    eventually("it meters", lambda: metered(system, cp).get(session, 0) > 0, 30)
    return session


def begin_many(system: System, pairs: Mapping[str, str]) -> None:
    """Begin a long charge of each driver at his CP, and leave them to themselves."""
    settings = load(system.env)
    for driver, cp in pairs.items():
        asked = m.DriverRequest(driver, "charge", f"of-{driver}", cp, MAX_ENERGY_WH)
        wanted = [topics.filter_for(m.DriverEvent, driver=driver)]
        with BusProbe(settings, wanted, f"driver/{driver}") as bus:
            assert bus.ask([asked], _is_authorised, 30), driver


def _is_authorised(message: m.Message | m.Cleared) -> bool:
    return isinstance(message, m.DriverEvent) and message.event in ("authorised", "started")


def watched(system: System, cp: str, driver: str, kwh: str) -> subprocess.Popen[str]:
    """Begin a charge with a terminal that stays."""
    return system.spawn("evcs-driver", "charge", cp, "--driver", driver, "--kwh", kwh, "--json")


def metered(system: System, cp: str) -> dict[str, int]:
    """Session -> Wh, from the Engine's own journal; a pool's, which has no past, and its log."""
    home, found = Home(system.home), dict[str, int]()
    for path in journal_places.in_pools(home).values():
        record = journal_db.parsed(journal_db.read(path).get(cp)) or {}
        if record.get("session_id"):
            found[record["session_id"]] = record["energy_wh"]
    for said in cp_logs.newest_first(cp_logs.logs_of(home, cp, "engine")):
        if told := TOLD.search(said.text.decode()):
            found[told[1]] = max(found.get(told[1], 0), int(told[2]))
    path = system.home / "data" / "journals" / f"{cp}.jsonl"
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record.get("session_id"):
            session = record["session_id"]
            found[session] = max(found.get(session, 0), record["energy_wh"])
    return found


def session(system: System, session_id: str) -> dict[str, Any]:
    """One session from the ledger, as `evcs sessions` reads it; asked for again and again."""
    rows = LedgerReader(Home(system.home).ledger_db).sessions(limit=1000)
    return next(row for row in rows if row["session_id"] == session_id)


def ticket(system: System, session_id: str, deadline_s: float = 60.0) -> dict[str, Any]:
    """The session's ticket, once it is there; its Wh are what its CP metered."""

    def probe() -> dict[str, Any] | None:
        found = session(system, session_id)
        return found if found["state"] == "settled" else None

    found: dict[str, Any] = eventually(f"ticket of {session_id}", probe, deadline_s, every_s=0.2)
    assert found["energy_wh"] == metered(system, found["cp"]).get(session_id, 0)
    return found


def no_ticket_is_doubled(system: System) -> None:
    """I1 and I2 for everything so far: one settled row a session, Wh as metered."""
    rows = system.ok("evcs", "sessions", "--json").json
    assert len({row["session_id"] for row in rows}) == len(rows)
    there, energy_wh = system.states(), of_all(Home(system.home))
    for row in rows:
        if row["state"] == "settled" and row["cp"] in there:
            assert row["energy_wh"] == energy_wh.get(row["session_id"], 0), row
