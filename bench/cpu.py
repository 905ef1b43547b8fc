"""What a fleet takes of the processors: idle, and with every CP supplying at 1 Hz."""

from __future__ import annotations

import os
import signal
import time

from bench import ours, processes
from bench.backlog import Backlog
from bench.charging import charge_all
from bench.floor import floor
from bench.plan import Plan
from bench.results import Series, at_most, exactly, load
from evcs.config import Settings

TITLE = "CPU of a fleet"
WINDOW_S = 8.0
GROUPS = {
    "engine": "Engines", "monitor": "Monitors", "mosquitto": "broker", "central": "Central",
    "web": "web", "registry": "Registry", "cp-manager": "CP Manager", "supervisord": "supervisord",
}  # fmt: skip


def run(plan: Plan) -> list[Series]:
    """Milliseconds of CPU a CP and second, in all and by service; a whole core is 1000."""
    found = []
    for size in plan.sizes(100, 300):
        idle, busy = _set(size, "idle"), _set(size, "supplying")
        told = Series(size, "readings told on by Central", "", exactly(1))
        late = Series(size, "reading to the driver, p95", "ms", at_most(1000, "ms"))
        found += [*idle.values(), *busy.values(), told, late]
        runs = plan.runs(size, full=3)
        with ours.system() as call:
            cps = ours.fill(call, size)
            plan.say(f"{size} CPs are there")
            mine = [_window(plan, call.settings, size) for _ in range(runs)]
            charge_all(call, cps)
            time.sleep(plan.seconds(6.0))
            plan.say(f"{size} supply")
            mine_busy = []
            for _ in range(runs):
                mine_busy.append(_window(plan, call.settings, size))
                with Backlog(call.settings) as backlog:
                    time.sleep(plan.seconds(WINDOW_S))
                told.add(load(), backlog.share)
                late.add(load(), backlog.p95_ms)
        with floor(size) as bare:
            bare.started_s()
            time.sleep(plan.seconds(3.0))
            theirs = [_window(plan, bare.settings, size) for _ in range(runs)]
            for pid in processes.pids(bare.settings)["engine"]:
                os.kill(pid, signal.SIGUSR1)
            time.sleep(plan.seconds(3.0))
            theirs_busy = [_window(plan, bare.settings, size) for _ in range(runs)]
        _fill(idle, mine, theirs)
        _fill(busy, mine_busy, theirs_busy)
    return found


def _set(size: int, how: str) -> dict[str, Series]:
    names = {"all": "all", **GROUPS}
    return {key: Series(size, f"{how}: {name}", "ms/s") for key, name in names.items()}


def _window(plan: Plan, settings: Settings, size: int) -> tuple[float, dict[str, float]]:
    """The load before, and milliseconds of CPU a CP and second by service."""
    at, before, began = load(), processes.cpu_by_service(settings), time.monotonic()
    time.sleep(plan.seconds(WINDOW_S))
    after, passed_s = processes.cpu_by_service(settings), time.monotonic() - began
    each = {key: (after[key] - before[key]) * 1000 / passed_s / size for key in before}
    return at, {"all": sum(each.values()), **each}


def _fill(series: dict[str, Series], mine: list[tuple[float, dict[str, float]]],
          theirs: list[tuple[float, dict[str, float]]]) -> None:  # fmt: skip
    for (at, ours_now), (_, floor_now) in zip(mine, theirs, strict=True):
        for key, one in series.items():
            one.add(at, ours_now[key], floor_now.get(key))
