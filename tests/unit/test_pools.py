"""A pool's name and its member file."""

from __future__ import annotations

import pytest

from evcs.core import pools, reconcile, sections
from evcs.core.errors import BadValue
from evcs.core.fleet_size import FleetSize
from evcs.core.placement import OCPP, POOL, PROCESS, Rooms, pooled, unit_of
from tests.unit.test_placement import record


def test_a_name_has_one_number_and_a_number_one_name() -> None:
    for number in (1, 10, pools.MAX_NUMBER):
        assert pools.number(pools.name(number)) == number
    for name in ("pool-1", "_pool-0", "_pool-01", "_pool-1 ", "_pool-", "_pool-99999", "CP-1", ""):
        assert pools.number(name) is None
        with pytest.raises(BadValue):
            pools.checked(name)


def test_a_file_gives_back_whom_it_names() -> None:
    members = {"CP-2": "t2", "CP-1": "t1"}
    assert pools.parse(pools.render(members).encode()) == members
    assert pools.parse(pools.render({}).encode()) == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\0\0", b"[]", b"{}", b'{"members": ["CP-1"]}', b'{"members": {"../x": "t"}}',
        b'{"members": {"CP-1": 1}}', b'{"members": {"CP-1": "a", "CP-1": "b"}}',
        b'{"members": {"central": "t"}}', b'{"members": {"CP-1": "t"}', b"\xff\xfe",
    ],
)  # fmt: skip
def test_what_is_no_member_file_is_refused(raw: bytes) -> None:
    with pytest.raises(BadValue):
        pools.parse(raw)


def test_the_lowest_pool_with_room_is_taken_and_kept() -> None:
    there = [record("main", hosting=POOL, pool=1)._replace(cp=f"A-{n}") for n in range(499)]
    rooms = Rooms([*there, record("h2", hosting=POOL, pool=1)])
    asked = record("main", hosting=POOL)
    assert [pooled(None, asked, rooms.take).pool for _ in range(3)] == [1, 2, 2]
    kept = asked._replace(pool=2)
    assert pooled(kept, kept._replace(location="yard"), rooms.take).pool == 2
    assert pooled(kept, kept._replace(hosting=PROCESS), rooms.take).pool is None
    assert pooled(kept, kept._replace(host="h3"), rooms.take).pool == 1


def test_a_section_is_a_pools_by_its_name() -> None:
    assert sections.programs("_pool-3") == ("_pool-3.engines", "_pool-3.monitors")
    assert sections.is_unit("_pool-3")
    assert not sections.is_unit("_pool-x")


def test_the_gateway_is_a_unit_of_one_process_that_plays_both_roles() -> None:
    assert unit_of("WALL-1", OCPP, None) == pools.OCPP
    assert sections.is_unit(pools.OCPP)
    assert sections.programs(pools.OCPP) == ("_ocpp.gateway",)
    assert {sections.process(pools.OCPP, role) for role in sections.ROLES} == {"gateway"}
    assert "-m evcs gateway _ocpp\n" in sections.render(pools.OCPP)
    assert pools.file_name(pools.OCPP) == "_ocpp.json"
    assert pools.number(pools.OCPP) is None


def test_the_gateway_is_there_while_it_has_members() -> None:
    cp = record("main", "t", hosting=OCPP)
    nothing = reconcile.Actual({}, {}, frozenset(), frozenset(), frozenset())
    goal = reconcile.wanted({cp.id: cp}, cp.host)
    plan = reconcile.plan({cp.id: cp}, goal, nothing)
    assert (plan.members, plan.write, plan.start) == (
        {"_ocpp": {cp.id: "t"}},
        ("_ocpp",),
        ("_ocpp",),
    )
    assert plan.begins(nothing) == {cp.id: "_ocpp"}
    there = reconcile.Actual(
        {"_ocpp": sections.render("_ocpp")}, {"_ocpp": {cp.id: "t"}}, {"_ocpp"}, frozenset(),
        frozenset(),
    )  # fmt: skip
    gone = {cp.id: cp._replace(deleted=True)}
    plan = reconcile.plan(gone, reconcile.wanted(gone, cp.host), there)
    assert (plan.members, plan.erase, plan.stop) == ({"_ocpp": {}}, ("_ocpp",), ("_ocpp",))


def test_a_fleets_size_counts_the_unknown_as_what_costs_most() -> None:
    assert FleetSize.of(["pool", "process", None, 7]) == FleetSize(3, 1)
    assert FleetSize(1, 2).with_more(FleetSize(3, 4)) == FleetSize(4, 6)
