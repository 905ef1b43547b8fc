"""CPs that are chargers of a back end: memory, connects, readings, beside bare clients.

Those are on the same library without its I/O, in one process; ours are Engines and Monitors in
pools, which keep what they tell on the disk first. One back end for both, beside them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from bench import ours, processes
from bench.plan import Plan
from bench.results import Series, at_most, load
from evcs.cli import supervision, verify_restart
from evcs.cli.common import CommandContext
from evcs.core import pools

TITLE = "CPs as chargers of a back end, OCPP 1.6"
BACK_END, BARE = (Path(__file__).with_name(f"{name}.py") for name in
                  ("back_end", "floor_stations"))  # fmt: skip
WITHIN_S = 120.0
SETTLES_S = 3.0
WINDOW_S = 10.0


class BackEnd:
    """The program that is the back end; used as a context."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", BACK_END], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = f"ws://127.0.0.1:{self._process.stdout.readline().strip()}/ocpp"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def do(self, order: str) -> dict[str, Any]:
        """An order and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def until(self, what: str, count: int) -> dict[str, Any]:
        """Wait for so many."""
        deadline = time.monotonic() + WITHIN_S
        while (found := self.do("count"))[what] < count:
            assert time.monotonic() < deadline, (what, found)
            time.sleep(0.2)
        return found


def run(plan: Plan) -> list[Series]:
    """All connect, after a power cut once more, and tell a reading a second each."""
    found = []
    for size in plan.sizes(1_000, quick=(5,)):
        memory = Series(size, "memory, a CP", "MiB", at_most(0.12, "MiB"))
        connects = Series(size, "connects", "/s")
        readings = Series(size, "readings, one a second each", "/s")
        cpu = Series(size, "CPU, a reading", "ms")
        for _ in range(plan.runs(size)):
            at, mine, bare = load(), _ours(plan, size), _bare(plan, size)
            for one, our, floor in zip(
                (memory, connects, readings, cpu), mine, bare, strict=True
            ):  # fmt: skip
                one.add(at, our, floor)
        found += [memory, connects, readings, cpu]
    return found


def _ours(plan: Plan, size: int) -> list[float]:
    with BackEnd() as back_end, ours.system() as call:
        ours.fill_s(call, size, "--hosting", "pool", "--backend", back_end.url)
        back_end.until("came", size)
        before = verify_restart.identities(call)
        supervision.kill_everything(call.settings)
        back_end.do("forget")
        there = verify_restart.come_back(call, before)
        assert there.there == size, there
        took_s = back_end.until("came", size)["took_s"]
        time.sleep(plan.seconds(SETTLES_S))
        held = _memory(call) / size
        return [
            held,
            size / max(took_s, 0.001),
            *_charging(plan, back_end, size, lambda: _cpu(call)),
        ]


def _bare(plan: Plan, size: int) -> list[float]:
    with BackEnd() as back_end, _clients(back_end.url, size) as pid:
        took_s = back_end.until("came", size)["took_s"]
        time.sleep(plan.seconds(SETTLES_S))
        held = processes.pss_mib(pid) / size
        return [
            held, size / max(took_s, 0.001),
            *_charging(plan, back_end, size, lambda: processes.cpu_s(pid)),
        ]  # fmt: skip


def _charging(
    plan: Plan, back_end: BackEnd, size: int, cpu_s: Callable[[], float]
) -> tuple[float, float]:  # fmt: skip
    """Readings a second, and milliseconds of CPU for each."""
    back_end.do("charge")
    back_end.until("charging", size)
    time.sleep(plan.seconds(SETTLES_S))
    began, used, told = time.monotonic(), cpu_s(), back_end.do("count")["readings"]
    # With a second of them the figure would be how it fell.
    time.sleep(max(plan.seconds(WINDOW_S), 3.0))
    told = back_end.do("count")["readings"] - told
    return told / (time.monotonic() - began), (cpu_s() - used) * 1000 / max(told, 1)


def _memory(call: CommandContext) -> float:
    found = processes.pids(call.settings)
    return sum(processes.pss_mib(pid) for name in pools.ROLES for pid in found.get(name, ()))


def _cpu(call: CommandContext) -> float:
    found = processes.pids(call.settings)
    return sum(processes.cpu_s(pid) for name in pools.ROLES for pid in found.get(name, ()))


@contextmanager
def _clients(url: str, count: int) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-P", BARE, url, str(count)])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
