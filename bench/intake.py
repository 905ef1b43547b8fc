"""How many messages a second Central takes in without loss, beside a bare subscriber."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import stage as on_stage
from bench.ours import WITHIN_S
from bench.plan import Plan
from bench.results import Series, load, ratio_at_least
from bench.stage import BOOT, WHO, Stage
from bench.writers import Writer
from evcs.adapters.clock import timestamp
from evcs.adapters.ledger import Ledger
from evcs.adapters.secret_files import SecretFiles
from evcs.cli import prepare
from evcs.core import messages as m
from evcs.core import ports, topics, units
from evcs.core.session import Phase, Session
from evcs.core.topics import Publication

TITLE = "Central's intake"
SUBSCRIBER = Path(__file__).with_name("floor_subscriber.py")
CPS = 200
A_CP = 100
ENERGY_WH = units.MAX_ENERGY_WH


def run(plan: Plan) -> list[Series]:
    """Each writer sends its share of 20,000 and a question last; the answers are the end."""
    found = []
    for writers in (1,) if plan.quick else (1, 4):
        with on_stage.stage(CPS) as there:
            _fill_ledger(there)
            meters, events = Readings(), _events()
            there.start()
            share, each = plan.samples(A_CP), writers
            _check_none_is_lost(there, meters, share, each)
            for what, source in (("meters", meters), ("events", events)):
                series = Series(writers, f"{what}, by number of writers", "/s", ratio_at_least(0.5))
                found.append(series)
                for _ in range(plan.runs(writers)):
                    at = load()
                    mine = _rate(there, source, share, each)
                    theirs = _floor_rate(there, source, share, each)
                    series.add(at, mine, theirs)
                    plan.say(f"{what}: {mine:,.0f} a second, floor {theirs:,.0f}")
    return found


Source = Callable[[int, str, int], Publication]


def _session(number: int, cp: str) -> Session:
    return Session(
        f"261122-{number:012x}", cp, f"D-{cp}", units.DEFAULT_PRICE_EUR_KWH, ENERGY_WH,
        units.DEFAULT_MAX_POWER_W, timestamp(), Phase.SUPPLYING,
    )  # fmt: skip


def _fill_ledger(there: Stage) -> None:
    ledger = Ledger(there.settings.home.ledger_db)
    ledger.commit([_session(n, cp) for n, cp in enumerate(there.cps)], [], [])
    ledger.close()


class Readings:
    """Readings of sessions under way, each a Wh further; `last` has each CP's latest energy."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self._seqs = itertools.count(1)

    def __call__(self, number: int, cp: str, _: int) -> Publication:
        self.last[cp] = seq = next(self._seqs)
        session = _session(number, cp).session_id
        return topics.encode(m.Meter(cp, session, seq, seq, 22_000, 230.0, 31.9), timestamp())


def _events() -> Source:
    """What an Engine tells beside its readings: its status, and that its supply has begun."""

    def make(number: int, cp: str, index: int) -> Publication:
        session = _session(number, cp).session_id
        if index % 2:
            return topics.encode(m.SessionEvent(cp, "started", session, 0, 0), timestamp())
        status = m.EngineStatus(cp, True, BOOT, "supplying", index % 4 == 0, session, None, True)
        return topics.encode(status, timestamp())._replace(retain=False)

    return make


def _writers(there: Stage, source: Source, share: int, count: int) -> list[Writer]:
    """Writers with their publications, and last a question for each."""
    found = []
    secret = SecretFiles(there.settings.home).read(WHO)
    for writer in range(count):
        cps = list(enumerate(there.cps))[writer::count]
        publications = [source(n, cp, index) for index in range(share) for n, cp in cps]
        ping = m.OperatorRequest("operator", "ping", f"w-{writer}-{os.urandom(4).hex()}")
        publications.append(topics.encode(ping, timestamp()))
        found.append(Writer(there.settings.mqtt_port, on_stage.WHO, secret, publications, ping.id))
    return found


def _rate(there: Stage, source: Source, share: int, count: int) -> float:
    """Messages a second until the answer to every writer's question is there."""
    writers = _writers(there, source, share, count)
    with there.voice([topics.filter_for(m.OperatorEvent, asker="operator")]) as (_, inbox):
        began = time.monotonic()
        for writer in writers:
            writer.go()
        missing = {writer.last for writer in writers}
        while missing:
            event = inbox.get(timeout=WITHIN_S)
            if isinstance(event, ports.Received) and isinstance(event.message, m.OperatorEvent):
                missing.remove(event.message.id)
        took_s = time.monotonic() - began
    for writer in writers:
        writer.close()
    return share * len(there.cps) / took_s


def _floor_rate(there: Stage, source: Source, share: int, count: int) -> float:
    """The same messages into a bare subscriber that parses them; Central must not hear them.

    A second tree: Central is subscribed to cp/#, the bare subscriber to bench/#.
    """

    def aside(number: int, cp: str, index: int) -> Publication:
        made = source(number, cp, index)
        return made._replace(topic=made.topic.replace("evcs/v1/cp/", "evcs/v1/bench/"))

    writers = _writers(there, aside, share, count)
    total = share * len(there.cps)
    process = subprocess.Popen(
        [sys.executable, "-P", SUBSCRIBER, on_stage.WHO, "evcs/v1/bench/#", str(total)],
        cwd=there.settings.home.path, env=prepare.environment(there.settings),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    began = time.monotonic()
    for writer in writers:
        writer.go()
    process.stdout.readline()
    took_s = time.monotonic() - began
    process.wait()
    process.stdout.close()
    for writer in writers:
        writer.close()
    return total / took_s


def _check_none_is_lost(there: Stage, readings: Readings, share: int, count: int) -> None:
    """The last reading of each CP is what Central judges by, and it dropped or refused none."""
    with there.voice([topics.filter_for(m.CpState)]) as (_, inbox):
        _rate(there, readings, share, count)
        missing = dict(readings.last)
        while missing:
            event = inbox.get(timeout=WITHIN_S)
            state = event.message if isinstance(event, ports.Received) else None
            if not isinstance(state, m.CpState) or state.session is None:
                continue
            if state.session.energy_wh == missing.get(state.cp):
                del missing[state.cp]
    log = there.log.read_text()
    assert "dropped=" not in log, log
    assert "refused" not in log, log
