"""F1, F2, F4, F6 on real processes: the bus is recorded, and the readings of each second add up.

The rest of F, where minutes pass, is on a given clock: tests/unit/test_load_manager.py.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.charging import begin_many, no_ticket_is_doubled
from tests.faults.circuit_load import Heard, limits, overs, recorded
from tests.faults.invariants import wait_until_consistent
from tests.security.clients import MqttClient
from tests.system_under_test import System, eventually

#: SITE feeds GARAGE. Of each hosting two in GARAGE, one beside it.
GARAGE, SITE = 20_000, 30_000
IN_GARAGE = ["P-1", "P-2", "Q-1", "Q-2"]
BESIDE = ["P-3", "Q-3"]
#: For a lowered limit to hold.
WITHIN_S = 2.0


@pytest.fixture(scope="module")
def site(short_tmp: Path) -> Iterator[System]:
    """Six CPs on two levels of circuits, all supplying, on the wall's clock."""
    system = System(short_tmp / "site", time_scale=1.0)
    system.up()
    system.ok("evcs", "circuit", "add", "SITE", "--max-power-kw", "30")
    system.ok("evcs", "circuit", "add", "GARAGE", "--max-power-kw", "20", "--parent", "SITE")
    system.ok("evcs-cp", "create", "P-{1..2}", "--circuit", "GARAGE")
    system.ok("evcs-cp", "create", "Q-{1..2}", "--circuit", "GARAGE", "--hosting", "pool")
    system.ok("evcs-cp", "create", "P-3", "--circuit", "SITE")
    system.ok("evcs-cp", "create", "Q-3", "--circuit", "SITE", "--hosting", "pool")
    drivers = {f"D-{cp}": cp for cp in (*IN_GARAGE, *BESIDE)}
    system.ok("evcs", "driver", "add", *drivers)
    begin_many(system, drivers)
    yield system
    no_ticket_is_doubled(system)
    system.down()


def shared(system: System, *served: str, most_w: int) -> Callable[[], bool]:
    """Whether those have shares of about all that there is, and nobody else."""

    def probe() -> bool:
        found = {cp: limit_w for cp, limit_w in limits(system).items() if limit_w}
        return found.keys() == {*served} and 0.9 * most_w < sum(found.values()) <= most_w

    return probe


def never_over(heard: Heard) -> None:
    """As they are made, neither circuit is above what it carries."""
    assert overs(heard, IN_GARAGE, GARAGE) == []
    assert overs(heard, IN_GARAGE + BESIDE, SITE) == []


def test_shares_add_up_on_both_levels_while_engines_are_killed(site: System) -> None:
    with recorded(site) as heard:
        eventually("all have shares", shared(site, *IN_GARAGE, *BESIDE, most_w=SITE), 40)
        for process in ("P-1:engine", "_pool-1:engines"):
            os.kill(site.processes()[process], signal.SIGKILL)
            eventually("they are back", lambda: len(_metering(heard)) == 6, 40)
            eventually("all have shares", shared(site, *IN_GARAGE, *BESIDE, most_w=SITE), 60)
    never_over(heard)


def _metering(heard: Heard) -> Mapping[str, int]:
    """CP -> W, of the last twenty readings."""
    told = [(topic, payload) for topic, payload in heard if topic.endswith("/engine/meter")]
    return {topic.split("/")[3]: payload["power_w"] for topic, payload in told[-20:]}


@pytest.mark.parametrize("power_kw", ["10", "0", "20"])
def test_a_lowered_limit_holds_within_two_seconds(site: System, power_kw: str) -> None:
    with recorded(site) as heard:
        site.ok("evcs", "circuit", "edit", "GARAGE", "--max-power-kw", power_kw)
        most_w = int(power_kw) * 1_000
        wanted = min(SITE, most_w + 2 * 11_000) if most_w else 0
        eventually("it is known", lambda: _carries(site, "GARAGE") == most_w)
        begin = len(heard)
        eventually("nobody has more", lambda: 0 <= _taken(heard[begin:], IN_GARAGE) <= most_w, 20)
        if most_w == GARAGE:
            eventually("all have shares", shared(site, *IN_GARAGE, *BESIDE, most_w=wanted), 60)
    changed = next(
        datetime.fromisoformat(payload["ts"])
        for topic, payload in heard
        if topic.endswith("/registry/circuit/GARAGE") and payload["max_power_w"] == most_w
    )
    late = [at for at, _ in overs(heard, IN_GARAGE, most_w)
            if (at - changed).total_seconds() > WITHIN_S]  # fmt: skip
    assert late == []


def _carries(system: System, name: str) -> int | None:
    kept = system.retained(f"evcs/v1/central/circuit/{name}/state")
    return next((state["max_power_w"] for state in kept.values()), None)


def _taken(heard: Heard, cps: list[str]) -> int:
    """What those take; -1 until each has told a reading."""
    found = _metering(heard)
    return sum(found[cp] for cp in cps) if found.keys() >= {*cps} else -1


def test_a_house_that_takes_more_leaves_less(site: System) -> None:
    with recorded(site) as heard, MqttClient(
        site.mqtt_port, "meter/SITE", site.secret("meter/SITE")
    ) as meter:  # fmt: skip

        def less() -> bool:
            meter.write("evcs/v1/meter/SITE/power", json.dumps({"power_w": 12_000}).encode())
            return 0 < _taken(heard, IN_GARAGE + BESIDE) <= SITE - 12_000

        eventually("they give way", less, 30, every_s=0.5)
    never_over(heard)
    eventually("it is silent", shared(site, *IN_GARAGE, *BESIDE, most_w=SITE), 60)


def test_a_power_cut_forgets_nobody(site: System) -> None:
    """On power for three of six: the same three have it again, and those that waited wait on."""
    site.ok("evcs", "circuit", "edit", "SITE", "--max-power-kw", "14")
    eventually("three wait", lambda: _waiting(site), 60)
    waited = _waiting(site)
    site.kill_all()
    with_power = {*IN_GARAGE, *BESIDE} - waited
    site.up()
    wait_until_consistent(site)
    with recorded(site) as heard:
        eventually("the same have power", shared(site, *with_power, most_w=14_000), 60)
        assert _waiting(site) == waited
    assert overs(heard, IN_GARAGE + BESIDE, 14_000) == []


def _waiting(system: System) -> set[str]:
    found = {
        topic.split("/")[4]
        for topic, state in system.retained("evcs/v1/central/cp/+/state").items()
        if state["reason"] == "waiting for power"
    }
    return found if len(found) == 3 else set()
