"""What a trial does to a system: its faults, drawn by seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

SERVICES = ("mosquitto", "central", "registry", "cp-manager")
#: To which share of what it had at first a circuit is edited, and to which of its most a house.
SHARES = (0.0, 0.3, 0.6, 1.0)


class TrialFault(NamedTuple):
    """One kind of fault, and what must come of it.

    `pause_s`: SIGSTOP for so long, else SIGKILL. `must_see`: the state that Central must have
    judged of the CP meanwhile.
    """

    name: str
    targets: str
    pause_s: tuple[float, float] | None
    expected: str
    must_see: str | None = None


FAULTS = (
    TrialFault("kill engine", "engine", None, "BROKEN_DOWN, back, session goes on", "BROKEN_DOWN"),
    TrialFault(
        "kill monitor", "monitor", None, "DISCONNECTED, back, charge goes on", "DISCONNECTED"
    ),
    TrialFault(
        "pause engine",
        "engine",
        (5, 22),
        "silent, interrupted, goes on or power_loss",
        "BROKEN_DOWN",
    ),
    TrialFault("pause monitor", "monitor", (2, 8), "charge goes on"),
    *(TrialFault(f"kill {name}", name, None, "charges go on, it is back") for name in SERVICES),
    TrialFault("pause central", "central", (2, 8), "charges go on"),
    TrialFault("pause mosquitto", "mosquitto", (2, 6), "charges go on"),
    TrialFault("edit a circuit", "circuit", None, "nobody above it 2 s later"),
    TrialFault("house takes more or less", "house", None, "the circuit is not above its most"),
    TrialFault("kill supervisord", "supervisord", None, "nothing left behind, all back after up"),
    TrialFault("power cut", "everything", None, "all back after up, sessions go on"),
)


class Round(NamedTuple):
    """One fault as it was injected; `share`: of what a circuit carries, or a house takes."""

    fault: TrialFault
    target: str
    pause_s: float
    then_s: float
    share: float


def rounds(seed: int, count: int, cps: list[str], circuits: Sequence[str]) -> list[Round]:
    """The faults of a run; the same seed gives the same."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        fault = dice.choice(FAULTS)
        cp, circuit, share = dice.choice(cps), dice.choice(circuits), dice.choice(SHARES)
        target = {
            "engine": f"{cp}:engine", "monitor": f"{cp}:monitor", "circuit": circuit,
        }.get(fault.targets, fault.targets)  # fmt: skip
        pause = round(dice.uniform(*fault.pause_s), 1) if fault.pause_s else 0.0
        found.append(Round(fault, target, pause, round(dice.uniform(0.2, 2.5), 1), share))
    return found
