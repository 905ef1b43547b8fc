"""The Registry's hosts over real files: who joins is let in, who is removed is not, nor its CPs."""

from __future__ import annotations

import contextlib
import json
import time
from wsgiref.util import setup_testing_defaults

import pytest

from evcs.core import messages as m
from evcs.core import said, topics
from evcs.core.audit import FLOOD
from evcs.core.errors import BadValue, Conflict, Denied, EvcsError, NotFound, Unreachable
from evcs.core.hosts import FORMAT, Host
from evcs.core.identities import SERVICES, of_cp
from evcs.core.ports import Connected, Received, Stray
from evcs.home import Home
from evcs.services.registry import host_api, hosts, http
from evcs.services.registry.changes import Batch
from evcs.services.registry.senders import A_STRANGE_REPORT, REPORTS_AT_ONCE
from evcs.services.registry.unread import Unread
from evcs.services.turns import Turns
from tests.adapters.test_registry import Stage

AT = "2026-11-22T09:00:00.000Z"


@pytest.fixture
def stage(home: Home) -> Stage:
    return Stage(home)


def with_host(stage: Stage, name: str = "h2") -> str:
    """Have it joined; its password."""
    stage.ask(hosts.invite, {"name": name}, "once")
    assert stage.ask(hosts.join, "once") == Host(name, joined_at=AT)
    return stage.secrets.read(f"manager/{name}")


def test_a_host_is_let_in_once_it_has_joined_and_out_once_it_is_removed(stage: Stage) -> None:
    invited = stage.ask(hosts.invite, {"name": "h2", "ttl_s": 60}, "once")
    assert invited.invited_until == "2026-11-22T09:01:00.000Z"
    assert stage.let_in() == set(SERVICES)
    stage.ask(hosts.join, "once")
    assert stage.let_in() == {*SERVICES, "manager/h2"}
    assert "user manager/h2\n" in stage.home.access.read_text()
    assert Stage(stage.home).let_in() == {*SERVICES, "manager/h2"}
    stage.ask(hosts.remove, "h2")
    assert stage.let_in() == set(SERVICES)
    assert "h2" not in stage.home.access.read_text()
    assert stage.secrets.names("manager") == ["main"]
    assert (stage.registry.hosts, stage.store.hosts()) == ({}, {})
    assert stage.audited() == ["host add", "host join", "host remove"]


def test_an_invitation_is_good_once(stage: Stage) -> None:
    with_host(stage)
    for secret in ("once", "", "another"):
        with pytest.raises(Denied):
            stage.ask(hosts.join, secret)


def test_who_joins_again_has_other_secrets_and_its_cps_stay(stage: Stage) -> None:
    """A machine that had that name before may run on: nothing there is anybody any more."""
    before = with_host(stage)
    for cp, host in (("CP-1", "h2"), ("CP-2", "h2"), ("CP-3", "main")):
        stage.ask(Batch.create, {"id": cp, "host": host})
    stage.ask(Batch.edit, "CP-2", {"host": "main"})
    cps = {cp: stage.secrets.read(of_cp(cp)[0]) for cp in stage.registry.cps}
    placed = stage.registry.cps["CP-1"].placement
    assert with_host(stage) != before
    now = {cp: stage.secrets.read(of_cp(cp)[0]) for cp in cps}
    assert {cp for cp in cps if now[cp] != cps[cp]} == {"CP-1"}, "CP-2 has to tell how it ended"
    assert stage.registry.cps["CP-1"].placement == placed


def test_a_join_that_could_not_be_written_leaves_all_as_it_was(stage: Stage) -> None:
    before = with_host(stage)
    stage.ask(hosts.invite, {"name": "h2"}, "again")
    stage.store.full = True
    with pytest.raises(EvcsError, match="no space"):
        stage.ask(hosts.join, "again")
    assert stage.secrets.read("manager/h2") == before
    stage.store.full = False
    stage.ask(hosts.join, "again")
    assert stage.secrets.read("manager/h2") != before


def test_a_secret_of_a_host_that_never_was_committed_goes(stage: Stage) -> None:
    stage.secrets.create("manager/h9")
    assert Stage(stage.home).secrets.names("manager") == ["main"]


