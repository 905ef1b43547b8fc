"""The real Central and the real Engine, with a channel between them that loses, doubles and
reorders what they say, while either is killed at any moment.

Within one connection statuses keep their order, as one topic's messages do on a broker;
commands, replies, readings and session events don't.
"""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from evcs.adapters.journal import Journal
from evcs.core import messages as m
from evcs.core.charger import EmulatedCharger
from evcs.core.ports import Connected, Disconnected, Received
from evcs.core.session import Phase
from evcs.core.units import cost_eur
from evcs.services.central.service import Central
from evcs.services.engine import Engine
from tests.unit.fakes import FakeBus, FakeClock
from tests.unit.ledger_machine import CP, LedgerMachine

SPEED = 200.0
DESIRED = m.DesiredCp(CP, CP, "in", "0.30", 22_000, "", "main", False, False, 1)
FROM_ENGINE = (m.Meter, m.SessionEvent, m.Reply, m.EngineStatus)


class Sessions(LedgerMachine):
    """One CP, one driver, Central, and a bad channel."""

    def __init__(self) -> None:
        super().__init__(FakeClock(1_000.0))
        self.journal, self.boots = self.folder / "journal.jsonl", 0
        self.opened: list[Journal] = []
        self.to_central: list[Any] = []
        self.to_engine: list[Any] = []
        self.retained: m.EngineStatus | None = None
        self.highest: dict[str, int] = {}
        self.figures: dict[str, int] = {}
        self.engine_bus, self.central_bus = FakeBus(), FakeBus()
        self.begin_central()
        self.begin_engine()
        self.deliver_all()

    def begin_central(self) -> None:
        self.birth = m.ServiceStatus("central", True, f"central-{self.clock.now}")
        self.central = Central(self.central_bus, self.ledger, self.clock, self.birth)
        self.greet_central()

    def greet_central(self) -> None:
        """A new connection: what the broker kept, then Central's own birth."""
        self.to_central.clear()
        monitor = m.MonitorStatus(CP, True, "monitor", "ok")
        kept: list[Any] = [
            DESIRED,
            monitor,
            *([self.retained] if self.retained else []),
            self.birth,
        ]
        self.central.handle([Connected(), *(Received(one, True) for one in kept)])
        self.collect()

    def begin_engine(self) -> None:
        self.boots += 1
        self.boot = f"engine-{self.boots}"
        charger = EmulatedCharger(SPEED)
        self.give_back_journal()
        journal = Journal(self.journal)
        self.opened = [journal]
        log = logging.getLogger("evcs")
        self.engine = Engine(CP, self.boot, self.engine_bus, journal, charger, log)
        self.greet_engine()

    def give_back_journal(self) -> None:
        """As the end of the Engine's process does."""
        for journal in self.opened:
            journal.close()
        self.opened = []

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.give_back_journal()

    def greet_engine(self) -> None:
        self.to_engine.clear()
        self.engine.handle([Connected()])
        self.collect()

    def collect(self) -> None:
        """Take over what both said to each other."""
        self.to_central += [one for one in self.engine_bus.taken() if type(one) in FROM_ENGINE]
        self.to_engine += [one for one in self.central_bus.taken() if type(one) is m.Command]

    @rule(seconds=st.integers(1, 3))
    def tick(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1
            self.engine.tick(self.clock.now)
            self.central.tick(self.clock.now)
            self.collect()

    @rule(seconds=st.sampled_from([5, 20, 40, 3_600]))
    def freeze(self, seconds: int) -> None:
        self.clock.now += seconds

    @precondition(lambda self: self.central.fleet.open)
    @rule()
    def close(self) -> None:
        """The operator settles it at what was metered last, whatever its Engine does."""
        (session_id,) = self.central.fleet.open
        asked = m.OperatorRequest("operator", "close", "c", session_id=session_id)
        self.central.handle([Received(asked, False)])
        self.collect()

    @rule(verb=st.sampled_from(["unplug", "fault", "clear"]))
    def simulate(self, verb: str) -> None:
        self.engine.handle([Received(m.Command(CP, verb, "hand"), False)])
        self.collect()

    @precondition(lambda self: self.to_central)
    @rule(which=st.integers(0, 20))
    def deliver_to_central(self, which: int) -> None:
        index = which % len(self.to_central)
        if isinstance(self.to_central[index], m.EngineStatus):
            index = next(
                i for i, one in enumerate(self.to_central) if isinstance(one, m.EngineStatus)
            )
        self.hear(self.to_central.pop(index))

    @precondition(lambda self: self.to_engine)
    @rule(which=st.integers(0, 20))
    def deliver_to_engine(self, which: int) -> None:
        command = self.to_engine.pop(which % len(self.to_engine))
        self.engine.handle([Received(command, False)])
        self.collect()

    @precondition(lambda self: self.to_central)
    @rule(which=st.integers(0, 20))
    def double_to_central(self, which: int) -> None:
        message = self.to_central[which % len(self.to_central)]
        if not isinstance(message, m.EngineStatus):
            self.to_central.append(message)

    @precondition(lambda self: self.to_engine)
    @rule(which=st.integers(0, 20))
    def double_to_engine(self, which: int) -> None:
        self.to_engine.append(self.to_engine[which % len(self.to_engine)])

    @precondition(lambda self: self.to_engine)
    @rule(which=st.integers(0, 20))
    def lose_to_engine(self, which: int) -> None:
        self.to_engine.pop(which % len(self.to_engine))

    @precondition(lambda self: self.to_central)
    @rule(which=st.integers(0, 20))
    def lose_to_central(self, which: int) -> None:
        index = which % len(self.to_central)
        if not isinstance(self.to_central[index], m.EngineStatus):
            self.to_central.pop(index)

    @rule()
    def deliver_all(self) -> None:
        while self.to_central or self.to_engine:
            if self.to_central:
                self.hear(self.to_central.pop(0))
            if self.to_engine:
                self.deliver_to_engine(0)

    @rule()
    def kill_the_engine(self) -> None:
        """What it said and the broker has, still arrives; then its will."""
        self.to_central = [one for one in self.to_central if isinstance(one, m.EngineStatus)]
        self.to_central.append(m.EngineStatus(CP, False, self.boot))
        self.begin_engine()

    @rule()
    def cut_the_engines_connection(self) -> None:
        self.engine.handle([Disconnected("cut", False)])
        self.to_central.append(m.EngineStatus(CP, False, self.boot))
        self.greet_engine()

    @rule()
    def kill_central(self) -> None:
        """Live figures are written each 5 s, so it may know less than it did; a ticket never."""
        self.keep_last_status()
        self.figures.clear()
        self.central_bus.taken()
        self.begin_central()

    @rule()
    def cut_centrals_connection(self) -> None:
        self.keep_last_status()
        self.central.handle([Disconnected("cut", False)])
        self.greet_central()

    def keep_last_status(self) -> None:
        """The broker keeps the last status, whoever was there to hear it."""
        statuses = [one for one in self.to_central if isinstance(one, m.EngineStatus)]
        self.retained = statuses[-1] if statuses else self.retained

    def hear(self, message: Any) -> None:
        if isinstance(message, m.EngineStatus):
            self.retained = message
        self.central.handle([Received(message, False)])
        self.collect()

    def metered(self) -> dict[str, int]:
        """What the charger metered, by session, from its journal: all its supplies together."""
        found: dict[str, int] = {}
        before: dict[str, Any] = {}
        for line in self.journal.read_text().splitlines():
            record = json.loads(line)
            session_id, energy_wh = record["session_id"], record["energy_wh"]
            if session_id is not None:
                same = session_id == before.get("session_id")
                known = before["energy_wh"] if same else 0
                found[session_id] = found.get(session_id, 0) + energy_wh - known
            before = record
        return found

    @invariant()
    def one_session_is_open_at_most(self) -> None:
        assert sum(row["state"] != "settled" for row in self.rows().values()) <= 1

    @invariant()
    def energy_never_falls(self) -> None:
        for session_id, session in self.central.fleet.open.items():
            assert session.energy_wh >= self.figures.get(session_id, 0)
            self.figures[session_id] = session.energy_wh
            self.highest[session_id] = max(session.energy_wh, self.highest.get(session_id, 0))
        for session_id, row in self.settled.items():
            assert "corrects" in row or row["energy_wh"] >= self.highest.get(session_id, 0)

    def all_comes_right_once_messages_flow(self) -> None:
        self.deliver_all()
        self.simulate("clear")
        for _ in range(400):
            if not self.central.fleet.open and self.retained and not self.retained.session_id:
                break
            self.tick(1)
            self.deliver_all()
        else:
            raise AssertionError(f"never settled: {self.central.fleet.open} {self.retained}")
        self.a_settled_session_never_changes_and_none_is_lost()
        rows = self.rows()
        assert self.settled.keys() == rows.keys()
        tickets: dict[str, int] = {}
        for session_id, row in rows.items():
            ticket = row.get("corrects", session_id)
            tickets[ticket] = tickets.get(ticket, 0) + row["energy_wh"]
        metered = self.metered()
        assert {one: wh for one, wh in tickets.items() if wh} == {
            one: wh for one, wh in metered.items() if wh
        }
        for session_id, row in self.settled.items():
            assert row["state"] == Phase.SETTLED
            if "corrects" not in row:
                more = rows.get(f"{session_id}.correction", {"cost_eur": "0.00"})["cost_eur"]
                in_all = Decimal(row["cost_eur"]) + Decimal(more)
                assert str(in_all) == cost_eur(tickets[session_id], "0.30")


def scenario() -> tuple[Sessions, m.Command]:
    """A session that is over and settled, and its start command, which comes once more."""
    sim = Sessions()
    sim.charge(2_000)
    start = sim.to_engine[0]
    sim.deliver_all()
    for _ in range(20):
        sim.tick(1)
        sim.deliver_all()
    assert [row["state"] for row in sim.rows().values()] == ["settled"]
    return sim, start


def test_a_start_that_comes_again_after_all_is_settled_supplies_nothing() -> None:
    sim, start = scenario()
    sim.to_engine.append(start)
    sim.deliver_to_engine(0)
    for _ in range(3):
        sim.tick(1)
    sim.teardown()


def test_a_start_that_is_overtaken_by_its_stop_supplies_nothing() -> None:
    sim = Sessions()
    sim.charge(2_000)
    start = sim.to_engine.pop()
    sim.stop()
    sim.deliver_all()
    sim.to_engine.append(start)
    sim.deliver_to_engine(0)
    for _ in range(3):
        sim.tick(1)
    sim.teardown()


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
