from __future__ import annotations

from typing import Any

import pytest

from evcs.core import stored
from evcs.core.errors import BadValue
from evcs.core.messages import Circuit, DesiredDriver
from tests.records import kept

ALICE: dict[str, Any] = {"id": "ALICE", "tags": []}


def tables(**changes: Any) -> dict[str, Any]:
    """A small store, with some of its tables as given."""
    cp = kept("CP-1", revision=3)._asdict()
    del cp["cp"]
    whole = {"cps": {"1": cp}, "drivers": {"1": ALICE}, "meta": {"7": {"revision": 3}}}
    return {**whole, **changes}


def with_cp(**fields: Any) -> dict[str, Any]:
    return tables(cps={"1": {**tables()["cps"]["1"], **fields}})


def in_circuit(cable: dict[str, Any] | None = None, /, **fields: Any) -> dict[str, Any]:
    """A CP in a circuit that carries it, but for what is given."""
    one = {"id": "C", "max_power_w": 9000, "parent": None, "other_load_w": 0, **(cable or {})}
    fields = {"circuit": "C", "fallback_w": 4140, **fields}
    return {**with_cp(**fields), "circuits": {"1": one}}


def chargers(*fields: dict[str, Any]) -> dict[str, Any]:
    """So many CPs that are chargers, each with something of its own."""
    one = {**tables()["cps"]["1"], "hosting": "ocpp", "station": "S", "connector": 1}
    found = {}
    for number, own in enumerate(fields, 1):
        found[str(number)] = {**one, "id": f"CP-{number}", "ocpp_id": "S", **own}
    return tables(cps=found)


def without(field: str) -> dict[str, Any]:
    cp = tables()["cps"]["1"]
    del cp[field]
    return tables(cps={"1": cp})


def test_a_good_store_is_read() -> None:
    found = stored.read(tables())
    assert found.cps["CP-1"].price_eur_kwh == "0.30"
    assert (found.drivers, found.revision) == ({"ALICE": DesiredDriver("ALICE", "ALICE")}, 3)
    assert stored.read({}) == ({}, {}, {}, {}, 0)


def test_a_host_that_this_system_does_not_have_is_kept_for_doctor_to_name() -> None:
    assert stored.read(with_cp(host="h2", deleted=True)).cps["CP-1"].host == "h2"


def test_a_cp_in_a_circuit_is_read() -> None:
    found = stored.read(in_circuit())
    assert found.circuits == {"C": Circuit("C", 9000)}
    assert (found.cps["CP-1"].circuit, found.cps["CP-1"].fallback_w) == ("C", 4140)


def test_a_station_of_two_connectors_is_read() -> None:
    found = stored.read(chargers({}, {"connector": 2}, {"station": "T", "ocpp_id": "T"}))
    assert [cp.station for cp in found.cps.values()] == ["S", "S", "T"]


BAD: dict[str, Any] = {
    "two CPs at one connector": chargers({}, {}),
    "a station by two OCPP ids": chargers({}, {"connector": 2, "ocpp_id": "T"}),
    "two stations by one OCPP id": chargers({}, {"station": "T", "ocpp_id": "s"}),
    "two stations of one name": chargers({}, {"station": "s", "connector": 2}),
    "a circuit that is not there": in_circuit(circuit="D"),
    "a circuit that feeds itself": in_circuit({"parent": "C"}),
    "a circuit fed by none that is there": in_circuit({"parent": "D"}),
    "a circuit too small for its CP": in_circuit({"other_load_w": 5000}),
    "a circuit of a negative power": in_circuit({"max_power_w": -1}),
    "a circuit of a power beyond all bounds": in_circuit({"max_power_w": 10**12}),
    "a circuit with more": in_circuit({"secret": "x"}),
    "a fallback that is not what fits": in_circuit(fallback_w=0),
    "a fallback without a circuit": with_cp(fallback_w=0),
    "a circuit twice": {
        **in_circuit(),
        "circuits": {
            n: in_circuit({"id": i})["circuits"]["1"] for n, i in (("1", "C"), ("2", "c"))
        },
    },
    "no tables": [],
    "an unknown table": tables(more={}),
    "a table that is none": tables(cps=[]),
    "a number that is none": tables(drivers={"x": ALICE}),
    "a record that is none": tables(drivers={"1": "ALICE"}),
    "a missing field": without("location"),
    "an unknown field": with_cp(more=1),
    "a way out of the home": with_cp(id="../../../tmp/x"),
    "a service's name": with_cp(id="web"),
    "an id that is a number": with_cp(id=7),
    "a host that is no id": with_cp(host="a/b"),
    "a price that is a number": with_cp(price_eur_kwh=0.3),
    "a power beyond all bounds": with_cp(max_power_w=10**9),
    "a flag that is a number": with_cp(revoked=1),
    "a flag that is a word": with_cp(deleted="no"),
    "prices that are none": with_cp(prices=[]),
    "a price that is not its last": with_cp(prices=[["2026-01-01T00:00:00.000Z", "0.31"]]),
    "prices that are not in order": with_cp(prices=[["2026", "0.30"], ["2025", "0.30"]]),
    "a price that is no pair": with_cp(prices=["0.30"]),
    "more prices than are kept": with_cp(prices=[["2026", "0.30"]] * 33),
    "a hosting that is none": with_cp(hosting="cloud"),
    "a pool that is none": with_cp(pool=0),
    "a placement without a token": with_cp(placement=""),
    "a place that is half named": with_cp(previous_host="h2"),
    "a revision that is negative": with_cp(revision=-1),
    "a revision that is a flag": with_cp(revision=True),
    "a revision above the store's": with_cp(revision=4),
    "a service that is none": with_cp(service=["in"]),
    "a driver with a line of its own": tables(
        drivers={"1": {**ALICE, "id": "EVE\ndriver/X:$7$1$a$b"}}
    ),
    "a driver that is a filter": tables(drivers={"1": {**ALICE, "id": "#"}}),
    "a driver with more": tables(drivers={"1": {**ALICE, "password": "x"}}),
    "a driver twice": tables(drivers={"1": ALICE, "2": {**ALICE, "id": "alice"}}),
    "a driver with a pseudonym": tables(drivers={"1": {**ALICE, "id": "removed-abc"}}),
    "a tag that is none": tables(drivers={"1": {**ALICE, "tags": [" x"]}}),
    "a card of two drivers": tables(
        drivers={"1": {**ALICE, "tags": ["Ab"]}, "2": {"id": "BOB", "tags": ["aB"]}}
    ),
    "a station of a CP that is no charger": with_cp(station="S"),
    "a charger without a station": with_cp(hosting="ocpp", connector=1, ocpp_id="S"),
    "a CP twice": tables(cps={n: tables()["cps"]["1"] for n in ("1", "2")}),
    "a revision of the store that is none": tables(meta={"1": {"revision": "3"}}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_no_creation_would_take_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadValue) as error:
        stored.read(BAD[name])
    assert "\n" not in error.value.message
