"""The Registry over real files: what becomes of identities when changes are made or refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from evcs.adapters.broker_accounts import PasswordFile
from evcs.adapters.registry_db import RegistryDb
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.spool import Spool, SpoolReader
from evcs.core import messages as m
from evcs.core.audit import FLOOD
from evcs.core.errors import Conflict, EvcsError, NotFound
from evcs.core.fleet_size import FleetSize
from evcs.core.identities import SERVICES, of_cp
from evcs.core.ports import Connected, Received
from evcs.core.stations import key_id
from evcs.home import Home
from evcs.services.registry import circuits, drivers
from evcs.services.registry.accounts import LOOK_AT_ONCE, SHUT_OUT_S
from evcs.services.registry.changes import AskedChange, Batch
from evcs.services.registry.outside import RegistryPorts
from evcs.services.registry.service import LOOK_EVERY_S, Registry
from tests.unit.fakes import FakeBus

BIRTH = m.ServiceStatus("registry", True, "boot", "1")


class Clock:
    """Time that passes only where a test says so."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def timestamp(self) -> str:
        return "2026-11-22T09:00:00.000Z"


class Store(RegistryDb):
    """One whose disk may be full."""

    full = False

    def commit(self, *args: Any, **kwargs: Any) -> None:
        if self.full:
            raise EvcsError("the Registry can't be written: no space left", "make room")
        super().commit(*args, **kwargs)


class Broker(PasswordFile):
    """One that counts how often its accounts are looked through."""

    looks = 0

    def keep(self, accounts: Mapping[str, str]) -> float | None:
        self.looks += 1
        return super().keep(accounts)


class Bus(FakeBus):
    """One that may be away."""

    def publish(self, what: Any) -> bool:
        """Nothing goes out without a connection."""
        return self.connected and super().publish(what)


class Stage:
    """A Registry, and all that it works on."""

    def __init__(self, home: Home) -> None:
        self.home, self.clock, self.bus = home, Clock(), Bus()
        self.store, self.secrets = Store(home.registry_json), SecretFiles(home)
        self.broker = Broker(home, lambda: None, self.clock.monotonic)
        self.room: list[int] = []
        self.floods: dict[str, str] = {}
        self.asked_for: list[tuple[FleetSize, FleetSize]] = []
        outside = RegistryPorts(
            self.bus, self.store, self.secrets, self.broker,
            Spool.open(home.spool("registry")), self.clock, self.room.append,
            lambda: "token", lambda *sizes: self.asked_for.append(sizes),
            lambda: self.floods,
        )  # fmt: skip
        self.registry = Registry(outside, lambda _: None, "main", BIRTH)
        self.registry.tick(self.clock.now)

    def ask(self, change: Callable[..., Any], *args: Any) -> Any:
        """Have one change made."""
        answer: Future[Any] = Future()
        self.registry.handle([AskedChange(lambda batch: change(batch, *args), answer)])
        return answer.result(0)

    def let_in(self) -> set[str]:
        """Whom the broker lets in."""
        lines = self.home.passwords.read_text().splitlines()
        return {line.partition(":")[0] for line in lines}

    def audited(self) -> list[str]:
        """What is told to the audit."""
        spool = SpoolReader(self.home.spool("registry"))
        return [entry.what for name in spool.waiting() for entry in spool.read(name)]


@pytest.fixture
def stage(home: Home) -> Stage:
    return Stage(home)


def test_a_cp_is_let_in_with_its_creation_and_out_with_its_revocation(stage: Stage) -> None:
    assert stage.let_in() == set(SERVICES)
    made = stage.ask(Batch.create, {"id": "CP-1"})
    assert stage.bus.taken() == [made]
    assert stage.let_in() == {*SERVICES, *of_cp("CP-1")}
    stage.ask(Batch.revoke, "CP-1")
    assert stage.let_in() == set(SERVICES)
    stage.ask(Batch.rekey, "CP-1")
    assert stage.let_in() == {*SERVICES, *of_cp("CP-1")}
    assert stage.audited() == ["create", "revoke", "rekey"]


