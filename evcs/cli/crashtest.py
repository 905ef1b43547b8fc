"""`evcs crashtest`: charge all the time, kill, pause, edit by seed; then compare every Wh and W."""

from __future__ import annotations

import itertools
import os
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
from evcs.cli.common import CommandContext, kw, kwh, table
from evcs.cli.temporary_system import begin, pid_of, temporary_system
from evcs.cli.trial_circuits import NAMES, TrialCircuits
from evcs.cli.trial_faults import FAULTS, Round, rounds
from evcs.cli.trial_load import Drivers, StateRecorder
from evcs.cli.trial_power import HOLDS_WITHIN_S, PowerRecorder, PowerSums, figures
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


class Balance(NamedTuple):
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
        drawn = rounds(seed, count, trial.cps, NAMES)
        outcome = [trial.round(n, one) for n, one in enumerate(drawn, 1)]
        power = trial.settle()
        books = compare(settings.home)
    _report(ctx, seed, outcome, books, power)
    if not (books.balanced and power.held and all(row["ok"] for row in outcome)):
        raise SystemExit(1)


class _Trial:
    def __init__(self, ctx: CommandContext, seed: int, count: int, hosting: str) -> None:
        self._ctx, self._seed = ctx, seed
        self.cps = [f"CP-{number:03d}" for number in range(1, count + 1)]
        every = itertools.cycle(EMULATED if hosting == MIXED else [hosting])
        self._hostings = dict(zip(self.cps, every, strict=False))
        #: Of those in pools, what the group of its processes is.
        self._units: dict[str, str] = {}
        self._circuits: TrialCircuits
        self._drivers: Drivers
        self._watch: StateRecorder
        self._power: PowerRecorder

    def start(self) -> None:
        begin(self._ctx)
        self._circuits = TrialCircuits(self._ctx.settings, self._ctx.registry, self.cps)
        self._circuits.make()
        circuit_of = self._circuits.of_cp
        made = self._ctx.registry.create_many(
            [{"id": cp, "hosting": hosting, "circuit": circuit_of[cp]}
             for cp, hosting in self._hostings.items()]
        )  # fmt: skip
        self._units = {cp["id"]: unit(cp) for cp in made}
        names = [f"D-{number:03d}" for number in range(1, len(self.cps) + 1)]
        for name in names:
            self._ctx.registry.add_driver(name)
        self._wait("the fleet is up", self._all_well, BACK_WITHIN_S)
        self._drivers = Drivers(
            self._ctx.settings, dict(zip(names, self.cps, strict=True)), self._seed
        )
        self._power = PowerRecorder(self._ctx.settings)
        self._circuits.begin()
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
        self._power.add_up()
        pause = f" for {one.pause_s} s" if one.pause_s else ""
        word = f"back in {took:.1f} s" if ok else "NOT BACK"
        self._ctx.out.say(f"{number:3d}  {one.fault.name} {one.target}{pause}: {word}")
        return {"round": number, "fault": one.fault.name, "target": one.target, "ok": ok,
                "pause_s": one.pause_s, "back_s": round(took, 2)}  # fmt: skip

    def settle(self) -> PowerSums:
        """No new charges; wait for the last ticket; what flowed."""
        self._drivers.stop_charging()
        self._circuits.full()
        reader = LedgerReader(self._ctx.settings.home.ledger_db)
        with suppress(TimedOut):
            self._wait(
                "every session is settled",
                lambda: all(s["state"] == "settled" for s in reader.sessions(limit=10**6)),
                SETTLED_WITHIN_S,
            )
        self._drivers.close()
        self._watch.close()
        self._circuits.close()
        self._power.close()
        supervision.stop(self._ctx.settings)
        return self._power.sums

    def _inject(self, one: Round) -> None:
        settings = self._ctx.settings
        if one.fault.targets == "everything":
            supervision.kill_everything(settings)
            supervision.start(settings, lambda _: None)
            return
        if one.fault.targets in ("circuit", "house"):
            self._change(one)
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

    def _change(self, one: Round) -> None:
        """Other limits; nothing else is done until they are to hold."""
        if one.fault.targets == "circuit":
            self._circuits.edit(one.target, one.share)
        else:
            self._circuits.house(one.share)
        self._drivers.let_run(HOLDS_WITHIN_S + 2)

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


def compare(home: Home) -> Balance:
    """Session by session: what the Engine metered against the ledger's ticket."""
    metered = engines_metered(home)
    found = {one["session_id"]: one for one in LedgerReader(home.ledger_db).sessions(limit=10**6)}
    settled = {key: one["energy_wh"] for key, one in found.items() if one["state"] == "settled"}
    wrong = [
        {"session_id": key, "metered_wh": metered.get(key, 0), "ticket_wh": settled.get(key)}
        for key in sorted(metered.keys() | settled.keys())
        if metered.get(key, 0) != settled.get(key)
    ]
    return Balance(
        len(found), len(found) - len(settled), sum(metered.values()), sum(settled.values()),
        wrong, _double_tickets(home),
    )  # fmt: skip


def _double_tickets(home: Home) -> int:
    """Sessions for which the audit has more than one ticket."""
    with closing(sqlite3.connect(f"{home.ledger_db.as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT detail FROM audit WHERE what = 'ticket'").fetchall()
    counts = Counter(detail.split()[0] for (detail,) in rows)
    return sum(count > 1 for count in counts.values())


def _report(
    ctx: CommandContext, seed: int, outcome: list[dict[str, Any]], books: Balance, power: PowerSums
) -> None:
    rows = []
    for fault in FAULTS:
        mine = [row for row in outcome if row["fault"] == fault.name]
        if mine:
            times = [row["back_s"] for row in mine]
            rows.append(
                (fault.name, fault.expected, f"{sum(row['ok'] for row in mine)} of {len(mine)}",
                 f"{statistics.median(times):.1f}", f"{max(times):.1f}")
            )  # fmt: skip
    lines = table(("FAULT", "WHAT MUST HAPPEN", "DID", "BACK P50 S", "LONGEST S"), rows)
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
        f"readings of power   {power.readings}",
        *(f"most in {name:11} {kw(most_w)}" for name, most_w in sorted(power.most_w.items())),
        f"above a limit       {len(power.over)} readings, {HOLDS_WITHIN_S:g} s after that fell",
    ]
    for one in books.wrong[:10]:
        lines.append(f"  {one['session_id']}: {one['metered_wh']} Wh, ticket {one['ticket_wh']}")
    for over in power.over[:10]:
        lines.append(f"  {over.circuit}: {kw(over.power_w)} where it carried {kw(over.carried_w)}")
    found = {"seed": seed, "rounds": outcome, **books._asdict(), "power": figures(power)}
    ctx.out.data(found, lines)
