from __future__ import annotations

import json
from typing import Any

import pytest

from evcs.core import hosts, join_file, stored
from evcs.core.errors import BadValue, OtherFormat
from evcs.core.fleet_size import FleetSize
from evcs.core.hosts import Host, Hosts
from evcs.core.messages import DesiredCp
from evcs.services.registry.changes import Batch, Stamp

AT = "2026-11-30T23:59:30.000Z"
THERE = Host("h2", joined_at=AT)


def test_an_invitation_is_good_once_and_for_its_time() -> None:
    host = hosts.invited(Host("h2"), "secret", 60, AT)
    assert host.invited_until == "2026-12-01T00:00:30.000Z"
    assert "secret" not in str(host)
    assert hosts.may_join(host, "secret", "2026-12-01T00:00:29.999Z")
    assert not hosts.may_join(host, "secret", "2026-12-01T00:00:30.000Z")
    assert not hosts.may_join(host, "secret2", AT)
    assert not hosts.may_join(hosts.joined(host, AT), "secret", AT)
    assert not hosts.may_join(Host("h2"), "", AT)


def test_a_later_invitation_takes_the_place_of_an_earlier_one() -> None:
    again = hosts.invited(hosts.invited(THERE, "first", 60, AT), "second", 60, AT)
    assert not hosts.may_join(again, "first", AT)
    assert hosts.may_join(again, "second", AT)
    assert again.has_joined, "until then it is what it was"


@pytest.mark.parametrize("bad", ["main", "MAIN", "", "a b", "../x", "x" * 33, None, 1])
def test_a_name_that_no_host_may_have(bad: object) -> None:
    with pytest.raises(BadValue, match="host id"):
        hosts.check_name(bad)


@pytest.mark.parametrize("bad", [0, -1, True, "60", 7 * 86_400 + 1, 1.5])
def test_a_time_that_no_invitation_may_have(bad: object) -> None:
    with pytest.raises(BadValue, match="ttl_s"):
        hosts.check_ttl(bad)


def test_cps_may_be_at_the_centre_and_where_a_machine_has_joined() -> None:
    places = Hosts("main", {"h2": THERE, "h3": Host("h3")})
    places.check("main")
    places.check("h2")
    with pytest.raises(BadValue, match="h3 has not joined yet"):
        places.check("h3")
    with pytest.raises(BadValue, match="'h4' is not a host") as refused:
        places.check("h4")
    assert refused.value.hint == "allowed: main, h2"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "main"}, {"invitation": "x"}, {"invitation": "A" * 64}, {"joined_at": "yesterday"},
        {"joined_at": "2026-11-30T23:59:30"}, {"invited_until": 1}, {"more": 1},
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    good = {"id": "h2", "invitation": "0" * 64, "invited_until": AT, "joined_at": None}
    assert stored.read({"hosts": {"1": good}}).hosts == {"h2": Host("h2", "0" * 64, AT)}
    with pytest.raises(BadValue, match="hosts"):
        stored.read({"hosts": {"1": {**good, **wrong}}})


def test_a_host_stands_once() -> None:
    one = {"id": "h2", "invitation": None, "invited_until": None, "joined_at": None}
    with pytest.raises(BadValue, match="stands twice"):
        stored.read({"hosts": {"1": one, "2": {**one, "id": "H2"}}})


@pytest.mark.parametrize(
    ("theirs", "where"),
    [("0", "on h2"), ("2", "at the centre"), ("", "on h2"), ("x", "on h2"), ("9" * 5_000, "on h2")],
)
def test_a_host_that_speaks_otherwise_is_told_who_is_behind(theirs: str, where: str) -> None:
    hosts.check_format("h2", str(hosts.FORMAT))
    with pytest.raises(OtherFormat, match=r"host h2 is of format .*, its centre of 1") as refused:
        hosts.check_format("h2", theirs)
    assert refused.value.hint == f"upgrade evcs {where}, then there: evcs restart"
    assert len(refused.value.message) < 80


@pytest.mark.parametrize(("version", "where"), [(0, "at the centre"), (2, "here"), ("1", "here")])
def test_a_join_file_of_another_format_is_told_who_is_behind(version: object, where: str) -> None:
    with pytest.raises(BadValue, match=r"join file is of format .*, and this evcs reads 1") as no:
        join_file.parse(json.dumps({"evcs_join": version}).encode())
    assert where in no.value.hint


@pytest.mark.parametrize(
    ("before", "after", "there", "more"),
    [
        (("main", "process"), ("h2", "process"), FleetSize(1, 0, 1), FleetSize(0, 0, 1)),
        (("main", "pool"), ("h2", "process"), FleetSize(1, 0, 1), FleetSize(0, 0, 1)),
        (("h2", "process"), ("main", "process"), FleetSize(1, 0, 1), FleetSize(1)),
        (("h2", "pool"), ("main", "pool"), FleetSize(1, 0, 1), FleetSize(0, 1)),
        (("main", "pool"), ("main", "process"), FleetSize(1, 0, 1), FleetSize(1)),
        (("main", "process"), ("main", "pool"), None, None),
        (("h2", "process"), ("h3", "process"), None, None),
    ],
)
def test_a_move_is_asked_for_what_it_takes_of_the_centre(
    before: tuple[str, str], after: tuple[str, str], there: FleetSize | None, more: FleetSize | None
) -> None:
    """As a create is: processes here, and the broker's connections from elsewhere."""
    at = DesiredCp("HERE", "HERE", "in", "0.30", 22_000, "", "main", False, False, 1)
    cps = [at, at._replace(cp="FAR", id="FAR", host="h2")]
    cps.append(at._replace(cp="GOES", id="GOES", host=before[0], hosting=before[1]))
    asked: list[tuple[FleetSize, FleetSize]] = []
    batch = Batch(
        {cp.id: cp for cp in cps}, {}, {}, 1,
        Hosts("main", {"h2": THERE, "h3": THERE._replace(name="h3")}),
        Stamp(AT, lambda: "token"), lambda *sizes: asked.append(sizes),
    )  # fmt: skip
    batch.edit("GOES", {"host": after[0], "hosting": after[1]})
    assert asked == ([] if there is None else [(there, more)])