def test_a_host_is_named_once_whatever_the_case(stage: Stage) -> None:
    with_host(stage)
    with pytest.raises(Conflict, match="host h2 exists already"):
        stage.ask(hosts.invite, {"name": "H2"}, "x")
    wrongs: tuple[object, ...] = (
        {}, {"name": "h3", "more": 1}, {"name": "main"}, [], {"name": "h3", "ttl_s": 0},
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(BadValue):
            stage.ask(hosts.invite, wrong, "x")
    with pytest.raises(NotFound):
        stage.ask(hosts.remove, "h3")


def test_a_cp_may_be_where_a_machine_has_joined_and_a_charger_at_the_centre(stage: Stage) -> None:
    with pytest.raises(BadValue, match="'h2' is not a host"):
        stage.ask(Batch.create, {"id": "CP-1", "host": "h2"})
    stage.ask(hosts.invite, {"name": "h2"}, "once")
    with pytest.raises(BadValue, match="has not joined"):
        stage.ask(Batch.create, {"id": "CP-1", "host": "h2"})
    stage.ask(hosts.join, "once")
    assert stage.ask(Batch.create, {"id": "CP-1", "host": "h2"}).host == "h2"
    with pytest.raises(BadValue, match="dials in at main"):
        stage.ask(Batch.create, {"id": "CP-2", "host": "h2", "hosting": "ocpp"})
    stage.ask(Batch.create, {"id": "CP-2", "hosting": "ocpp"})
    with pytest.raises(BadValue, match="dials in at main"):
        stage.ask(Batch.edit, "CP-2", {"host": "h2"})


def test_a_cp_that_is_deleted_waits_for_the_host_that_has_it(stage: Stage) -> None:
    with_host(stage)
    made = stage.ask(Batch.create, {"id": "CP-1", "host": "h2"})
    stage.ask(Batch.delete, "CP-1")
    assert stage.registry.cps["CP-1"].deleted
    report = m.ReconcileReport("h2", "CP-1", True, 2, released=made.placement)
    stage.registry.handle([Received(report, False)])
    assert stage.registry.cps == {}


def test_a_host_with_cps_is_not_removed(stage: Stage) -> None:
    with_host(stage)
    stage.ask(Batch.create, {"id": "CP-1", "host": "h2"})
    with pytest.raises(Conflict, match="host h2 has CP-1"):
        stage.ask(hosts.remove, "h2")
    stage.ask(Batch.edit, "CP-1", {"host": "main"})
    with pytest.raises(Conflict, match="host h2 has CP-1"):
        stage.ask(hosts.remove, "h2")


def test_who_has_a_back_end_does_not_move_and_the_hint_says_so(stage: Stage) -> None:
    with_host(stage)
    stage.ask(Batch.create, {"id": "CP-1", "host": "h2", "backend": "ws://127.0.0.1:9/"})
    with pytest.raises(Conflict, match="host h2 has CP-1") as refused:
        stage.ask(hosts.remove, "h2")
    assert "evcs-cp delete CP-1;" in refused.value.hint
    stage.ask(Batch.create, {"id": "CP-2", "host": "h2"})
    with pytest.raises(Conflict) as refused:
        stage.ask(hosts.remove, "h2")
    assert "evcs host drain h2" in refused.value.hint


def test_the_bus_has_who_may_be_there_and_nothing_of_who_was_removed(stage: Stage) -> None:
    stage.ask(hosts.invite, {"name": "h2", "ttl_s": 60}, "once")
    (invited,) = stage.bus.taken()
    assert invited == m.DesiredHost("h2", None, "2026-11-22T09:01:00.000Z")
    stage.ask(hosts.join, "once")
    assert stage.bus.taken() == [m.DesiredHost("h2", AT)]
    stage.ask(Batch.create, {"id": "CP-1", "host": "h2"})
    stage.registry.handle([Connected()])
    assert m.DesiredHost("h2", AT) in stage.bus.taken()
    stage.ask(hosts.remove, "h2", "main")
    gone = [
        m.Cleared(m.ReconcileReport, {"host": "h2", "cp": "CP-1"}),
        m.Cleared(m.DesiredHost, {"host": "h2"}),
        m.Cleared(m.ServiceStatus, {"service": "manager/h2"}),
    ]
    assert [one for one in stage.bus.taken() if isinstance(one, m.Cleared)] == gone
    late = (
        m.ReconcileReport("h2", "CP-1", True, 2), m.DesiredHost("h2", AT),
        m.ServiceStatus("manager/h2", False, "b"),
    )  # fmt: skip
    stage.registry.handle([Received(one, False) for one in late])
    assert stage.bus.taken() == gone, "what comes after, too"
    stage.registry.handle([Received(m.ServiceStatus("manager/main", True, "b"), False)])
    assert stage.bus.taken() == []


def test_of_a_lost_host_nothing_is_waited_for(stage: Stage) -> None:
    """What stays there, what was leaving, what was coming, and what was being deleted."""
    with_host(stage)
    for name in ("STAYS", "LEAVES", "GOES"):
        stage.ask(Batch.create, {"id": name, "host": "h2"})
    stage.ask(Batch.create, {"id": "COMES"})
    stage.ask(Batch.edit, "LEAVES", {"host": "main"})
    stage.ask(Batch.edit, "COMES", {"host": "h2"})
    stage.ask(Batch.delete, "GOES")
    before = {cp: [stage.secrets.read(who) for who in of_cp(cp)] for cp in stage.registry.cps}
    for wrong, error in (("h2", Conflict), ("h9", NotFound)):
        with pytest.raises(error):
            stage.ask(hosts.remove, "h2", wrong)
    stage.ask(hosts.remove, "h2", "main")
    found = stage.registry.cps
    assert {cp: (one.host, one.previous_host) for cp, one in found.items()} == {
        "STAYS": ("main", None), "LEAVES": ("main", None), "COMES": ("main", "main"),
    }  # fmt: skip
    for cp in ("STAYS", "LEAVES", "COMES"):
        now = [stage.secrets.read(who) for who in of_cp(cp)]
        assert not set(now) & set(before[cp]), "what comes back of the machine is nobody"
    assert stage.secrets.names("cp") == ["COMES", "LEAVES", "STAYS"]


def test_who_shows_a_hosts_secret_waits_for_no_stranger(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = with_host(stage)

    def full(_: Turns) -> None:
        raise Unreachable("too many ask at once", "try again in a moment")

    monkeypatch.setattr(Turns, "wait", full)
    app = http.build_app(stage.registry, lambda: None, lambda: False)
    said: list[str] = []
    for shown in (secret, "x" * 43):
        environ = {
            "PATH_INFO": host_api.SECRETS, "QUERY_STRING": f"format={FORMAT}",
            "HTTP_HOST": "127.0.0.1", "HTTP_AUTHORIZATION": f"Bearer {shown}",
        }  # fmt: skip
        setup_testing_defaults(environ)
        b"".join(app(environ, lambda status, _headers, _error=None: said.append(status)))
    assert said == ["200 OK", "503 Service Unavailable"]


def test_a_report_that_is_not_its_hosts_is_taken_away(stage: Stage) -> None:
    stage.ask(Batch.create, {"id": "CP-1"})
    with_host(stage)
    stage.bus.taken()
    for host, cp in (("h2", "CP-1"), ("h2", "CP-9"), ("main", "CP-9"), ("main", "CP-1")):
        stage.registry.handle([Received(m.ReconcileReport(host, cp, True, 1), True)])
    gone, report = m.Cleared(m.DesiredCp, {"cp": "CP-9"}), m.ReconcileReport
    assert stage.bus.taken() == [
        m.Cleared(report, {"host": "h2", "cp": "CP-1"}),
        gone, m.Cleared(report, {"host": "h2", "cp": "CP-9"}),
        gone, m.Cleared(report, {"host": "main", "cp": "CP-9"}),
    ]  # fmt: skip


def test_a_host_that_reports_without_end_is_shut_out(stage: Stage) -> None:
    with_host(stage)
    stage.bus.taken()
    most = int(REPORTS_AT_ONCE / A_STRANGE_REPORT)
    reports = [m.ReconcileReport("h2", f"X{number}", True, 1) for number in range(2 * most)]
    stage.registry.handle([Received(one, True) for one in reports])
    assert len(stage.bus.taken()) == 4 * most, "what the broker kept is no flood"
    stage.registry.handle([Received(one, False) for one in reports])
    assert len(stage.bus.taken()) == 3 * most, "all is taken away"
    assert "manager/h2" not in stage.let_in()
    assert stage.audited()[-1] == FLOOD
    ours = [one._replace(host="main") for one in reports]
    stage.registry.handle([Received(one, False) for one in ours])
    assert len(stage.bus.taken()) == 4 * most, "our own is not counted"


@pytest.mark.parametrize("name", ["CP-1", " no id "])
def test_what_a_host_reports_that_is_not_read_is_not_kept_and_counts_by_its_length(
    stage: Stage, name: str
) -> None:
    strays: list[Stray] = []
    unread = Unread(stage.clock.monotonic, strays.append)
    payload = json.dumps({f"k{number}": number for number in range(5_000)}).encode()
    most = said.FLOOD_AT_ONCE // said.cost(payload)
    began = time.process_time()
    for host in ("h2", "main"):
        for number in range(2_000):
            with pytest.raises(topics.Unreadable):
                unread(f"evcs/v1/manager/{host}/cp/{name}{number}", payload)
            assert bool(unread.floods()) == (host == "h2" and number >= most)
    assert time.process_time() - began < 1.0, "none is looked into"
    stage.registry.handle(strays[:1])
    gone = topics.clear_stray(f"evcs/v1/manager/h2/cp/{name}0")
    stage.registry.bus.publish(gone)
    taken = stage.bus.taken()
    assert taken == [taken[0]] * 2
    with contextlib.suppress(topics.Unreadable):
        unread(gone.topic, gone.payload)
    assert len(strays) == 4_000, "and that is not taken away again"
