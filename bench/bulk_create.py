"""A fleet created at once in an empty system, beside the start of as many bare pairs."""

from __future__ import annotations

from bench import ours
from bench.floor import FORKS, floor
from bench.plan import Plan
from bench.results import Series, load, ratio_at_most

TITLE = "Bulk create to all ACTIVATED"


def run(plan: Plan) -> list[Series]:
    """`evcs-cp create 'CP-{001..N}'` beside supervisord's start of 2N bare processes."""
    found = []
    for size in plan.sizes(10, 100, 300):
        aim = ratio_at_most(0.3) if size == 300 else None
        series = Series(size, "evcs-cp create CP-{001..N}", "s", aim)
        forks = Series(size, "the same, beside forks", "s", ratio_at_most(2.5))
        found += [series, forks]
        with floor(size) as bare, floor(size, parent=FORKS) as children:
            for _ in range(plan.runs(size)):
                before = load()
                with ours.system() as call:
                    took_s = ours.fill_s(call, size)
                series.add(before, took_s, bare.started_s())
                bare.end()
                forks.add(before, took_s, children.started_s())
                children.end()
                plan.say(f"{size} CPs in {series.ours[-1]:.1f} s, floor {series.floor[-1]:.1f} s")
    return found