def test_a_change_that_the_disk_refuses_leaves_no_secret_and_no_entry(stage: Stage) -> None:
    stage.ask(Batch.create, {"id": "CP-1"})
    before = [stage.secrets.read(who) for who in of_cp("CP-1")]
    stage.store.full = True
    changes: list[tuple[Callable[..., Any], Any]] = [
        (Batch.create, {"id": "CP-2"}), (Batch.rekey, "CP-1"), (drivers.add, {"id": "A"}),
        (circuits.add, {"name": "C", "max_power_w": 1}),
    ]  # fmt: skip
    for change, given in changes:
        with pytest.raises(EvcsError, match="can't be written"):
            stage.ask(change, given)
    assert [stage.secrets.read(who) for who in of_cp("CP-1")] == before
    names = [stage.secrets.names(kind) for kind in ("cp", "driver", "meter")]
    assert names == [["CP-1"], [], []]
    assert stage.let_in() == {*SERVICES, *of_cp("CP-1")}
    assert stage.audited() == ["create"]


def test_secrets_of_nobody_go_and_those_that_are_lost_come_back(home: Home) -> None:
    SecretFiles(home).create("cp/CP-9/engine")
    SecretFiles(home).create("driver/EVE")
    stage = Stage(home)
    stage.registry.handle([Connected()])
    assert stage.secrets.names("cp") == stage.secrets.names("driver") == []
    password = stage.secrets.read("central")
    home.secret("central").write_text("another")
    stage.registry.tick(stage.clock.now + LOOK_EVERY_S)
    assert stage.secrets.read("central") == password


def test_of_many_secrets_each_comes_back_in_its_turn(stage: Stage) -> None:
    stage.ask(Batch.create_many, [{"id": f"CP-{number}"} for number in range(LOOK_AT_ONCE)])
    lost = ("central", "cp/CP-0/engine", f"cp/CP-{LOOK_AT_ONCE - 1}/monitor")
    passwords = {who: stage.secrets.read(who) for who in lost}
    for who in lost:
        stage.home.secret(who).unlink()
    for _ in range(4):
        stage.clock.now += LOOK_EVERY_S
        stage.registry.tick(stage.clock.now)
    assert {who: stage.secrets.read(who) for who in lost} == passwords


def test_one_made_anew_is_not_told_to_be_gone_at_a_managers_birth(stage: Stage) -> None:
    for cp in ("CP-1", "CP-2"):
        made = stage.ask(Batch.create, {"id": cp})
        stage.ask(Batch.delete, cp)
        report = m.ReconcileReport("main", cp, True, made.revision, released="token")
        stage.registry.handle([Received(report, False)])
        # The manager may end before it has taken its report back.
        assert m.Cleared(m.ReconcileReport, {"host": "main", "cp": cp}) in stage.bus.taken()
    again = stage.ask(Batch.create, {"id": "CP-1"})
    stage.bus.taken()
    birth = m.ServiceStatus("manager/main", True, "boot", "1")
    stage.registry.handle([Received(birth, False)])
    assert stage.bus.taken() == []
    assert stage.registry.cps == {"CP-1": again}


ALICE = m.DesiredDriver("ALICE", "ALICE")
GONE = m.Cleared(m.DesiredDriver, {"driver": "ALICE"})


def test_a_driver_is_on_the_bus_as_long_as_there_is_one(stage: Stage) -> None:
    stage.ask(drivers.add, {"id": "ALICE"})
    assert stage.bus.taken() == [ALICE]
    stage.registry.handle([Connected()])
    assert stage.bus.taken() == [ALICE, BIRTH]
    stage.ask(drivers.remove, "ALICE")
    assert stage.bus.taken() == [GONE]
    assert stage.secrets.names("driver") == []
    stage.registry.handle([Connected()])
    assert stage.bus.taken() == [BIRTH]


