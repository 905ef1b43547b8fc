"""F3, F6 at size: 60 CPs on power for 20, in pools.

A limit that Central tells holds for a minute. For F3 the test has Central's part at the end, and
tells limits that hold for seconds, at different moments; Engines and broker are the real ones.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evcs.adapters import journal_db, journal_places
from evcs.home import Home
from tests.faults.charging import begin_many, no_ticket_is_doubled
from tests.faults.circuit_load import limits, overs, recorded
from tests.security.clients import MqttClient
from tests.system_under_test import System, eventually

ALL = [f"P-{number:02d}" for number in range(1, 61)]
#: The fallbacks are of the first twenty; the others begin before, so the turns are theirs.
WITH_FALLBACK, FIRST = set(ALL[:20]), set(ALL[40:])
CARRIES_W, LEAST_W = 84_000, 4_140
#: What the test tells holds so long, and is told over so many seconds.
FOR_S, SPREAD_S = 4, 2.0


@pytest.fixture(scope="module")
def site(short_tmp: Path) -> Iterator[System]:
    """All 60 have a session, 20 are served."""
    system = System(short_tmp / "large")
    system.up()
    system.ok("evcs", "circuit", "add", "GARAGE", "--max-power-kw", "84")
    system.ok("evcs-cp", "create", "P-{01..60}", "--circuit", "GARAGE", "--hosting", "pool")
    drivers = {f"D-{cp}": cp for cp in ALL}
    system.ok("evcs", "driver", "add", *drivers)
    begin_many(system, {name: cp for name, cp in drivers.items() if cp in FIRST})
    eventually("twenty have power", lambda: served(system) == FIRST)
    begin_many(system, {name: cp for name, cp in drivers.items() if cp not in FIRST})
    eventually("forty wait", lambda: len(turns(system)) == 60 and in_turn(system) == FIRST)
    assert served(system) == FIRST
    try:
        yield system
        no_ticket_is_doubled(system)
    finally:
        system.down()


def served(system: System) -> set[str]:
    """Who may take power, by Central's word."""
    return {cp for cp, limit_w in limits(system).items() if limit_w}


def turns(system: System) -> dict[str, tuple[str | None, str | None]]:
    """CP -> since when it waits, and since when it has its turn."""
    with closing(sqlite3.connect(f"file:{system.home}/data/ledger.db?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT cp, waiting_since, turn_since FROM session").fetchall()
    return {cp: (waits, turn) for cp, waits, turn in rows if waits or turn}


def in_turn(system: System) -> set[str]:
    """Who has power, by the ledger."""
    return {cp for cp, (waits, _) in turns(system).items() if waits is None}


def test_a_power_cut_with_forty_waiting_forgets_nobody(site: System) -> None:
    before = turns(site)
    with recorded(site) as heard:
        site.kill_all()
        begin = len(heard)
        site.up()
        eventually("the same have power", lambda: served(site) == FIRST, 60)
        metering = set[str]()

        def all_take_it() -> bool:
            metering.update(
                topic.split("/")[3]
                for topic, payload in heard[begin:]
                if topic.endswith("/engine/meter") and payload["power_w"] >= LEAST_W
            )
            return metering >= FIRST

        eventually("they take it", all_take_it, 60)
    assert metering == FIRST
    assert overs(heard[begin:], ALL, CARRIES_W) == []
    assert turns(site) == before


@pytest.mark.parametrize("away", ["central", "mosquitto"])
def test_the_sum_holds_while_limits_run_out_at_different_moments(site: System, away: str) -> None:
    with recorded(site) as heard:
        eventually("the first have power", lambda: served(site) == FIRST, 60)
        site.ok("evcs", "ctl", "stop", "central")
        tell_limits(site)
        if away != "central":
            site.ok("evcs", "ctl", "stop", away)
        takes = taking_until(site, WITH_FALLBACK)
        assert max(map(len, takes)) <= 20
        if away != "central":
            site.ok("evcs", "ctl", "start", away)
        site.ok("evcs", "ctl", "start", "central")
        eventually("as before", lambda: served(site) == FIRST, 60)
    assert overs(heard, ALL, CARRIES_W) == []
    eventually("and so the ledger has it", lambda: in_turn(site) == FIRST)


def tell_limits(system: System) -> None:
    """As Central does, but for a few seconds."""
    with MqttClient(system.mqtt_port, "central", system.secret("central")) as central:
        for number, cp in enumerate(ALL):
            limit = {
                "id": f"test-{number}", "verb": "limit", "for_s": FOR_S,
                "max_power_w": LEAST_W if cp in FIRST else 0,
                "fallback_w": LEAST_W if cp in WITH_FALLBACK else 0,
            }  # fmt: skip
            central.write(f"evcs/v1/central/cp/{cp}/engine/cmd", json.dumps(limit).encode())
            time.sleep(SPREAD_S / len(ALL))


def taking_until(system: System, these: set[str]) -> list[set[str]]:
    """Whose register rises, second by second, by the pool's journal: that needs no broker."""
    found, before = [], registers(system)

    def take() -> bool:
        nonlocal before
        now = registers(system)
        found.append({cp for cp in ALL if now[cp] > before[cp]})
        before = now
        return found[-1] == these

    eventually("these alone take power", take, 90, 1.0)
    return found


def registers(system: System) -> dict[str, int]:
    """CP -> Wh."""
    found: dict[str, int] = {}
    for path in journal_places.in_pools(Home(system.home)).values():
        for cp, record in journal_db.read(path).items():
            found[cp] = (journal_db.parsed(record) or {}).get("energy_wh", 0)
    return found
