"""A site in one process: the real Central and real Engines, a channel between them, one clock.

Each second the channel carries what was said the second before, the Engines tick, Central ticks
twice; then what flows is added up.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from evcs.adapters.ledger import Ledger
from evcs.core import messages as m
from evcs.core.audit import AuditEntry
from evcs.core.charger import EmulatedCharger
from evcs.core.load_management import Site
from evcs.core.ports import Connected, Disconnected, Received
from evcs.core.supply import SupplyPhase
from evcs.services.central.service import Central
from evcs.services.engine import Engine
from tests.unit.fakes import FakeBus, FakeClock, FakeJournal

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
FROM_ENGINE = (m.Meter, m.SessionEvent, m.Reply, m.EngineStatus, m.StationRequest)


class Flow(NamedTuple):
    """What flowed in a circuit in a second; W."""

    second: float
    circuit: str
    power_w: int


class Place:
    """One CP: its Engine, what is on its way to it, what it keeps."""

    def __init__(self, cp: str) -> None:
        self.cp, self.boots = cp, 0
        self.bus, self.journal = FakeBus(), FakeJournal()
        self.charger = EmulatedCharger(1.0)
        self.inbox: list[m.Command | m.StationAnswer] = []
        self.status: m.EngineStatus | None = None
        self.meter: m.Meter | None = None
        self.deaf = self.unheard = False

    def begin(self) -> None:
        """Its process begins."""
        self.boots += 1
        self.charger = EmulatedCharger(1.0)
        log = logging.getLogger("evcs")
        self.engine = Engine(
            self.cp, f"{self.cp}-{self.boots}", self.bus, self.journal, self.charger, log
        )
        self.engine.handle([Connected()])

    @property
    def power_w(self) -> int:
        """What it took in the last second."""
        status, meter = self.status, self.meter
        if status is None or meter is None or status.phase != SupplyPhase.SUPPLYING:
            return 0
        return meter.power_w if meter.session_id == status.session_id else 0


NO_PLACES: Mapping[str, Place] = {}


class PowerSite:
    """Circuits and CPs; `over`: what was above a circuit, and when."""

    def __init__(
        self, folder: Path, circuits: Iterable[m.Circuit], cps: Iterable[m.DesiredCp],
        places: Mapping[str, Place] = NO_PLACES,
    ) -> None:  # fmt: skip
        self.folder, self.clock = folder, FakeClock(1_000.0)
        self.ledger = Ledger(folder / "ledger.db")
        self.circuits = {one.name: one for one in circuits}
        self.desired = {one.cp: one for one in cps}
        self.house: dict[str, int] = {}
        self.places = {cp: places.get(cp) or Place(cp) for cp in self.desired}
        self.flows: list[Flow] = []
        self.bus: FakeBus | None = None
        self.events: list[m.DriverEvent] = []
        self.states: dict[str, m.CpState] = {}
        self.circuit_states: dict[str, m.CircuitState] = {}
        self.connected = True
        self.asked = 0
        self.pass_time(0)
        for place in self.places.values():
            place.begin()
        self.collect()
        self.begin_central()

    def pass_time(self, seconds: float) -> None:
        """The clocks go on."""
        self.clock.now += seconds
        at = MIDNIGHT + timedelta(seconds=self.clock.now)
        self.clock.wall = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def begin_central(self, with_registry: bool = True) -> None:
        """Central begins, or connects anew: it hears all that the broker kept."""
        self.bus = FakeBus()
        birth = m.ServiceStatus("central", True, f"central-{self.clock.now}")
        self.central = Central(self.bus, self.ledger, self.clock, birth)
        of_registry = [
            *self.circuits.values(), *self.desired.values(),
            *(m.DesiredDriver(f"D-{cp}", f"D-{cp}", (f"CARD-{cp}",)) for cp in self.desired),
            m.ServiceStatus("registry", True, "registry"),
        ]  # fmt: skip
        kept: list[Any] = of_registry if with_registry else []
        kept += [place.status for place in self.places.values() if place.status is not None]
        kept += [m.MonitorStatus(cp, True, f"{cp}-m", "ok") for cp in self.desired]
        self.central.handle([Connected(), *(Received(one, True) for one in (*kept, birth))])
        self.collect()

    def end_central(self) -> None:
        """It is killed; what it said is on its way."""
        self.collect()
        self.bus = None

    def cut(self) -> None:
        """The broker is gone: nobody hears anybody."""
        self.connected = False
        if self.bus is not None:
            self.bus.connected = False
            self.central.handle([Disconnected("gone", False)])
        for place in self.places.values():
            place.inbox.clear()
            place.engine.handle([Disconnected("gone", False)])

    def heal(self) -> None:
        """The broker is back, with all that it kept."""
        self.connected = True
        for place in self.places.values():
            place.bus.taken()
            place.engine.handle([Connected()])
        self.collect()
        self.end_central()
        self.begin_central()

    def cut_off(self, cp: str) -> None:
        """A CP alone hears nobody, and nobody hears it; it goes on as it is."""
        place = self.places[cp]
        self.tell(m.EngineStatus(cp, False, f"{cp}-{place.boots}"))
        place.unheard = True
        place.inbox.clear()

    def back(self, cp: str) -> None:
        """It is heard again."""
        place = self.places[cp]
        place.unheard = False
        place.engine.handle([Disconnected("gone", False), Connected()])
        self.collect()

    def kill(self, cp: str) -> None:
        """A CP's Engine is killed, and begins again."""
        place = self.places[cp]
        place.inbox.clear()
        self.tell(m.EngineStatus(cp, False, f"{cp}-{place.boots}"))
        place.begin()
        self.collect()

    def tell(self, *messages: Any) -> None:
        """Somebody says something to Central, at once."""
        for one in messages:
            if isinstance(one, m.Circuit):
                self.circuits[one.name] = one
            elif isinstance(one, m.DesiredCp):
                self.desired[one.cp] = one
        if self.bus is not None and self.connected:
            self.central.handle([Received(one, False) for one in messages])
            self.collect()

    def charge(self, driver: str, cp: str, energy_wh: int = 50_000) -> None:
        """A driver asks for a charge."""
        self.asked += 1
        self.tell(m.DriverRequest(driver, "charge", f"r{self.asked}", cp, energy_wh))

    def stop(self, driver: str) -> None:
        """A driver ends it."""
        self.asked += 1
        self.tell(m.DriverRequest(driver, "stop", f"r{self.asked}"))

    def collect(self) -> None:
        """Take what was said: to Engines it takes until the next second."""
        for place in self.places.values():
            for said in place.bus.taken():
                if isinstance(said, m.EngineStatus):
                    place.status = said
                elif isinstance(said, m.Meter):
                    place.meter = said
                heard = self.bus is not None and self.connected and not place.unheard
                if type(said) in FROM_ENGINE and heard:
                    self.central.handle([Received(said, False)])
        if self.bus is None or not self.connected:
            return
        for said in self.bus.taken():
            if isinstance(said, m.Command):
                place = self.places[said.cp]
                if not (place.unheard or (said.verb == "limit" and place.deaf)):
                    place.inbox.append(said)
            elif isinstance(said, m.StationAnswer):
                self.places[said.cp].inbox.append(said)
            elif isinstance(said, m.DriverEvent):
                self.events.append(said)
            elif isinstance(said, m.CpState):
                self.states[said.cp] = said
            elif isinstance(said, m.CircuitState):
                self.circuit_states[said.name] = said

    def run(self, seconds: int) -> None:
        """Let so many seconds pass."""
        for _ in range(seconds):
            self.pass_time(0.5)
            self._tick_central()
            self.pass_time(0.5)
            for place in self.places.values():
                inbox, place.inbox = place.inbox, []
                if inbox:
                    place.engine.handle([Received(one, False) for one in inbox])
                place.engine.tick(self.clock.now)
            if self.house and self.bus is not None:
                self.tell(*(m.MeterPower(name, w) for name, w in self.house.items()))
            self.collect()
            self._tick_central()
            self._add_up()

    def _tick_central(self) -> None:
        if self.bus is not None:
            self.central.tick(self.clock.now)
            self.collect()

    def _add_up(self) -> None:
        site = Site(self.circuits.values())
        sums = dict.fromkeys(self.circuits, 0)
        for name in self.circuits:
            house = self.house.get(name, self.circuits[name].other_load_w)
            for above in site.path(name):
                sums[above] += house
        for cp, place in self.places.items():
            for above in site.path(self.desired[cp].circuit or ""):
                sums[above] += place.power_w
        self.flows += [Flow(self.clock.now, name, power_w) for name, power_w in sums.items()]

    def ledger_entries(self) -> list[AuditEntry]:
        """The audit."""
        with closing(sqlite3.connect(self.folder / "ledger.db")) as db:
            return [AuditEntry(*row) for row in db.execute("SELECT * FROM audit")]

    def over(self, since: float = 0.0) -> list[Flow]:
        """When more flowed than a circuit carries."""
        return [
            one
            for one in self.flows
            if one.second >= since and one.power_w > self.circuits[one.circuit].max_power_w
        ]

    def powers(self) -> dict[str, int]:
        """What each CP takes."""
        return {cp: place.power_w for cp, place in self.places.items()}