@pytest.mark.parametrize("killed", [False, True])
def test_one_who_goes_while_the_broker_is_away_is_told_at_the_next_connection(
    stage: Stage, killed: bool
) -> None:
    for driver in ("ALICE", "BERT", "CARA"):
        stage.ask(drivers.add, {"id": driver})
    stage.bus.connected = False
    stage.ask(drivers.remove, "ALICE")
    stage.ask(drivers.remove, "BERT")
    stage.ask(drivers.add, {"id": "BERT"})
    assert stage.let_in() == {*SERVICES, "driver/BERT", "driver/CARA"}
    stage.bus.taken()
    if killed:
        stage = Stage(stage.home)
    stage.bus.connected = True
    stage.registry.handle([Connected()])
    said = stage.bus.taken()
    assert [one for one in said if isinstance(one, m.Cleared)] == [GONE]
    assert {one.driver for one in said if isinstance(one, m.DesiredDriver)} == {"BERT", "CARA"}
    assert said[-1] == BIRTH
    assert sorted(stage.secrets.names("driver")) == ["BERT", "CARA"]


def test_who_floods_is_out_for_a_while(stage: Stage) -> None:
    stage.ask(Batch.create, {"id": "CP-1"})
    engine, monitor = of_cp("CP-1")
    stage.bus.taken()
    stage.registry.handle([Received(m.Flood(one), False) for one in (engine, "driver/EVE")])
    assert stage.let_in() == {*SERVICES, monitor}
    # The broker tells no will of whom it throws out; what was on its way then is taken away, too.
    said = m.EngineStatus("CP-1", True, "b"), m.MonitorStatus("CP-1", True, "b")
    stage.registry.handle([Received(one, False) for one in said])
    assert stage.bus.taken() == [m.Cleared(m.EngineStatus, {"cp": "CP-1"})] * 2
    stage.clock.now += SHUT_OUT_S
    stage.registry.tick(stage.clock.now + LOOK_EVERY_S)
    assert stage.let_in() == {*SERVICES, engine, monitor}
    stage.registry.handle([Received(one, False) for one in said])
    assert stage.bus.taken() == []
    assert stage.room == [0, 1], "and the broker has room for so many CPs"


def test_a_secret_that_can_not_be_put_back_yet_ends_nobody(stage: Stage) -> None:
    stage.ask(Batch.create, {"id": "CP-1"})
    path = stage.home.secret(of_cp("CP-1")[0])
    was = path.read_text()
    path.unlink()
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temp.mkdir()
    stage.clock.now += LOOK_EVERY_S
    stage.registry.tick(stage.clock.now)
    assert not path.exists()
    temp.rmdir()
    stage.clock.now += LOOK_EVERY_S
    stage.registry.tick(stage.clock.now)
    assert path.read_text() == was


def test_a_flood_costs_one_look_and_one_entry_each_however_often_it_is_told(stage: Stage) -> None:
    before = stage.broker.looks
    stage.floods = dict.fromkeys(("driver/A", "meter/B"), "x")
    for _ in range(1_000):
        stage.registry.tick(stage.clock.now)
    assert stage.audited() == [FLOOD] * 2
    again = [Received(m.Flood("driver/A"), False)] * 1_000
    stage.registry.handle(again)
    assert stage.audited() == [FLOOD] * 2
    assert stage.broker.looks == before + 1
    stage.clock.now += SHUT_OUT_S + LOOK_EVERY_S
    stage.registry.tick(stage.clock.now)
    assert stage.audited() == [FLOOD] * 2, "before he is in again all is of his time before"
    stage.registry.tick(stage.clock.now)
    assert stage.audited() == [FLOOD] * 4


