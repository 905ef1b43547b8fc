"""What the operator has done to a host's processes, over a CP Manager of which all is known."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from evcs.core import messages as m
from evcs.core.cp_manager_ports import LogPage, Process
from evcs.core.errors import Unreachable
from evcs.services.cp_manager.actuator import (
    ENDED_WITHIN_S,
    LOOK_EVERY_S,
    MOST_REMEMBERED,
    Actuator,
)
from evcs.services.cp_manager.pools import Pools
from tests.unit.fakes import FakeProbe
from tests.unit.host_fakes import FakeMembers, FakeProcessHost, FakeSections
from tests.unit.test_cp_manager import CP, DELETED, REVOKED, WANTED
from tests.unit.test_cp_manager import Stage as ManagerStage

MACHINE = {"at": "2026-11-30T12:00:00.000Z", "address": "10.0.0.2"}
ELSEWHERE = WANTED._replace(cp="CP-2", id="CP-2", host="h2")


class Host(FakeProcessHost):
    """One that may be gone."""

    gone = False

    def processes(self) -> list[Process]:
        """Unless it is."""
        if self.gone:
            raise Unreachable("supervisord is not running here", "start it: evcs up")
        return super().processes()


class Stage:
    """An actuator of a host on which one CP runs."""

    def __init__(self) -> None:
        self.now = 100.0
        self.files = FakeSections()
        self.files.write(CP)
        self.host = Host(self.files)
        self.host.add([CP])
        self.desired = {CP: WANTED, "CP-2": ELSEWHERE}
        self.asked: list[tuple[str, str, str | None]] = []
        self.probes: dict[tuple[str, str], FakeProbe] = defaultdict(lambda: FakeProbe({}))
        self.pools = Pools(FakeMembers(), lambda unit, role: self.probes[unit, role])
        self.actuator = Actuator(
            "main", self.desired.get, self.host, self.pools, self._log, lambda: MACHINE,
            lambda: self.now,
        )  # fmt: skip
        self._ids = 0

    def _log(self, cp: str, role: str, after: str | None) -> LogPage:
        self.asked.append((cp, role, after))
        return LogPage(["one", "two"], "0:fa0" if after is None else None)

    def do(self, verb: str, cp: str = CP, id_: str = "", **more: str) -> m.ManagerReply:
        """Its answer to a command."""
        self._ids += 1
        command = m.ManagerCommand("main", verb, id_ or f"r{self._ids}", cp, **more)
        (reply,) = self.actuator.carry_out([command])
        return reply

    def after(self, seconds: float = LOOK_EVERY_S) -> dict[str, int]:
        """What runs when it has looked again."""
        self.now += seconds
        self.actuator.look(self.now)
        return self.pids()

    def pids(self) -> dict[str, int]:
        """What runs."""
        return {one.name: one.pid for one in self.host.processes() if one.pid}


def code(reply: m.ManagerReply) -> str | None:
    assert reply.ok == (reply.error is None)
    assert reply.ok or reply.body["message"]
    return reply.error


def test_a_restart_is_begun_and_gone_on_with_at_later_looks() -> None:
    stage = Stage()
    before = stage.pids()
    stage.host.hanging = {CP}
    assert stage.do("restart", id_="r") == m.ManagerReply("main", "r", True, None, {})
    assert stage.after() == before, "it takes its time"
    stage.host.hanging = set()
    stage.host.begin_stop([CP])
    now = stage.after()
    assert now.keys() == before.keys()
    assert not set(now.values()) & set(before.values())
    assert stage.after() == now, "once"


def test_a_host_tells_its_time_and_its_address_whatever_runs_there() -> None:
    stage = Stage()
    stage.desired.clear()
    assert stage.do("host", cp="") == m.ManagerReply("main", "r1", True, None, MACHINE)
    assert code(stage.do("restart", cp="")) == "unreachable"


def test_restarts_of_one_batch_are_begun_by_one_call() -> None:
    stage = Stage()
    others = [f"CP-{n}" for n in range(10, 15)]
    for cp in others:
        stage.files.write(cp)
        stage.desired[cp] = WANTED._replace(cp=cp, id=cp)
    stage.host.add(others)
    stage.desired["CP-14"] = REVOKED._replace(cp="CP-14", id="CP-14")
    before = {one: one.pid for one in stage.host.processes()}
    batch = [m.ManagerCommand("main", "restart", f"r-{cp}", cp) for cp in [*others, others[0]]]
    replies = stage.actuator.carry_out(batch)
    assert [one.ok for one in replies] == [True] * 4 + [False, True]
    assert [set(groups) for what, groups in stage.host.calls if what == "begin_stop"] == [
        set(others[:4])
    ]
    stage.after()
    same = {one.group for one in stage.host.processes() if one in before}
    assert same == {CP, "CP-14"}


def test_one_that_never_ends_is_given_up() -> None:
    stage = Stage()
    stage.host.hanging = {CP}
    stage.do("restart")
    before = stage.pids()
    assert stage.after(ENDED_WITHIN_S + 1.0) == before
    stage.host.hanging = set()
    stage.host.begin_stop([CP])
    assert stage.after(1.0) == {}, "started anew by the CP Manager, as any that was stopped"


def test_a_host_that_is_gone_in_a_restart_is_asked_again() -> None:
    stage = Stage()
    stage.do("restart")
    stage.host.gone = True
    stage.now += LOOK_EVERY_S
    stage.actuator.look(stage.now)
    wait_s = stage.actuator.due_at - stage.now
    assert LOOK_EVERY_S < wait_s < 10.0
    stage.host.gone = False
    assert len(stage.after(wait_s)) == 2


def test_a_kill_names_the_process_that_is_gone() -> None:
    stage = Stage()
    before = stage.pids()
    assert stage.do("kill", role="engine").body == {"pid": before["engine"]}
    now = stage.pids()
    assert now["engine"] != before["engine"]
    assert now["monitor"] == before["monitor"]
    stage.host.stop([CP])
    reply = stage.do("kill", role="engine")
    assert code(reply) == "conflict"
    assert reply.body["message"] == f"{CP}:engine does not run now"
    assert reply.body["hint"] == f"see: evcs-cp show {CP}"


@pytest.mark.parametrize("verb", ["restart", "kill"])
def test_a_command_that_comes_again_is_answered_and_not_done_again(verb: str) -> None:
    stage = Stage()
    first = stage.do(verb, id_="r", role="engine")
    now = stage.after()
    assert stage.do(verb, id_="r", role="engine") == first
    assert stage.after() == now
    for _ in range(MOST_REMEMBERED):
        stage.do("restart", cp="CP-2")
    stage.after()
    stage.do(verb, id_="r", role="engine")
    assert stage.after() != now, "of those that are long ago none is known"


def test_processes_are_those_of_the_cp() -> None:
    stage = Stage()
    found = stage.do("processes").body["processes"]
    assert [(one["group"], one["name"], one["state"]) for one in found] == [
        (CP, "engine", "RUNNING"), (CP, "monitor", "RUNNING"),
    ]  # fmt: skip
    assert {one["name"]: one["pid"] for one in found} == stage.pids()


def test_a_log_comes_in_pages() -> None:
    stage = Stage()
    first = stage.do("log", role="monitor").body
    assert first == {"lines": ["one", "two"], "more": True, "next": "0:fa0"}
    last = stage.do("log", role="monitor", after=first["next"]).body
    assert (last["more"], last["next"]) == (False, None)
    assert stage.asked == [(CP, "monitor", None), (CP, "monitor", "0:fa0")]


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("nothing", {}), ("kill", {}), ("kill", {"role": "nobody"}), ("log", {"role": "../../x"}),
    ],
)  # fmt: skip
def test_what_is_no_command_is_refused(verb: str, more: dict[str, str]) -> None:
    stage = Stage()
    before = stage.pids()
    assert code(stage.do(verb, **more)) == "bad_value"
    assert stage.after() == before
    assert stage.asked == []


@pytest.mark.parametrize("verb", ["restart", "kill", "processes", "log"])
@pytest.mark.parametrize("cp", ["CP-2", "CP-404", "../CP-1"])
def test_a_host_answers_for_its_own_cps_alone(verb: str, cp: str) -> None:
    stage = Stage()
    assert code(stage.do(verb, cp=cp, role="engine")) == "unreachable"
    assert stage.asked == []


@pytest.mark.parametrize("verb", ["restart", "kill", "processes"])
def test_a_host_without_its_supervisord_says_so(verb: str) -> None:
    stage = Stage()
    stage.host.gone = True
    reply = stage.do(verb, role="engine")
    if verb == "restart":
        stage.host.gone = False
    assert code(reply) == "unreachable"
    assert reply.body["hint"] == "start it: evcs up"


@pytest.mark.parametrize("desired", [REVOKED, DELETED])
def test_what_is_not_to_run_is_not_restarted(desired: m.DesiredCp) -> None:
    stage = Stage()
    stage.desired[CP] = desired
    assert code(stage.do("restart")) == "conflict"
    assert code(stage.do("processes")) is None


def test_the_cp_manager_answers_and_goes_on_by_itself() -> None:
    stage = ManagerStage()
    stage.hear(WANTED)
    before = {one.pid for one in stage.host.processes()}
    command = m.ManagerCommand("main", "restart", "r1", CP)
    assert stage.hear(command) == [m.ManagerReply("main", "r1", True, None, {})]
    said: list[Any] = stage.after(LOOK_EVERY_S)
    assert said == []
    now = {one.pid for one in stage.host.processes()}
    assert len(now) == 2
    assert not now & before


def test_a_pool_that_hangs_is_waited_for_once_by_all_that_are_to_be_restarted() -> None:
    stage = Stage()
    names = [f"POOL-{number}" for number in range(9)]
    for cp in names:
        stage.desired[cp] = WANTED._replace(cp=cp, id=cp, hosting="pool", pool=1)
    commands = [m.ManagerCommand("main", "restart", cp, cp) for cp in names]
    stage.probes["_pool-1", "engines"].hangs = True
    assert all(reply.ok for reply in stage.actuator.carry_out(commands))
    assert len(stage.probes["_pool-1", "engines"].ended_ones) == 1
    assert sorted(stage.probes["_pool-1", "monitors"].ended_ones) == names
