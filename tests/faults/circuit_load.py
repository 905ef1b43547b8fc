"""What flows in circuits, by the recorded bus: the readings of all their CPs, added up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tests.faults.recorded import no_cp_has_two_engines
from tests.system_under_test import System

Heard = list[tuple[str, dict[str, Any]]]


def limits(system: System) -> dict[str, int | None]:
    """CP -> what its session may take, by Central's state."""
    return {
        cp: state["session"]["limit_w"]
        for topic, state in system.retained("evcs/v1/central/cp/+/state").items()
        for cp in [topic.split("/")[4]]
        if state["session"]
    }


@contextmanager
def recorded(system: System) -> Iterator[Heard]:
    """The whole bus."""
    with system.listening("evcs/v1/#") as heard:
        yield heard
    no_cp_has_two_engines(heard)


def overs(heard: Heard, cps: list[str], max_power_w: int) -> list[tuple[datetime, int]]:
    """When the readings of a circuit's CPs, each its last, came to more than it carries."""
    power: dict[str, int] = {}
    found = []
    for topic, payload in heard:
        levels = topic.split("/")
        if levels[2] != "cp" or levels[3] not in cps or levels[4] != "engine":
            continue
        if levels[5] == "meter":
            power[levels[3]] = payload["power_w"]
        elif levels[5] == "status" and payload.get("phase") != "supplying":
            power[levels[3]] = 0
        if sum(power.values()) > max_power_w:
            found.append((datetime.fromisoformat(payload["ts"]), sum(power.values())))
    return found