def test_room_is_asked_for_beside_what_the_same_batch_makes(stage: Stage) -> None:
    answers = [Future[Any](), Future[Any]()]
    stage.registry.handle(
        [
            AskedChange(lambda batch: batch.create({"id": "CP-1"}), answers[0]),
            AskedChange(lambda batch: batch.create_many([{"id": "CP-1"}, {"id": "B"}]), answers[1]),
        ]
    )
    assert stage.asked_for == [(FleetSize(), FleetSize(1)), (FleetSize(1), FleetSize(1))]


def test_room_is_asked_for_where_a_cp_leaves_a_pool(stage: Stage) -> None:
    for number in range(4):
        stage.ask(Batch.create, {"id": f"CP-{number}", "hosting": "pool" if number else "process"})
    stage.asked_for.clear()
    for cp, given in (("CP-0", {"hosting": "process"}), ("CP-1", {"location": "x"})):
        stage.ask(Batch.edit, cp, given)
    assert stage.asked_for == []
    for cp in ("CP-1", "CP-2"):
        stage.ask(Batch.edit, cp, {"hosting": "process"})
    # The first has not let go of its pool yet, so what it needs is not taken yet.
    assert stage.asked_for == [(FleetSize(1, 2), FleetSize(1)), (FleetSize(1, 1), FleetSize(2))]


def test_a_real_chargers_station_is_there_as_long_as_a_cp_names_it(stage: Stage) -> None:
    one = stage.ask(Batch.create, {"id": "CP-1", "hosting": "ocpp", "ocpp_id": "DE*7.x"})
    assert (one.station, one.connector, one.ocpp_id) == ("CP-1", 1, "DE*7.x")
    station = m.DesiredStation("CP-1", "CP-1", "DE*7.x")
    assert stage.bus.taken() == [station, one]
    key = stage.secrets.read("station/CP-1")
    assert len(key) == 20
    assert key.isalnum()
    two = stage.ask(
        Batch.create, {"id": "CP-2", "hosting": "ocpp", "station": "CP-1", "connector": 2}
    )
    assert two.ocpp_id == "DE*7.x"
    assert stage.bus.taken() == [two]
    assert stage.let_in() == {*SERVICES, *of_cp("CP-1"), *of_cp("CP-2")}, "a station is nobody"
    stage.home.secret("station/CP-1").unlink()
    stage.clock.now += LOOK_EVERY_S
    stage.registry.tick(stage.clock.now)
    stage.registry.tick(stage.clock.now + LOOK_EVERY_S)
    assert stage.secrets.read("station/CP-1") == key
    stage.registry.handle([Connected()])
    assert stage.bus.taken() == [station, one, two, BIRTH]
    for cp, revision in (("CP-1", 3), ("CP-2", 4)):
        assert stage.secrets.names("station") == ["CP-1"]
        stage.ask(Batch.delete, cp)
        stage.bus.taken()
        report = m.ReconcileReport("main", cp, True, revision, released="token")
        stage.registry.handle([Received(report, False)])
    assert m.Cleared(m.DesiredStation, {"station": "CP-1"}) in stage.bus.taken()
    assert stage.secrets.names("station") == []
    status = m.StationStatus("main", "CP-1", True)
    stage.registry.handle([Received(status, True)])
    cleared = {"host": "main", "station": "CP-1"}
    assert stage.bus.taken() == [m.Cleared(m.StationStatus, cleared)]


@pytest.mark.parametrize(
    "given",
    [
        {"station": "S"},
        {"station": "s", "connector": 2},
        {"station": "S", "connector": 2, "ocpp_id": "other"},
        {"ocpp_id": "ROW-7"},
    ],
)
def test_a_connector_and_an_ocpp_id_are_of_one_charger(stage: Stage, given: dict[str, Any]) -> None:
    stage.ask(Batch.create, {"id": "CP-1", "hosting": "ocpp", "station": "S", "ocpp_id": "row-7"})
    with pytest.raises(Conflict):
        stage.ask(Batch.create, {"id": "CP-2", "hosting": "ocpp", **given})
    assert stage.secrets.names("station") == ["S"]


