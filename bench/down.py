"""An orderly end of all: `evcs down`, beside a bare supervisord's shutdown."""

from __future__ import annotations

import time

from bench import ours
from bench.floor import floor
from bench.plan import Plan
from bench.results import Series, load, ratio_at_most
from evcs.adapters.supervisord import Supervisord, supervisord_pid
from evcs.config import Settings

TITLE = "Orderly down"


def run(plan: Plan) -> list[Series]:
    """Both from the command to supervisord's end."""
    found = []
    for size in plan.sizes(10, 100, 300):
        series = Series(size, "evcs down", "s", ratio_at_most(2.0))
        found.append(series)
        with ours.system() as call, floor(size) as bare:
            ours.fill(call, size)
            for number in range(plan.runs(size, large=2)):
                if number:
                    ours.start(call)
                at = load()
                took_s = ours.command(call, "evcs", "down")
                bare.start()
                bare.wait()
                series.add(at, took_s, _shutdown_s(bare.settings))
                plan.say(f"{size} CPs in {took_s:.1f} s, floor {series.floor[-1]:.1f} s")
    return found


def _shutdown_s(settings: Settings) -> float:
    began = time.monotonic()
    Supervisord(settings.home.supervisor_socket).shutdown()
    while supervisord_pid(settings.home) is not None:
        time.sleep(0.01)
    return time.monotonic() - began
