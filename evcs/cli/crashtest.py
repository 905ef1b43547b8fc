"""`evcs crashtest`: charge all the time, kill and pause by seed, then compare every Wh."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, NamedTuple

from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.metered import metered as engines_metered
from evcs.cli import cp_changes, supervision
from evcs.cli.check import unit
from evcs.cli.common import CommandContext, kwh, table
from evcs.cli.temporary_system import pid_of, temporary_system
from evcs.cli.trial_load import Drivers, StateRecorder
from evcs.core import sections
from evcs.core.errors import EvcsError, TimedOut
from evcs.core.placement import EMULATED
from evcs.home import Home

TIME_SCALE = 60.0
BACK_WITHIN_S = 90.0
SEEN_WITHIN_S = 10.0
SETTLED_WITHIN_S = 120.0
#: Every second CP in a pool.
MIXED = "mixed"
SERVICES = ("mosquitto", "central", "registry", "cp-manager", "web")


class Fault(NamedTuple):
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
    Fault("kill engine", "engine", None, "BROKEN_DOWN, back, session goes on", "BROKEN_DOWN"),
    Fault("kill monitor", "monitor", None, "DISCONNECTED, back, charge goes on", "DISCONNECTED"),
    Fault(
        "pause engine",
        "engine",
        (5, 22),
        "silent, interrupted, goes on or power_loss",
        "BROKEN_DOWN",
    ),
    Fault("pause monitor", "monitor", (2, 8), "charge goes on"),
    *(Fault(f"kill {name}", name, None, "charges go on, it is back") for name in SERVICES[:4]),
    Fault("pause central", "central", (2, 8), "charges go on"),
    Fault("pause mosquitto", "mosquitto", (2, 6), "charges go on"),
    Fault("kill supervisord", "supervisord", None, "nothing left behind, all back after up"),
    Fault("power cut", "everything", None, "all back after up, sessions go on"),
)


class Round(NamedTuple):
    """One fault as it was injected."""

    fault: Fault
    target: str
    pause_s: float
    then_s: float


def rounds(seed: int, count: int, cps: list[str]) -> list[Round]:
    """The faults of a run; the same seed gives the same."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        fault = dice.choice(FAULTS)
        cp = dice.choice(cps)
        target = (
            f"{cp}:{fault.targets}" if fault.targets in ("engine", "monitor") else fault.targets
        )
        pause = round(dice.uniform(*fault.pause_s), 1) if fault.pause_s else 0.0
        found.append(Round(fault, target, pause, round(dice.uniform(0.2, 2.5), 1)))
    return found


class Books(NamedTuple):
    """What was metered (by the Engines' own journals and logs) against what is on tickets."""

    sessions: int
    open_sessions: int
    metered_wh: int
    ticket_wh: int
    wrong: list[dict[str, Any]]
    double_tickets: int

    @property
    def balanced(self) -> bool:
        """Whether every Wh is on exactly one ticket."""
        return not (self.wrong or self.double_tickets or self.open_sessions)


def run(ctx: CommandContext, seed: int, count: int, cps: int, hosting: str) -> None:
    """The whole trial; exits 1 on any difference. `hosting`: one, or MIXED."""
    with temporary_system(TIME_SCALE) as settings:
        own = CommandContext(settings, ctx.out)
        trial = _Trial(own, seed, cps, hosting)
        trial.start()
        outcome = [trial.round(n, one) for n, one in enumerate(rounds(seed, count, trial.cps), 1)]
        trial.settle()
        books = compare(settings.home)
    _report(ctx, seed, outcome, books)
    if not books.balanced or not all(row["ok"] for row in outcome):
        raise SystemExit(1)


