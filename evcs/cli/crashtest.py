"""`evcs crashtest`: charge all the time, kill, pause, edit by seed; then compare every Wh and W."""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple

from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.metered import metered as engines_metered
from evcs.cli import cp_changes, supervision
from evcs.cli.common import CommandContext, kw, kwh, table
from evcs.cli.temporary_system import begin
from evcs.cli.trial_circuits import NAMES, TrialCircuits
from evcs.cli.trial_engines import EngineWatch
from evcs.cli.trial_faults import FAULTS, HOST_FAULTS, Round, placed, rounds
from evcs.cli.trial_hosts import Machines, machines
from evcs.cli.trial_injection import Injector, wait_until
from evcs.cli.trial_load import Drivers, StateRecorder
from evcs.cli.trial_power import HOLDS_WITHIN_S, PowerRecorder, PowerSums, figures
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
    two_engines: list[str]

    @property
    def balanced(self) -> bool:
        """Whether every Wh is on exactly one ticket, and no CP had two Engines at once."""
        return not (self.wrong or self.double_tickets or self.open_sessions or self.two_engines)


def run(ctx: CommandContext, seed: int, count: int, cps: int, hosting: str, hosts: int) -> None:
    """The whole trial; exits 1 on any difference. `hosting`: one, or MIXED; `hosts`: so many more.

    Raises EvcsError where other hosts can't be made on this machine.
    """
    with machines(hosts, TIME_SCALE) as made:
        trial = _Trial(CommandContext(made.centre, ctx.out), made, seed, cps, hosting)
        trial.start()
        homes = [settings.home for settings in made.of.values()]
        drawn = rounds(seed, count, trial.cps, NAMES, made.hosts if hosts else ())
        with EngineWatch(homes, trial.cps) as engines:
            outcome = [trial.round(n, one) for n, one in enumerate(drawn, 1)]
            power = trial.settle()
        books = compare(homes, engines.doubled)
    _report(ctx, seed, outcome, books, power)
    if not (books.balanced and power.held and all(row["ok"] for row in outcome)):
        raise SystemExit(1)


class _Trial:
    def __init__(
        self, ctx: CommandContext, made: Machines, seed: int, count: int, hosting: str
    ) -> None:
        self._ctx, self._machines, self._seed = ctx, made, seed
        self.cps = [f"CP-{number:03d}" for number in range(1, count + 1)]
        every = itertools.cycle(EMULATED if hosting == MIXED else [hosting])
        self._hostings = dict(zip(self.cps, every, strict=False))
        self._circuits: TrialCircuits
        self._injector: Injector
        self._drivers: Drivers
        self._watch: StateRecorder
        self._power: PowerRecorder

    def start(self) -> None:
        begin(self._ctx)
        self._machines.join(self._ctx)
        self._circuits = TrialCircuits(self._ctx.settings, self._ctx.registry, self.cps)
        self._circuits.make()
        self._injector = Injector(self._ctx, self._machines, self._circuits)
        circuit_of, host_of = self._circuits.of_cp, placed(self.cps, self._machines.hosts)
        self._ctx.registry.create_many(
            [{"id": cp, "hosting": hosting, "circuit": circuit_of[cp], "host": host_of[cp]}
             for cp, hosting in self._hostings.items()]
        )  # fmt: skip
        names = [f"D-{number:03d}" for number in range(1, len(self.cps) + 1)]
        for name in names:
            self._ctx.registry.add_driver(name)
        wait_until("the fleet is up", self._all_well, BACK_WITHIN_S)
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
            self._injector.inject(one)
            wait_until("it is seen", lambda: self._seen(one), SEEN_WITHIN_S)
            wait_until("all is back", self._all_well, BACK_WITHIN_S)
        except TimedOut:
            ok = False
        took = time.monotonic() - began - one.pause_s
        self._power.add_up()
        pause = f" for {one.pause_s} s" if one.pause_s else ""
        goal = f" to {one.goal}" if one.goal else ""
        word = f"back in {took:.1f} s" if ok else "NOT BACK"
        self._ctx.out.say(f"{number:3d}  {one.fault.name} {one.target}{goal}{pause}: {word}")
        return {"round": number, "fault": one.fault.name, "target": one.target, "ok": ok,
                "pause_s": one.pause_s, "back_s": round(took, 2)}  # fmt: skip

    def settle(self) -> PowerSums:
        """No new charges; wait for the last ticket; what flowed."""
        self._drivers.stop_charging()
        self._circuits.full()
        reader = LedgerReader(self._ctx.settings.home.ledger_db)
        with suppress(TimedOut):
            wait_until(
                "every session is settled",
                lambda: all(s["state"] == "settled" for s in reader.sessions(limit=10**6)),
                SETTLED_WITHIN_S,
            )
        self._drivers.close()
        self._watch.close()
        self._circuits.close()
        self._power.close()
        for settings in self._machines.of.values():
            supervision.stop(settings)
        return self._power.sums

    def _seen(self, one: Round) -> bool:
        must_see = one.fault.must_see
        return must_see is None or must_see in self._watch.saw(one.target.partition(":")[0])

    def _all_well(self) -> bool:
        with suppress(EvcsError):
            found = cp_changes.read(self._ctx)
            states = {cp["id"]: cp["state"] for cp in found}
            return all(states.get(cp) in ("ACTIVATED", "SUPPLYING") for cp in self.cps)
        return False


def compare(homes: Sequence[Home], two_engines: set[str]) -> Balance:
    """Session by session: what the Engine metered against the ticket in the first one's ledger."""
    metered: Counter[str] = Counter()
    for home in homes:
        metered |= Counter(engines_metered(home))
    ledger = LedgerReader(homes[0].ledger_db)
    found = {one["session_id"]: one for one in ledger.sessions(limit=10**6)}
    settled = {key: one["energy_wh"] for key, one in found.items() if one["state"] == "settled"}
    wrong = [
        {"session_id": key, "metered_wh": metered.get(key, 0), "ticket_wh": settled.get(key)}
        for key in sorted(metered.keys() | settled.keys())
        if metered.get(key, 0) != settled.get(key)
    ]
    return Balance(
        len(found), len(found) - len(settled), sum(metered.values()), sum(settled.values()),
        wrong, _double_tickets(homes[0]), sorted(two_engines),
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
    for fault in FAULTS + HOST_FAULTS:
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
        f"CPs with 2 Engines  {len(books.two_engines)}",
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
