"""Sessions from start to ticket, a second and each, as the ledger grows."""

from __future__ import annotations

import queue
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from bench import processes
from bench import stage as on_stage
from bench.ours import WITHIN_S
from bench.plan import Plan
from bench.results import Aim, Series, load
from bench.stage import Stage
from evcs.adapters import mqtt
from evcs.adapters.ledger import Ledger
from evcs.adapters.ledger_schema import COLUMNS
from evcs.core import messages as m
from evcs.core import ports, topics, units
from evcs.core.session import Phase, Session

TITLE = "Sessions from start to ticket"
CPS = 20
A_COMMIT = 10_000


def run(plan: Plan) -> list[Series]:
    """Twenty drivers who begin anew with each ticket; Engines that deliver at once."""
    found = []
    first: dict[str, Series] = {}
    for size in (1_000, 2_000) if plan.quick else (1_000, 100_000, 1_000_000):
        rate = Series(size, "sessions", "/s", _flat(first, "rate", upwards=True))
        cost = Series(size, "Central's CPU each", "ms", _flat(first, "cost", upwards=False))
        first.setdefault("rate", rate)
        first.setdefault("cost", cost)
        found += [rate, cost]
        with on_stage.stage(CPS) as there:
            path = there.settings.home.ledger_db
            fill(path, size)
            plain = shutil.copy(path, path.with_name("floor.db"))
            pid = there.start()
            with Table(there) as table:
                for _ in range(plan.runs(size, large=5)):
                    at, cpu = load(), processes.cpu_s(pid)
                    count, took_s = table.play(plan.seconds(4.0))
                    each_ms = (processes.cpu_s(pid) - cpu) / count * 1000
                    rate.add(at, count / took_s, _inserts_a_second(Path(plain), plan.seconds(2.0)))
                    cost.add(at, each_ms)
            plan.say(f"{size:,} in the ledger: {rate.ours[-1]:.0f} a second")
    return found


def _flat(first: dict[str, Series], which: str, upwards: bool) -> Aim:
    """Within 1.2 x of the figure at the first size, where more (or less) is better."""

    def holds(median: float, _: float | None) -> bool:
        base = sorted(first[which].ours)[len(first[which].ours) // 2]
        return median * 1.2 >= base if upwards else median <= base * 1.2

    return Aim("within 1.2 x of the first", holds)


def fill(path: Path, count: int) -> None:
    """A ledger with so many tickets, a minute apart, up to now."""
    ledger, begin = Ledger(path), datetime.now(UTC) - timedelta(minutes=count)
    for start in range(0, count, A_COMMIT):
        rows = (_ticket(n, begin) for n in range(start, min(start + A_COMMIT, count)))
        ledger.commit(rows, [], [])
    ledger.close()


def _ticket(number: int, begin: datetime) -> Session:
    at = (begin + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    session_id = f"{at[2:10].replace('-', '')}-{number:012x}"
    return Session(
        session_id, f"CP-{number % CPS + 1:03d}", f"D-{number % 200}",
        units.DEFAULT_PRICE_EUR_KWH, 20_000, 22_000, at, Phase.SETTLED, 20_000, 60, 0,
        "completed", at, "6.00", f"r-{number}",
    )  # fmt: skip


class Table:
    """Drivers and Engines, in one loop."""

    def __init__(self, there: Stage) -> None:
        self._there, self._number = there, 0
        self._bus: mqtt.Bus
        self._inbox: queue.SimpleQueue[Any]

    def __enter__(self) -> Self:
        wanted = [topics.filter_for(m.Command), topics.filter_for(m.DriverEvent)]
        self._voice = self._there.voice(wanted)
        self._bus, self._inbox = self._voice.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._voice.__exit__(None, None, None)

    def play(self, seconds: float) -> tuple[int, float]:
        """Sessions until the time is over; how many tickets, in how many seconds."""
        began, tickets, under_way = time.monotonic(), 0, len(self._there.cps)
        for cp in self._there.cps:
            self._charge(cp)
        for event in self._heard():
            if isinstance(event, m.Command):
                self._obey(event)
            elif event.event == "ticket":
                tickets += 1
                if time.monotonic() - began < seconds:
                    self._charge(event.driver[2:])
                else:
                    under_way -= 1
            if not under_way:
                break
        return tickets, time.monotonic() - began

    def _heard(self) -> Iterator[m.Command | m.DriverEvent]:
        while True:
            event = self._inbox.get(timeout=WITHIN_S)
            if isinstance(event, ports.Received):
                found = event.message
                if isinstance(found, m.Command) or (
                    isinstance(found, m.DriverEvent) and found.event in ("ticket", "denied")
                ):
                    assert getattr(found, "event", "") != "denied", found
                    yield found

    def _charge(self, cp: str) -> None:
        self._number += 1
        self._bus.publish(m.DriverRequest(f"D-{cp}", "charge", f"q-{self._number}", cp, 20_000))

    def _obey(self, cmd: m.Command) -> None:
        if cmd.verb != "start" or cmd.session_id is None:
            return
        self._bus.publish(m.Reply(cmd.cp, cmd.id, True))
        self._bus.publish(m.SessionEvent(cmd.cp, "started", cmd.session_id, 0, 0))
        self._bus.publish(m.SessionEvent(cmd.cp, "ended", cmd.session_id, 1, 20_000, "completed"))


def _inserts_a_second(path: Path, seconds: float) -> float:
    """Bare inserts into the same table, each a transaction that is on disk."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    places = ", ".join("?" * len(COLUMNS))
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        row = _ticket(count, datetime.now(UTC))._replace(session_id=f"x-{time.monotonic_ns()}")
        db.execute(f"INSERT INTO session VALUES ({places})", row[: len(COLUMNS)])  # noqa: S608
        count += 1
    took_s = time.monotonic() - began
    db.close()
    return count / took_s
