"""A CP's processes and log on its page: asked of its host's CP Manager, by Central."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evcs.core import messages as m
from evcs.core.cp_manager_ports import Process
from evcs.services.web.cp_api import MOST_PAGES
from tests.web.stage import Stage, wait_for

CP = "CP-001"
DETAIL = f"/api/v1/cps/{CP}/detail"


@pytest.fixture
def asked(stage: Stage) -> Iterator[Stage]:
    """One CP here and one elsewhere; Central answers as a test says."""
    before = dict(stage.answers)
    stage.wants(CP)
    stage.wants("CP-002", host="h2")
    stage.judges(CP, "ACTIVATED")
    wait_for(lambda: len(stage.get("/api/v1/cps").json) == 2, "web knows both")
    stage.asked.clear()
    yield stage
    stage.answers = before


def process(role: str, pid: int, state: str = "RUNNING") -> dict[str, Any]:
    """Of a host whose clock is a day ahead."""
    return Process(CP, role, state, pid, int(time.time()) + 86_310, 90, "")._asdict()


def verbs(stage: Stage) -> list[tuple[str, str | None]]:
    return [(one.verb, one.cp) for one in stage.asked]


def test_its_processes_are_those_that_its_cp_manager_has(asked: Stage) -> None:
    told = [process("monitor", 0, "BACKOFF"), process("engine", 4_711)]
    asked.answers["processes"] = {"processes": told}
    engine, monitor = asked.get(DETAIL, **asked.bearer()).json["processes"]
    assert (engine["role"], engine["state"], engine["pid"]) == ("engine", "RUNNING", 4_711)
    assert engine["uptime_s"] == 90
    assert (monitor["pid"], monitor["uptime_s"]) == (None, None)
    assert verbs(asked) == [("processes", CP)]


def test_a_cp_manager_that_can_not_be_asked_leaves_the_rest(asked: Stage, page: Page) -> None:
    asked.answers["processes"] = "unreachable"
    found = asked.get(DETAIL, **asked.bearer())
    assert (found.status, found.json["processes"]) == (200, None)
    page.goto(f"{asked.url}/cp/{CP}")
    expect(page.get_by_text("Not known: Central or the CP Manager")).to_be_visible()


def test_without_central_it_is_said_at_once(asked: Stage) -> None:
    central = asked.voice("central")
    central.publish(m.ServiceStatus("central", False, "boot-central"))
    wait_for(lambda: not asked.get("/healthz").json["central"], "web knows")
    found = asked.get(f"/api/v1/cps/{CP}/restart", "POST", **asked.bearer())
    assert found.status == 503
    assert found.json["error"]["message"].startswith("Central is not there; see")
    assert asked.get(DETAIL, **asked.bearer()).json["processes"] is None
    assert asked.asked == []
    central.publish(m.ServiceStatus("central", True, "boot-central", "0.1.0"))
    wait_for(lambda: asked.get("/healthz").json["central"], "web knows")


def test_a_restart_is_asked_for(asked: Stage) -> None:
    found = asked.get(f"/api/v1/cps/{CP}/restart", "POST", **asked.bearer())
    assert (found.status, found.json) == (202, {"id": CP})
    assert verbs(asked) == [("restart", CP)]
    asked.answers["restart"] = "conflict"
    found = asked.get(f"/api/v1/cps/{CP}/restart", "POST", **asked.bearer())
    assert found.status == 409
    assert found.json["error"]["message"] == "restart: so it is; do that"


def test_restarts_in_a_pool_are_counted_too(asked: Stage) -> None:
    one = {**process("engines", 4_711), "group": "_pool-1"}
    asked.answers["processes"] = {"processes": [one]}

    def restarts() -> int:
        (found,) = asked.get("/api/v1/cps/CP-002/detail", **asked.bearer()).json["processes"]
        assert (found["role"], found["plays"]) == ("engines", "engine")
        return int(found["restarts"])

    before = restarts()
    for boot in ("first", "second"):
        asked.voice("registry").publish(m.EngineStatus("CP-002", True, boot))
    wait_for(lambda: restarts() > before, "one is counted")


@pytest.mark.parametrize("bad", [{}, {"role": "both"}, {"role": 1}, []])
def test_only_an_engine_or_a_monitor_is_killed(asked: Stage, bad: object) -> None:
    path = "/api/v1/cps/CP-002/kill"
    assert asked.get(path, "POST", {"role": "engine"}).status == 401
    assert asked.get(path, "POST", bad, **asked.bearer()).status == 400
    assert verbs(asked) == []


def test_one_role_is_killed_from_its_page(asked: Stage, page: Page) -> None:
    told = [process("engines", 4_711), process("monitors", 0, "BACKOFF")]
    asked.answers["processes"] = {"processes": [{**one, "group": "_pool-1"} for one in told]}
    asked.answers["kill"] = {"pid": 4_711}
    page.goto(f"{asked.url}/cp/CP-002")
    kill = page.locator('[data-role="engines"]').get_by_role("button", name="Kill")
    expect(kill).to_be_disabled()
    page.goto(asked.login_url("/cp/CP-002"))
    expect(page.locator('[data-role="monitors"]').get_by_role("button")).to_be_disabled()
    kill.click()
    wait_for(lambda: ("kill", "CP-002") in verbs(asked), "Central is asked")
    (one,) = [one for one in asked.asked if one.verb == "kill"]
    assert one.role == "engine"


def test_a_log_that_can_not_be_had_is_said(asked: Stage, page: Page) -> None:
    asked.answers["log"] = "unreachable"
    page.goto(f"{asked.url}/cp/CP-002")
    expect(page.locator(".card", has_text="evcs-cp logs")).to_contain_text("so it is")


def test_a_log_of_this_host_is_read_from_its_file(asked: Stage) -> None:
    (asked.home.log / f"{CP}.engine.log").write_text("one\ntwo\n")
    # Of the page that a test before has open, an answer may be kept for a moment.
    wait_for(
        lambda: asked.get(f"/api/v1/cps/{CP}/log").json == {"lines": ["one", "two"]}, "it is read"
    )
    assert asked.asked == []


def test_a_log_of_another_host_comes_in_pages(asked: Stage) -> None:
    page = {"lines": [f"line {n}" for n in range(200)], "more": True, "next": "16000"}
    asked.answers["log"] = page
    found = asked.get("/api/v1/cps/CP-002/log?role=monitor", **asked.bearer()).json["lines"]
    assert len(found) == 500
    assert [one.after for one in asked.asked] == [None, "16000", "16000"]
    assert {(one.verb, one.cp, one.role) for one in asked.asked} == {("log", "CP-002", "monitor")}
    asked.asked.clear()
    asked.answers["log"] = {"lines": ["one"], "next": "1:1"}
    found = asked.get("/api/v1/cps/CP-002/log?role=monitor", **asked.bearer()).json["lines"]
    assert len(found) == len(asked.asked) == MOST_PAGES, "no more, whatever it says"
    asked.answers["log"] = {"lines": ["only one"], "more": False, "next": None}
    assert asked.get("/api/v1/cps/CP-002/log").json == {"lines": ["only one"]}
    asked.answers["log"] = "unreachable"
    assert asked.get("/api/v1/cps/CP-002/log", **asked.bearer()).status == 503
