"""Charges that began at a real charger, live and told late, put to the real Central and ledger.

The charger has a register, goes offline and comes back, and speaks through what a gateway does for
it: a start is told again until it is answered, an end until it is settled, and each may be lost,
doubled or overtaken. Central is killed at any moment, prices change, and the operator closes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from evcs.core import messages as m
from evcs.core.placement import OCPP
from evcs.core.ports import Connected, Received
from evcs.core.prices import price_at
from evcs.core.session import Phase
from evcs.core.units import cost_eur
from evcs.services.central.service import Central
from tests.unit.fakes import FakeBus, FakeClock
from tests.unit.ledger_machine import CP, LedgerMachine

FIRST = m.DesiredCp(
    CP, CP, "in", "0.30", 22_000, "", "main", False, False, 1, hosting=OCPP,
    prices=(("2026-01-01T00:00:00.000Z", "0.30"),),
)  # fmt: skip
NOBODYS = "CARD-OF-NOBODY"
BOB = m.DesiredDriver("BOB", "BOB", ("BobsCard",))
REGISTRY = m.ServiceStatus("registry", True, "registry", "1")


class Charge(NamedTuple):
    """What the charger knows of one: register values in Wh. `session_id`: Central's, once told."""

    number: int
    tag: str
    at: str
    begin_wh: int
    offline: bool
    session_id: str | None = None
    end_wh: int | None = None
    seq: int = 0
    settled: bool = False


class Charger:
    """A charger and its gateway: `said` is what is on its way to Central."""

    def __init__(self) -> None:
        self.register_wh = 1_000_000
        self.online = True
        self.charges: list[Charge] = []
        self.said: list[Any] = []
        #: To a command that comes twice the same is said twice.
        self.replies: dict[str, bool] = {}

    @property
    def current(self) -> Charge | None:
        """The charge under way."""
        last = self.charges[-1] if self.charges else None
        return last if last is not None and last.end_wh is None else None

    def begin(self, tag: str, at: str) -> None:
        """A car is plugged in, and a card held to it."""
        number = len(self.charges)
        self.charges.append(Charge(number, tag, at, self.register_wh, not self.online))

    def end(self) -> None:
        """The car is unplugged."""
        if self.current is not None:
            self._know(self.current, end_wh=self.register_wh)
            self.tell_status()

    def draw(self, energy_wh: int) -> None:
        """Energy flows."""
        charge = self.current
        if charge is None:
            return
        self.register_wh += energy_wh
        charge = self._know(charge, seq=charge.seq + 1)
        if self.online and charge.session_id:
            metered = self.register_wh - charge.begin_wh
            self.said.append(
                m.Meter(CP, charge.session_id, charge.seq, metered, 7_000, 230.0, 30.0)
            )

    def tell(self) -> None:
        """All that is not answered or settled, in its order."""
        if not self.online:
            return
        for charge in self.charges:
            if charge.session_id is None:
                late = charge.offline or charge.end_wh is not None
                self.said.append(
                    m.StationRequest(CP, f"start-{charge.number}", "start", charge.tag, charge.at,
                                     charge.begin_wh, late)
                )  # fmt: skip
            elif charge.end_wh is not None and not charge.settled:
                energy_wh = charge.end_wh - charge.begin_wh
                self.said.append(
                    m.SessionEvent(
                        CP, "ended", charge.session_id, charge.seq + 1, energy_wh, "Local"
                    )
                )

    def tell_status(self) -> None:
        """What it is doing."""
        charge = self.current
        session_id = charge.session_id if charge else None
        phase = "supplying" if session_id else "idle"
        if self.online:
            self.said.append(m.EngineStatus(CP, True, "b", phase, charge is not None, session_id))

    def hear(self, message: Any) -> None:
        """Central's answers and commands."""
        if not self.online:
            return
        if isinstance(message, m.StationAnswer):
            charge = self.charges[int(message.id.removeprefix("start-"))]
            assert charge.session_id in (None, message.session_id), "two sessions for one charge"
            self._know(charge, session_id=message.session_id)
            self.tell_status()
        elif message.verb == "start":
            if message.id not in self.replies:
                self.replies[message.id] = self.current is None
                if self.current is None:
                    assert message.session_id is not None
                    self.begin(message.session_id, "2026-01-01T00:00:01.000Z")
            taken = self.replies[message.id]
            self.said.append(m.Reply(CP, message.id, taken, None if taken else "busy"))
        else:
            self._told_to_end(message)

    def _told_to_end(self, message: m.Command) -> None:
        mine = [one for one in self.charges if message.session_id in (one.session_id, one.tag)]
        for charge in mine:
            if message.verb == "settled":
                self._know(charge, settled=True)
            elif charge is self.current:
                self.end()
        if message.verb == "stop" and not mine:
            self.said.append(m.Reply(CP, message.id, False, "no_session"))

    def _know(self, charge: Charge, **fields: Any) -> Charge:
        self.charges[charge.number] = known = charge._replace(**fields)
        return known


