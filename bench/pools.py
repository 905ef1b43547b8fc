"""Thousands of CPs in pools: made, idle, killed and back, beside bare clients of one process."""

from __future__ import annotations

import time

from bench import ours, processes
from bench.create import by_http
from bench.floor import CLIENTS, Floor, floor
from bench.plan import Plan
from bench.results import Aim, Series, at_most, exactly, load, percentile
from evcs.cli import supervision, verify_restart
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import pools, topics
from evcs.core.placement import POOL

TITLE = "CPs in pools"
WINDOW_S = 20.0
CREATED_S = {1_000: 5.0, 5_000: 30.0}
OVER_EMPTY_S = {100: 1.0, 1_000: 3.0, 5_000: 12.0}


def run(plan: Plan) -> list[Series]:
    """Each size in a system of its own; `all of it` is to be read beside the smallest."""
    found = []
    for size in plan.sizes(100, 1_000, 5_000, quick=(6,)):
        runs = plan.runs(size, full=3, large=2)
        found += _fleet(plan, size, runs)
    return found


def _fleet(plan: Plan, size: int, runs: int) -> list[Series]:
    created = Series(size, "evcs-cp create to all ACTIVATED", "s", _limit(CREATED_S, size, "s"))
    held = Series(size, "memory of the pools, a CP", "MiB", at_most(0.08, "MiB"))
    whole = Series(size, "memory of all of it", "MiB")
    idle = Series(size, "idle CPU of all of it, a CP", "ms/s", at_most(0.05, "ms/s"))
    more = Series(size, "one more: answered to ACTIVATED", "s", at_most(0.05, "s"))
    back = Series(size, "CPs back", "", exactly(size))
    started = Series(size, "power cut to all ACTIVATED", "s")
    over = Series(size, "the same, over an empty system", "s", _limit(OVER_EMPTY_S, size, "s"))
    with ours.system() as call, floor(size, parent=CLIENTS) as bare:
        at = load()
        empty_s = [_empty_s(call) for _ in range(runs)]
        took_s = ours.fill_s(call, size, "--hosting", POOL)
        created.add(at, took_s, bare.started_s())
        plan.say(f"{size} CPs in {took_s:.1f} s, floor {created.floor[-1]:.1f} s")
        time.sleep(plan.seconds(5.0))
        held.add(load(), _memory(call, pools.ROLES) / size, _floor_memory(bare) / size)
        whole.add(load(), _memory(call))
        idle.add(load(), _idle(plan, call) / size)
        with BusProbe(call.settings, [topics.filter_for(m.CpState)]) as eye:
            for number in range(plan.samples(10)):
                more.add(load(), by_http(call, eye, f"Y-{number}", hosting=POOL).after_answer_s)
        for number in range(plan.samples(10)):
            ours.command(call, "evcs-cp", "delete", f"Y-{number}")
        before = verify_restart.identities(call)
        for number in range(runs):
            supervision.kill_everything(call.settings)
            bare.end()
            at, floor_s = load(), bare.started_s()
            bare.end()
            there = verify_restart.come_back(call, before)
            assert not there.doubles, there.doubles
            back.add(at, there.there)
            started.add(at, percentile(there.times, 1.0), floor_s)
            # With a handful the difference is less than either's spread.
            over.add(at, max(started.ours[-1] - empty_s[number], 0.0))
            plan.say(f"{there.there}/{size} in {started.ours[-1]:.1f} s, floor {floor_s:.1f} s")
    return [created, held, whole, idle, more, back, started, over]


def _limit(aims: dict[int, float], size: int, unit: str) -> Aim | None:
    return at_most(aims[size], unit) if size in aims else None


def _empty_s(call: CommandContext) -> float:
    """Seconds from the start of what was killed to all services, without a CP."""
    supervision.kill_everything(call.settings)
    began = time.monotonic()
    ours.start(call)
    return time.monotonic() - began


def _memory(call: CommandContext, roles: tuple[str, ...] | None = None) -> float:
    found = processes.pids(call.settings)
    return sum(
        processes.pss_mib(pid)
        for name, those in found.items()
        if roles is None or name in roles
        for pid in those
    )


def _floor_memory(bare: Floor) -> float:
    found = processes.pids(bare.settings)
    return sum(processes.pss_mib(pid) for pid in found[CLIENTS.stem])


def _idle(plan: Plan, call: CommandContext) -> float:
    """Milliseconds of CPU a second of all processes."""
    before, began = processes.cpu_by_service(call.settings), time.monotonic()
    time.sleep(plan.seconds(WINDOW_S))
    after, passed_s = processes.cpu_by_service(call.settings), time.monotonic() - began
    return sum(after[key] - before[key] for key in before) * 1000 / passed_s
