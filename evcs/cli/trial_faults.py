"""What a trial does to a system: its faults, drawn by seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import cycle
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
#: Where there is more than one host. Of a line `pause_s` is for how long it is cut.
HOST_FAULTS = (
    TrialFault("cut a line", "line", (2, 45), "charges go on, told once it is mended"),
    TrialFault("power cut of one", "host", None, "the others go on, all back after up"),
    TrialFault("kill a cp-manager", "cp-manager of", None, "charges go on, it is back"),
    TrialFault("move a CP", "move", None, "after its charge; never two Engines"),
    TrialFault(
        "move, line cut", "move, line", (2, 30), "nobody begins before the old place lets go"
    ),
    TrialFault("move, power cut", "move, power", None, "the same"),
)
#: Of these the target is the CP that moves.
MOVES = ("move", "move, line", "move, power")


class Round(NamedTuple):
    """One fault as it was injected; `share`: of what a circuit carries, or a house takes.

    `goal`: the host where a CP moves to.
    """

    fault: TrialFault
    target: str
    pause_s: float
    then_s: float
    share: float
    goal: str = ""


def placed(cps: Sequence[str], hosts: Sequence[str]) -> dict[str, str]:
    """CP -> its host at first: the hosts in turns."""
    return dict(zip(cps, cycle(hosts), strict=False))


def rounds(
    seed: int, count: int, cps: list[str], circuits: Sequence[str], hosts: Sequence[str] = ()
) -> list[Round]:
    """The faults of a run; the same seed gives the same. `hosts`: where there are several."""
    dice = random.Random(seed)
    where = placed(cps, hosts)
    found = []
    for _ in range(count):
        fault = dice.choice(FAULTS + HOST_FAULTS if hosts else FAULTS)
        cp, circuit, share = dice.choice(cps), dice.choice(circuits), dice.choice(SHARES)
        host = dice.choice(hosts) if hosts else ""
        target = {
            "engine": f"{cp}:engine", "monitor": f"{cp}:monitor", "circuit": circuit,
            "line": host, "host": host, "cp-manager of": host, **dict.fromkeys(MOVES, cp),
        }.get(fault.targets, fault.targets)  # fmt: skip
        goal = ""
        if fault.targets in MOVES:
            goal = where[cp] = dice.choice([one for one in hosts if one != where[cp]])
        pause = round(dice.uniform(*fault.pause_s), 1) if fault.pause_s else 0.0
        found.append(Round(fault, target, pause, round(dice.uniform(0.2, 2.5), 1), share, goal))
    return found