class _Trial:
    def __init__(self, ctx: CommandContext, seed: int, count: int, hosting: str) -> None:
        self._ctx, self._seed = ctx, seed
        self.cps = [f"CP-{number:03d}" for number in range(1, count + 1)]
        every = itertools.cycle(EMULATED if hosting == MIXED else [hosting])
        self._hostings = dict(zip(self.cps, every, strict=False))
        #: Of those in pools, what the group of its processes is.
        self._units: dict[str, str] = {}
        self._drivers: Drivers
        self._watch: StateRecorder

    def start(self) -> None:
        supervision.start(self._ctx.settings, lambda _: None)
        made = self._ctx.registry.create_many(
            [{"id": cp, "hosting": hosting} for cp, hosting in self._hostings.items()]
        )
        self._units = {cp["id"]: unit(cp) for cp in made}
        names = [f"D-{number:03d}" for number in range(1, len(self.cps) + 1)]
        for name in names:
            self._ctx.registry.add_driver(name)
        self._wait("the fleet is up", self._all_well, BACK_WITHIN_S)
        self._drivers = Drivers(
            self._ctx.settings, dict(zip(names, self.cps, strict=True)), self._seed
        )
        self._drivers.start()
        self._watch = StateRecorder(self._ctx.settings)

    def round(self, number: int, one: Round) -> dict[str, Any]:
        """Inject a fault and see everything back."""
        self._drivers.let_run(one.then_s)
        self._watch.forget()
        began = time.monotonic()
        ok = True
        try:
            self._inject(one)
            self._wait("it is seen", lambda: self._seen(one), SEEN_WITHIN_S)
            self._wait("all is back", self._all_well, BACK_WITHIN_S)
        except TimedOut:
            ok = False
        took = time.monotonic() - began - one.pause_s
        pause = f" for {one.pause_s} s" if one.pause_s else ""
        word = f"back in {took:.1f} s" if ok else "NOT BACK"
        self._ctx.out.say(f"{number:3d}  {one.fault.name} {one.target}{pause}: {word}")
        return {"round": number, "fault": one.fault.name, "target": one.target, "ok": ok,
                "pause_s": one.pause_s, "back_s": round(took, 2)}  # fmt: skip

    def settle(self) -> None:
        """No new charges; wait for the last ticket."""
        self._drivers.stop_charging()
        reader = LedgerReader(self._ctx.settings.home.ledger_db)
        with suppress(TimedOut):
            self._wait(
                "every session is settled",
                lambda: all(s["state"] == "settled" for s in reader.sessions(limit=10**6)),
                SETTLED_WITHIN_S,
            )
        self._drivers.close()
        self._watch.close()
        supervision.stop(self._ctx.settings)

    def _inject(self, one: Round) -> None:
        settings = self._ctx.settings
        if one.fault.targets == "everything":
            supervision.kill_everything(settings)
            supervision.start(settings, lambda _: None)
            return
        target = self._process(one.target)
        pid = pid_of(settings, target)
        if pid is None:
            return
        with suppress(ProcessLookupError):
            if one.pause_s:
                os.kill(pid, signal.SIGSTOP)
                self._drivers.let_run(one.pause_s)
                os.kill(pid, signal.SIGCONT)
            else:
                os.kill(pid, signal.SIGKILL)
        if one.target == "supervisord":
            self._wait("it is gone", lambda: supervision.running(settings) is None, 10)
            self._wait("its children are gone", lambda: self._start_again(settings), 30)
        elif not one.pause_s:
            was = (None, pid)
            self._wait("it is back", lambda: pid_of(settings, target) not in was, 60)

    def _process(self, target: str) -> str:
        """The process that plays a CP's role, or the service."""
        cp, _, role = target.partition(":")
        if not role:
            return target
        return f"{self._units[cp]}:{sections.process(self._units[cp], role)}"

    def _seen(self, one: Round) -> bool:
        must_see = one.fault.must_see
        return must_see is None or must_see in self._watch.saw(one.target.partition(":")[0])

    def _start_again(self, settings: Any) -> bool:
        with suppress(EvcsError):
            return supervision.start(settings, lambda _: None)
        return False

    def _all_well(self) -> bool:
        with suppress(EvcsError):
            found = cp_changes.read(self._ctx)
            states = {cp["id"]: cp["state"] for cp in found}
            return all(states.get(cp) in ("ACTIVATED", "SUPPLYING") for cp in self.cps)
        return False

    def _wait(self, what: str, done: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            if time.monotonic() > deadline:
                raise TimedOut(f"not within {within_s:g} s: {what}")
            time.sleep(0.1)


def compare(home: Home) -> Books:
    """Session by session: what the Engine metered against the ledger's ticket."""
    metered = engines_metered(home)
    found = {one["session_id"]: one for one in LedgerReader(home.ledger_db).sessions(limit=10**6)}
    settled = {key: one["energy_wh"] for key, one in found.items() if one["state"] == "settled"}
    wrong = [
        {"session_id": key, "metered_wh": metered.get(key, 0), "ticket_wh": settled.get(key)}
        for key in sorted(metered.keys() | settled.keys())
        if metered.get(key, 0) != settled.get(key)
    ]
    return Books(
        len(found), len(found) - len(settled), sum(metered.values()), sum(settled.values()),
        wrong, _double_tickets(home),
    )  # fmt: skip


def _double_tickets(home: Home) -> int:
    """Sessions for which the audit has more than one ticket."""
    with closing(sqlite3.connect(f"{home.ledger_db.as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT detail FROM audit WHERE what = 'ticket'").fetchall()
    counts = Counter(detail.split()[0] for (detail,) in rows)
    return sum(count > 1 for count in counts.values())


def _report(ctx: CommandContext, seed: int, outcome: list[dict[str, Any]], books: Books) -> None:
    rows = []
    for fault in FAULTS:
        mine = [row for row in outcome if row["fault"] == fault.name]
        if mine:
            times = [row["back_s"] for row in mine]
            rows.append(
                (fault.name, fault.expected, f"{sum(row['ok'] for row in mine)} of {len(mine)}",
                 f"{statistics.median(times):.1f}", f"{max(times):.1f}")
            )  # fmt: skip
    lines = table(("FAULT", "WHAT MUST HAPPEN", "DID", "BACK P50 S", "MAX S"), rows)
    lines += [
        "",
        f"seed {seed}, {len(outcome)} rounds",
        f"sessions            {books.sessions}",
        f"still open          {books.open_sessions}",
        f"metered             {kwh(books.metered_wh)}",
        f"on tickets          {kwh(books.ticket_wh)}",
        f"difference          {books.ticket_wh - books.metered_wh} Wh",
        f"sessions that differ {len(books.wrong)}",
        f"double tickets      {books.double_tickets}",
    ]
    for one in books.wrong[:10]:
        lines.append(f"  {one['session_id']}: {one['metered_wh']} Wh, ticket {one['ticket_wh']}")
    ctx.out.data({"seed": seed, "rounds": outcome, **books._asdict()}, lines)
