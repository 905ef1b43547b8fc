"""All killed at once, and started again: how long until the whole fleet is green."""

from __future__ import annotations

import statistics

from bench import ours
from bench.floor import FORKS, floor
from bench.plan import Plan
from bench.results import Series, exactly, load, percentile, ratio_at_most
from evcs.cli import supervision, verify_restart

TITLE = "Power cut to all ACTIVATED"
AIMS = {10: 0.6, 100: 0.3, 300: 0.25}


def run(plan: Plan) -> list[Series]:
    """What `evcs verify-restart` does, again and again, beside a bare fleet's start."""
    found = []
    for size in plan.sizes(10, 100, 300):
        back = Series(size, "CPs back", "", exactly(size))
        half = Series(size, "half are green", "s")
        last = Series(size, "all are green", "s", ratio_at_most(AIMS.get(size, 1.0)))
        forks = Series(size, "all are green, beside forks", "s", ratio_at_most(2.5))
        found += [back, half, last, forks]
        with ours.system() as call, floor(size) as bare, floor(size, parent=FORKS) as children:
            verify_restart.fill(call, size)
            before = verify_restart.identities(call)
            for _ in range(plan.runs(size)):
                supervision.kill_everything(call.settings)
                at = load()
                floor_s = bare.started_s()
                bare.end()
                forks_s = children.started_s()
                children.end()
                there = verify_restart.come_back(call, before)
                assert not there.doubles, there.doubles
                back.add(at, there.there)
                half.add(at, statistics.median(there.times))
                last.add(at, percentile(there.times, 1.0), floor_s)
                forks.add(at, last.ours[-1], forks_s)
                plan.say(
                    f"{there.there}/{size} in {last.ours[-1]:.1f} s, "
                    f"floor {floor_s:.1f} s, of forks {forks_s:.1f} s"
                )
    return found
