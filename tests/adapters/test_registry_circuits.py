"""The Registry's circuits over real files: what is told and let in, what fits, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evcs.adapters.registry_db import RegistryDb
from evcs.core import messages as m
from evcs.core.errors import EvcsError
from evcs.core.identities import SERVICES
from evcs.core.ports import Connected
from evcs.home import Home
from evcs.services.registry import circuits
from evcs.services.registry.changes import Batch
from tests.adapters.test_registry import BIRTH, Stage

NAN = float("nan")


@pytest.fixture
def stage(home: Home) -> Stage:
    return Stage(home)


ROOF, GARAGE = m.Circuit("roof", 44_000, None, 20_000), m.Circuit("garage", 9_000, "roof")
NO_CIRCUIT = m.Cleared(m.Circuit, {"name": "garage"})


def with_garage(stage: Stage) -> Stage:
    """One with two circuits, one below the other."""
    for one in (ROOF, GARAGE):
        assert stage.ask(circuits.add, one._asdict()) == one
    return stage


def test_a_circuit_is_on_the_bus_and_its_meter_let_in_as_long_as_there_is_one(stage: Stage) -> None:
    with_garage(stage)
    assert stage.bus.taken() == [ROOF, GARAGE]
    assert stage.let_in() == {*SERVICES, "meter/roof", "meter/garage"}
    assert stage.secrets.names("meter") == ["garage", "roof"]
    changed = stage.ask(circuits.edit, "garage", {"max_power_w": 11_000, "parent": None})
    assert changed == m.Circuit("garage", 11_000) == stage.bus.taken()[0]
    stage = Stage(stage.home)
    stage.registry.handle([Connected()])
    assert stage.bus.taken() == [ROOF, changed, BIRTH]
    stage.ask(circuits.remove, "garage")
    assert stage.bus.taken() == [NO_CIRCUIT]
    assert stage.let_in() == {*SERVICES, "meter/roof"}
    assert stage.secrets.names("meter") == ["roof"]
    assert stage.store.circuits() == {"roof": ROOF}
    assert stage.audited() == ["circuit add", "circuit add", "circuit edit", "circuit remove"]


def test_a_circuit_that_goes_while_the_broker_is_away_is_told_at_the_next_connection(
    stage: Stage,
) -> None:
    with_garage(stage).bus.taken()
    stage.bus.connected = False
    stage.ask(circuits.remove, "garage")
    stage = Stage(stage.home)
    stage.registry.handle([Connected()])
    assert stage.bus.taken() == [ROOF, NO_CIRCUIT, BIRTH]


def test_a_cp_has_a_fallback_as_far_as_its_circuits_carry_it(stage: Stage) -> None:
    with_garage(stage)
    many = [{"id": f"CP-{n}", "circuit": "garage"} for n in range(3)]
    made = stage.ask(Batch.create_many, many)
    assert [one.fallback_w for one in made] == [4_140, 4_140, 0]
    assert stage.registry.cps == {one.id: one for one in made} == stage.store.cps()
    stage.bus.taken()
    moved = stage.ask(Batch.edit, "CP-0", {"circuit": "roof"})
    assert (moved.circuit, moved.fallback_w) == ("roof", 4_140)
    assert [(one.cp, one.fallback_w) for one in stage.bus.taken()] == [
        ("CP-0", 4_140), ("CP-2", 4_140),
    ]  # fmt: skip
    shrunk = stage.ask(circuits.edit, "garage", {"max_power_w": 5_000})
    told = stage.bus.taken()
    assert told[0] == shrunk
    assert [(one.cp, one.fallback_w) for one in told[1:]] == [("CP-2", 0)]
    out = stage.ask(Batch.edit, "CP-1", {"circuit": None})
    assert (out.circuit, out.fallback_w) == (None, None)
    assert stage.registry.cps["CP-2"].fallback_w == 4_140
    stage.ask(circuits.edit, "garage", {"max_power_w": 0})
    assert stage.registry.cps["CP-2"].fallback_w == 0, "a circuit of 0 W is off"
    assert RegistryDb(stage.home.registry_json).cps() == stage.registry.cps
    assert stage.audited().count("fallback") == 4
    assert len(stage.audited()) == stage.store.revision(), "each change is audited"


REFUSED: dict[str, tuple[Callable[..., Any], list[Any], str]] = {
    "a circuit of that name": (circuits.add, [{"name": "Roof", "max_power_w": 1}], "exists"),
    "one fed by none": (circuits.add, [{"name": "x", "max_power_w": 1, "parent": "y"}], "no circ"),
    "a cycle": (circuits.edit, ["roof", {"parent": "garage"}], "feed itself"),
    "one's own parent": (circuits.edit, ["roof", {"parent": "roof"}], "feed itself"),
    "too little": (circuits.edit, ["garage", {"max_power_w": 4_139}], "4139 W does not carry CP"),
    "too much beside it": (circuits.edit, ["garage", {"other_load_w": 4_861}], "4861 W of other"),
    "too little above": (circuits.edit, ["roof", {"max_power_w": 22_000}], "less 20000 W"),
    "a name that is no id": (circuits.add, [{"name": "a/b", "max_power_w": 1}], "not allowed"),
    "no power": (circuits.add, [{"name": "x"}], "missing"),
    "a negative power": (circuits.add, [{"name": "x", "max_power_w": -1}], "max_power_w"),
    "a power that is no number": (circuits.add, [{"name": "x", "max_power_w": NAN}], "nan"),
    "10**9 kW": (circuits.edit, ["roof", {"max_power_w": 10**12}], "max_power_w"),
    "a negative load": (circuits.edit, ["roof", {"other_load_w": -1}], "other_load_w"),
    "a field of nobody's": (circuits.edit, ["roof", {"name": "loft"}], "unknown field"),
    "one that is not there": (circuits.edit, ["loft", {"max_power_w": 1}], "no circuit"),
    "going with CPs below": (circuits.remove, ["garage"], "feeds CP CP-1"),
    "going with circuits below": (circuits.remove, ["roof"], "feeds circuit garage"),
    "a CP of no circuit": (Batch.create, [{"id": "CP-2", "circuit": "loft"}], "no circuit loft"),
    "a CP's move to none": (Batch.edit, ["CP-1", {"circuit": "loft"}], "no circuit loft"),
    "a CP too large": (Batch.create, [{"id": "CP-2", "circuit": "tiny"}], "is too small"),
    "a CP that grows": (Batch.edit, ["CP-3", {"max_power_w": 22_000}], "is too small"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_and_nothing_written(stage: Stage, name: str) -> None:
    with_garage(stage)
    stage.ask(circuits.add, {"name": "tiny", "max_power_w": 2_000})
    stage.ask(Batch.create, {"id": "CP-1", "circuit": "garage"})
    stage.ask(Batch.create, {"id": "CP-3", "circuit": "tiny", "max_power_w": 3_700})
    stage.bus.taken()
    before, audited = stage.home.registry_json.read_bytes(), stage.audited()
    secrets = [stage.secrets.names(kind) for kind in ("cp", "meter")]
    change, given, word = REFUSED[name]
    with pytest.raises(EvcsError, match=word):
        stage.ask(change, *given)
    assert stage.home.registry_json.read_bytes() == before
    assert (stage.bus.taken(), stage.audited()) == ([], audited)
    assert [stage.secrets.names(kind) for kind in ("cp", "meter")] == secrets
