"""What is done to a CP's processes goes by Central and its host's CP Manager alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import user
from evcs.config import load
from evcs.core import messages as m
from evcs.core import topics
from tests.system_under_test import Done, System, eventually

SOME_SECONDS = 30.0


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}")
    system.steady()
    return system


def cps_of(system: System) -> dict[str, int]:
    return {name: pid for name, pid in system.steady().items() if name.startswith("CP-")}


def run(system: System, line: str) -> Done:
    return system.run("evcs-cp", *line.split(), "--json", timeout=SOME_SECONDS)


@pytest.mark.parametrize(
    ("service", "named"), [("cp-manager", "CP Manager of host main"), ("central", "Central")]
)
def test_without_a_part_of_the_chain(fleet: System, service: str, named: str) -> None:
    before = cps_of(fleet)
    fleet.ok("supervisorctl", "stop", service)
    for line in ("restart CP-001", "kill CP-001 engine"):
        done = run(fleet, line)
        assert done.code == 6, done
        assert named in done.err
        assert "see: " in done.err
    shown = run(fleet, "show CP-001")
    assert shown.code == 6
    assert shown.json["id"] == "CP-001"
    assert shown.json["processes"] is None
    assert shown.json["error"]["code"] == "unreachable"
    assert fleet.ok("evcs-cp", "logs", "CP-001", "engine").out
    fleet.ok("supervisorctl", "start", service)
    assert cps_of(fleet) == before
    eventually("it is back", lambda: fleet.run("evcs-cp", "show", "CP-001").code == 0)


def test_many_are_restarted_at_once_and_no_other(fleet: System) -> None:
    before = cps_of(fleet)
    fleet.ok("evcs-cp", "restart", "CP-001", "CP-002")
    now = cps_of(fleet)
    assert {name for name in now if now[name] == before[name]} == {
        "CP-003:engine", "CP-003:monitor",
    }  # fmt: skip


def test_an_engine_that_hangs_is_restarted(fleet: System) -> None:
    before = cps_of(fleet)
    os.kill(before["CP-003:engine"], signal.SIGSTOP)
    assert "CP-003 ACTIVATED" in fleet.ok("evcs-cp", "restart", "CP-003").out
    assert not {before["CP-003:engine"]} & set(cps_of(fleet).values())


def test_a_restart_whose_manager_is_killed_comes_to_its_end(fleet: System) -> None:
    before = cps_of(fleet)
    os.kill(before["CP-002:engine"], signal.SIGSTOP)  # so it takes 10 s to end
    fleet.ok("evcs-cp", "restart", "CP-002", "--no-wait")
    os.kill(fleet.processes()["cp-manager"], signal.SIGKILL)
    fleet.wait_for_state("CP-002", "ACTIVATED", 60)
    assert not {before["CP-002:engine"]} & set(cps_of(fleet).values())


def test_a_request_that_comes_again_is_done_and_answered_once(fleet: System) -> None:
    before = cps_of(fleet)["CP-001:engine"]
    asked = m.OperatorRequest("operator", "kill", "the same", "CP-001", role="engine")
    answers: list[m.OperatorEvent] = []

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.OperatorEvent):
            answers.append(message)
        return any(one.id == "last" for one in answers)

    heard = [topics.filter_for(m.OperatorEvent, asker="operator")]
    with BusProbe(load(fleet.env), heard, "operator") as operator:
        assert operator.wait(lambda one: isinstance(one, m.ServiceStatus), 10.0)
        for _ in range(3):
            operator.publish(asked)
        operator.publish(asked._replace(id="last", verb="processes"))
        assert operator.wait(take, 10.0)
    assert [(one.id, one.ok) for one in answers] == [("the same", True), ("last", True)]
    assert answers[0].body["pid"] == before
    fleet.wait_for_state("CP-001", "ACTIVATED")


def test_what_was_done_is_in_the_audit(fleet: System) -> None:
    fleet.ok("evcs-cp", "kill", "CP-003", "monitor", "--no-wait")
    entries = fleet.ok("evcs", "audit", "--cp", "CP-003", "--json").json
    found = {(one["who"], one["what"], one["outcome"], one["detail"]) for one in entries}
    me = f"operator/{user()}"
    assert {(me, "kill", "asked", "monitor"), (me, "kill", "ok", "monitor"),
            (me, "restart", "ok", "")} <= found  # fmt: skip
