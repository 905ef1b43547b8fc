"""Real chargers that dial in: connects, heartbeats, readings, memory, a start from afar.

Beside a bare `websockets` server that judges by the same schemas; the same program plays all
chargers, on the same two processors.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from bench import ours, processes
from bench.charging import Driver
from bench.plan import Plan
from bench.results import Series, at_most, load, percentile
from evcs.adapters.secret_files import SecretFiles
from evcs.cli.common import CommandContext
from evcs.config import INSTALL_ROOT
from evcs.core.identities import of_station
from evcs.core.placement import OCPP

TITLE = "Real chargers, OCPP 1.6"
CHARGERS, FLOOR = (Path(__file__).with_name(f"{name}.py") for name in
                   ("ocpp_chargers", "floor_gateway"))  # fmt: skip
SETTLES_S = 3.0
WINDOW_S = 10.0
CALLS = 10
#: Of a charger's two identities on the bus.
IDENTITIES_KIB = 20.0
#: What is measured of either server.
UNITS = {
    "connects": "/s", "heartbeat, p50": "ms", "heartbeat, p95": "ms", "readings": "/s",
    "memory, a charger": "KiB",
}  # fmt: skip


class Chargers:
    """The program that plays chargers, at an address; used as a context."""

    def __init__(self, url: str, lines: list[str]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
            file.write("\n".join(lines))
        self._file = Path(file.name)
        self._process = subprocess.Popen(
            [sys.executable, "-P", CHARGERS, url, self._file], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._file.unlink()

    def do(self, order: str) -> dict[str, Any]:
        """An order and its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        return self.next()

    def next(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found


def run(plan: Plan) -> list[Series]:
    """All connect, then each says the same."""
    found = []
    for size in plan.sizes(1_000, quick=(5,)):
        start = Series(size, "request to RemoteStart, p50", "ms", at_most(10, "ms"))
        pairs = [_pair(plan, size, start) for _ in range(plan.runs(size))]
        bare_kib = statistics.median(bare["memory, a charger"] for _, _, bare in pairs)
        held = at_most(round(1.5 * bare_kib + IDENTITIES_KIB), "KiB")
        for name, unit in UNITS.items():
            one = Series(size, name, unit, held if unit == "KiB" else None)
            for beside, mine, bare in pairs:
                one.add(beside, mine[name], bare[name])
            found.append(one)
        found.append(start)
    return found


def _pair(
    plan: Plan, size: int, start: Series
) -> tuple[float, dict[str, float], dict[str, float]]:  # fmt: skip
    """The load beside it, what ours did, what the bare server did."""
    with _bare() as (url, pid):
        bare = _measure(plan, url, pid, [f"CP-{n} x" for n in range(size)])
    with ours.system() as call:
        ours.command(call, "evcs-cp", "create", f"CP-{{0001..{size:04d}}}", "--hosting", OCPP)
        call.registry.add_driver("BENCH")
        for cp in call.registry.cps():  # whose card is held to it
            call.registry.add_driver(cp["id"])
            call.registry.tag_driver(cp["id"], add_tags=[cp["ocpp_id"]])
        (pid,) = processes.pids(call.settings)["gateway"]
        url = call.settings.ocpp_url
        return load(), _measure(plan, url, pid, _lines(call), (call, start)), bare


def _lines(call: CommandContext) -> list[str]:
    secrets = SecretFiles(call.settings.home)
    return [
        f"{cp['ocpp_id']} {secrets.read(of_station(cp['station']))}" for cp in call.registry.cps()
    ]


def _measure(
    plan: Plan, url: str, pid: int, lines: list[str],
    start: tuple[CommandContext, Series] | None = None,
) -> dict[str, float]:  # fmt: skip
    with Chargers(url, lines) as chargers:
        time.sleep(plan.seconds(SETTLES_S))
        before_mib = processes.pss_mib(pid)
        took_s = float(chargers.do("connect")["took_s"])
        time.sleep(plan.seconds(2 * SETTLES_S))
        held_mib = processes.pss_mib(pid) - before_mib
        beats = chargers.do(f"heartbeat {plan.samples(CALLS)}")
        if start is not None:
            _remote_start(plan, chargers, *start)
        chargers.do("charge")
        readings = float(chargers.do(f"meter {plan.seconds(WINDOW_S):g}")["a_second"])
    figures = (
        len(lines) / took_s, beats["p50_s"] * 1000, beats["p95_s"] * 1000, readings,
        # Of a handful it is less than what a process takes and gives back by itself.
        max(held_mib * 1024 / len(lines), 1.0),
    )  # fmt: skip
    return dict(zip(UNITS, figures, strict=True))


def _remote_start(
    plan: Plan, chargers: Chargers, call: CommandContext, series: Series
) -> None:  # fmt: skip
    """Each at another charger, which takes it and has no car; the driver leaves again."""
    took = []
    with Driver(call, "BENCH") as driver:
        for cp in call.registry.cps()[: plan.samples(20)]:
            began = driver.ask("charge", cp["id"])
            took.append((float(chargers.next()["remote_start_at"]) - began) * 1000)
            driver.ask("stop")
            driver.wait("ticket")
    series.add(load(), percentile(took, 0.5))


@contextmanager
def _bare() -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        [sys.executable, "-P", FLOOR], stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(INSTALL_ROOT)}, cwd=INSTALL_ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield f"ws://127.0.0.1:{process.stdout.readline().strip()}", process.pid
    finally:
        process.kill()
        process.wait()