def test_a_drivers_tags_are_his_alone(stage: Stage) -> None:
    for driver in ("ALICE", "BOB"):
        stage.ask(drivers.add, {"id": driver})
    stage.bus.taken()
    tagged = stage.ask(drivers.tag, "ALICE", {"add_tags": ["04a2", "x y"]})
    assert tagged == m.DesiredDriver("ALICE", "ALICE", ("04a2", "x y"))
    assert stage.bus.taken() == [tagged]
    with pytest.raises(Conflict):
        stage.ask(drivers.tag, "BOB", {"add_tags": ["04A2"]})
    with pytest.raises(NotFound):
        stage.ask(drivers.tag, "BOB", {"remove_tags": ["04A2"]})
    stage.ask(drivers.tag, "ALICE", {"remove_tags": ["04A2"]})
    assert stage.ask(drivers.tag, "BOB", {"add_tags": ["04A2"]}).tags == ("04A2",)
    assert stage.registry.drivers == stage.store.drivers()
    assert stage.registry.drivers["ALICE"].tags == ("x y",)
    assert stage.audited().count("driver tag") == 3


def test_a_stations_next_key_waits_until_its_charger_has_it(stage: Stage) -> None:
    stage.ask(Batch.create, {"id": "CP-1", "hosting": "ocpp"})
    before = stage.secrets.read("station/CP-1")
    stage.store.full = True
    with pytest.raises(EvcsError):
        stage.ask(Batch.rekey, "CP-1")
    assert stage.secrets.find("station/CP-1.next") == ""
    stage.store.full = False
    stage.ask(Batch.rekey, "CP-1")
    following = stage.secrets.read("station/CP-1.next")
    stage.ask(Batch.rekey, "CP-1")
    assert stage.secrets.read("station/CP-1.next") == following
    stage = Stage(stage.home)
    for key in (before, "another", following):
        assert stage.secrets.read("station/CP-1") == before
        status = m.StationStatus("main", "CP-1", True, key=key_id(key))
        stage.registry.handle([Received(status, True)])
    assert stage.secrets.read("station/CP-1") == following
    assert stage.secrets.find("station/CP-1.next") == ""
    stage.registry.tick(stage.clock.now + LOOK_EVERY_S)
    assert stage.secrets.read("station/CP-1") == following


def test_the_key_of_who_is_shut_out_is_over_at_once(stage: Stage) -> None:
    for number in (1, 2):
        given = {"hosting": "ocpp", "station": "S", "connector": number}
        stage.ask(Batch.create, {"id": f"CP-{number}", **given})
    stage.ask(Batch.rekey, "CP-1")
    before = [stage.secrets.read(f"station/{name}") for name in ("S", "S.next")]
    for cp in ("CP-1", "CP-2"):
        stage.ask(Batch.revoke, cp)
    stage.store.full = True
    with pytest.raises(EvcsError):
        stage.ask(Batch.rekey, "CP-1")
    assert [stage.secrets.read(f"station/{name}") for name in ("S", "S.next")] == before
    stage.store.full = False
    stage.ask(Batch.rekey, "CP-1")
    assert stage.secrets.read("station/S") not in before
    assert stage.secrets.find("station/S.next") == ""


def test_two_cps_are_not_the_same_station_of_a_back_end(stage: Stage) -> None:
    given = {"backend": "ws://x/{id}", "ocpp_id": "S"}
    stage.ask(Batch.create, {"id": "OUT-1", **given})
    with pytest.raises(Conflict, match="OUT-1 is that station"):
        stage.ask(Batch.create, {"id": "OUT-2", "backend": "ws://x", "ocpp_id": "S"})
    other = {"backend": "ws://y", "ocpp_id": "S"}
    made = stage.ask(
        Batch.create_many,
        [{"id": "A", **given}, {"id": "B", **other, "ocpp_password": ""}, {"id": "OUT-3", **other}],
    )
    assert [type(one).__name__ for one in made] == ["Conflict", "BadValue", "DesiredCp"]