class Clock(FakeClock):
    """Its time of day goes with it."""

    def timestamp(self) -> str:
        at = datetime.fromtimestamp(1_780_000_000 + self.now, UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Stations(LedgerMachine):
    """One charger, Central, and a bad channel."""

    def __init__(self) -> None:
        super().__init__(Clock(1_000.0))
        self.bus = FakeBus()
        self.charger, self.desired = Charger(), FIRST
        self.retained = m.EngineStatus(CP, True, "b")
        self.begun: dict[str, str] = {}
        self.begin_central()

    def begin_central(self) -> None:
        birth = m.ServiceStatus("central", True, f"central-{self.clock.now}")
        self.central = Central(self.bus, self.ledger, self.clock, birth)
        monitor = m.MonitorStatus(CP, True, "monitor", "ok")
        kept = (self.desired, BOB, monitor, self.retained, REGISTRY, birth)
        self.central.handle([Connected(), *(Received(one, True) for one in kept)])
        self.collect()

    def collect(self) -> None:
        """Central's words reach the charger at once; those that are lost are said again."""
        for message in self.bus.taken():
            if isinstance(message, (m.StationAnswer, m.Command)):
                self.charger.hear(message)

    def hear(self, message: Any) -> None:
        if isinstance(message, m.EngineStatus):
            self.retained = message
        if isinstance(message, m.StationRequest) and message.id not in self.begun:
            at = message.at if message.offline else self.clock.timestamp()
            self.begun[message.id] = price_at(self.desired, at)
        self.central.handle([Received(message, False)])
        self.collect()

    @rule(energy_wh=st.integers(0, 9_000))
    def draw(self, energy_wh: int) -> None:
        self.charger.draw(energy_wh)

    @precondition(lambda self: self.charger.current is None)
    @rule(tag=st.sampled_from([NOBODYS, "BOBSCARD"]))
    def card(self, tag: str) -> None:
        self.charger.begin(tag, self.clock.timestamp())

    @precondition(lambda self: self.charger.current is None and self.charger.online)
    @rule(
        energy_wh=st.integers(0, 9_000), ends=st.booleans(),
        tag=st.sampled_from([NOBODYS, "BobsCard"]),
    )  # fmt: skip
    def charge_while_offline(self, energy_wh: int, ends: bool, tag: str) -> None:
        """It may be over by the time that it is told of, or still be under way."""
        self.go_offline()
        self.card(tag)
        self.charger.draw(energy_wh)
        if ends:
            self.charger.end()
        self.come_back()
        self.charger.tell()

    @rule()
    def unplug(self) -> None:
        self.charger.end()

    @rule()
    def tell(self) -> None:
        self.charger.tell()

    @rule()
    def tell_status(self) -> None:
        self.charger.tell_status()

    @precondition(lambda self: self.charger.online)
    @rule()
    def go_offline(self) -> None:
        """What it said arrives; then its will."""
        self.deliver_all()
        self.charger.online = False
        self.hear(m.EngineStatus(CP, False, "b"))

    @precondition(lambda self: not self.charger.online)
    @rule()
    def come_back(self) -> None:
        self.charger.online = True
        self.charger.tell_status()

    @precondition(lambda self: self.charger.said)
    @rule(which=st.integers(0, 20))
    def deliver(self, which: int) -> None:
        """Statuses keep their order, as one topic's messages do."""
        said = self.charger.said
        index = which % len(said)
        if isinstance(said[index], m.EngineStatus):
            index = next(i for i, one in enumerate(said) if isinstance(one, m.EngineStatus))
        self.hear(said.pop(index))

    @precondition(lambda self: self.charger.said)
    @rule(which=st.integers(0, 20), twice=st.booleans())
    def lose_or_double(self, which: int, twice: bool) -> None:
        said = self.charger.said
        index = which % len(said)
        if isinstance(said[index], m.EngineStatus):
            return
        if twice:
            said.append(said[index])
        else:
            said.pop(index)

    @rule()
    def deliver_all(self) -> None:
        for _ in range(1_000):
            if not self.charger.said:
                return
            self.hear(self.charger.said.pop(0))
        raise AssertionError(f"no end of words: {self.charger.said}")

    @rule(seconds=st.sampled_from([1, 3, 20, 40]))
    def tick(self, seconds: int) -> None:
        self.clock.now += seconds
        self.central.tick(self.clock.now)
        self.collect()

    @rule(cents=st.integers(10, 90))
    def price(self, cents: int) -> None:
        price = f"0.{cents}"
        since = self.clock.timestamp()
        if price != self.desired.price_eur_kwh and since > self.desired.prices[-1][0]:
            prices = (*self.desired.prices, (since, price))[-8:]
            self.desired = self.desired._replace(price_eur_kwh=price, prices=prices)
            self.hear(self.desired)

    @precondition(lambda self: self.central.fleet.open)
    @rule(which=st.integers(0, 5))
    def close(self, which: int) -> None:
        open_now = sorted(self.central.fleet.open)
        asked = m.OperatorRequest(
            "operator", "close", "c", session_id=open_now[which % len(open_now)]
        )
        self.central.handle([Received(asked, False)])
        self.collect()

    @rule()
    def kill_central(self) -> None:
        self.bus.taken()
        self.begin_central()

    @invariant()
    def what_is_told_late_is_not_the_state_of_its_cp(self) -> None:
        record = self.central.fleet.records[CP]
        open_now = set(self.central.fleet.open)
        kept = {one.session_id for one in (record.session, record.late) if one is not None}
        assert open_now == kept
        assert record.session is None or record.session.phase != Phase.LATE
        if record.late is not None:
            assert record.late.phase == Phase.LATE
            assert record.engine is None or record.engine.session_id != record.late.session_id

    def all_comes_right_once_messages_flow(self) -> None:
        self.charger.online = True
        for _ in range(60):
            self.charger.end()
            self.charger.tell()
            self.charger.tell_status()
            self.deliver_all()
            self.tick(3)
            if not self.central.fleet.open and all(one.settled for one in self.charger.charges):
                break
        else:
            raise AssertionError(f"never settled: {self.central.fleet.open} {self.charger.charges}")
        rows = self.rows()
        for charge in self.charger.charges:
            self.has_one_ticket(charge, rows)
        mine = {one.session_id for one in self.charger.charges}
        assert not any(
            row["energy_wh"] for one, row in rows.items() if one.partition(".")[0] not in mine
        ), "energy that no charger metered"

    def has_one_ticket(self, charge: Charge, rows: dict[str, dict[str, Any]]) -> None:
        assert charge.session_id is not None
        assert charge.end_wh is not None
        ticket = rows[charge.session_id]
        of_it = [ticket]
        if f"{charge.session_id}.correction" in rows:
            of_it.append(rows[f"{charge.session_id}.correction"])
        metered = charge.end_wh - charge.begin_wh
        assert sum(row["energy_wh"] for row in of_it) == metered
        cost = sum(Decimal(row["cost_eur"]) for row in of_it)
        assert str(cost) == cost_eur(metered, ticket["price_eur_kwh"])
        if charge.tag == NOBODYS:
            assert (ticket["driver"], ticket["reason"]) == (None, "unauthorised")
        elif charge.tag.casefold() == "bobscard":
            assert ticket["driver"] == "BOB"
        else:
            # A session that was closed before its charge began stands for nobody's card.
            over = (None, "unauthorised")
            assert ticket["driver"] == "ALICE" or (ticket["driver"], ticket["reason"]) == over
            return
        assert ticket["price_eur_kwh"] == self.begun[f"start-{charge.number}"]


TestStations = Stations.TestCase
TestStations.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
