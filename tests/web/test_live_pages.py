"""A page that says Live follows what goes on, by itself; what is being done stays to be seen."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from evcs.adapters.ledger import Ledger
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.session import Phase, Session
from tests.web.conftest import SESSION, stop
from tests.web.stage import Stage, wait_for
from tests.web.test_sessions import session

LIVE = {**SESSION, "session_id": "live"}


def put(stage: Stage, one: Session) -> None:
    """A session as the ledger has it now."""
    ledger = Ledger(stage.home.ledger_db)
    ledger.commit([one], [], [])
    ledger.close()


def running(session_id: str) -> Session:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return session(1, 1)._replace(
        session_id=session_id, cp="CP-002", phase=Phase.SUPPLYING, started_at=now, ended_at=None,
        cost_eur=None, energy_wh=0,
    )  # fmt: skip


def test_sessions_and_todays_sums_follow_a_charge(fleet: Stage, page: Page) -> None:
    put(fleet, session(3, 1))
    dashboard = page.context.new_page()
    dashboard.goto(fleet.url)
    today = dashboard.locator(".total", has_text="Today")
    expect(today).to_contain_text("0.0 kWh")
    page.goto(f"{fleet.url}/sessions.html")
    expect(page.locator("#sessions tbody tr")).to_have_count(1)
    put(fleet, running("live"))
    fleet.judges("CP-002", "SUPPLYING", **LIVE)
    row = page.locator('[data-session="live"]')
    expect(row).to_contain_text("1.24")
    expect(row).to_contain_text("active")
    fleet.judges("CP-002", "SUPPLYING", **{**LIVE, "energy_wh": 2_500, "cost_eur": "0.75"})
    expect(row).to_contain_text("2.50")
    expect(row).to_contain_text("0.75")
    put(fleet, running("live")._replace(
        phase=Phase.SETTLED, ended_at="2026-11-30T09:00:00.000Z", energy_wh=3_000, cost_eur="0.90",
        reason="driver"))  # fmt: skip
    fleet.judges("CP-002", "ACTIVATED")
    for text in ("settled", "3.00", "stopped by driver"):
        expect(row).to_contain_text(text)
    dashboard.bring_to_front()
    expect(today).to_contain_text("3.0 kWh")
    dashboard.close()


def test_drivers_and_their_cards_come_by_themselves(fleet: Stage, page: Page) -> None:
    drivers = [{"id": "ALICE", "tags": []}]
    page.route("**/api/v1/drivers", lambda route: route.fulfill(json=drivers))
    page.goto(fleet.login_url("/drivers.html"))
    expect(page.locator("[data-driver]")).to_have_count(1)
    drivers[0]["tags"] = ["04A224D2"]
    drivers.append({"id": "BOB", "tags": []})
    fleet.voice("registry").publish(m.DesiredDriver("BOB", "BOB"))
    expect(page.locator('[data-driver="BOB"]')).to_be_visible()
    expect(page.locator('[data-driver="ALICE"]')).to_contain_text("04A224D2")
    del drivers[0]
    fleet.voice("registry").publish(topics.clear(m.DesiredDriver, driver="ALICE"))
    expect(page.locator("[data-driver]")).to_have_count(1)


def test_what_is_being_done_is_there_after_a_look_elsewhere(fleet: Stage, page: Page) -> None:
    page.route(re.compile("/api/v1/cps/CP-001$"), lambda route: route.fulfill(json={"revision": 0}))
    page.goto(fleet.login_url("/cp_manager.html"))
    stop(page, "CP-001")
    job = page.locator('[data-job="CP-001"]')
    expect(job).to_contain_text("… recorded")
    page.goto(f"{fleet.url}/sessions.html")
    page.goto(f"{fleet.url}/cp_manager.html")
    expect(job).to_contain_text("… recorded")
    fleet.wants("CP-001", service="out")
    fleet.judges("CP-001", "OUT_OF_ORDER", "stopped by the operator")
    page.goto(f"{fleet.url}/cp/CP-001")
    expect(job).to_contain_text("✓ out of service")
    page.goto(f"{fleet.url}/cp_manager.html")
    expect(job).to_contain_text("✓ out of service")
    page.goto(f"{fleet.url}/cp/CP-001")
    expect(page.get_by_role("heading", name="Actions")).to_be_visible()
    expect(job).to_have_count(0)  # what is over is in its state, and its events


def test_what_was_not_sent_is_said(fleet: Stage, page: Page) -> None:
    asked: list[str] = []
    page.route(re.compile("/api/v1/cps/CP-00.$"), lambda route: asked.append(route.request.url))
    page.goto(fleet.login_url("/cp_manager.html"))
    page.get_by_label("Choose all").check()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Edit").last.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Price").fill("0.33")
    dialog.get_by_role("button", name="Save").click()
    wait_for(lambda: page.title() and len(asked) == 4, "four are asked for at once")
    page.goto(f"{fleet.url}/sessions.html")
    page.unroute_all()
    page.goto(f"{fleet.url}/cp_manager.html")
    jobs = page.locator("[data-job]")
    expect(jobs.filter(has_text="before it was answered: it may be done")).to_have_count(4)
    expect(jobs.filter(has_text="before it was sent: nothing was done")).to_have_count(1)


@pytest.mark.parametrize(("chosen", "off", "why"), [
    (("CP-001", "CP-002"), "Resume", "Each is in service already, or revoked"),
    (("CP-003",), "Stop", "It is out of service already"),
])  # fmt: skip
def test_what_can_be_done_to_none_of_those_chosen_is_off(
    fleet: Stage, page: Page, chosen: tuple[str, ...], off: str, why: str
) -> None:
    fleet.wants("CP-001", service="in")
    fleet.wants("CP-003", service="out")
    page.goto(fleet.login_url("/cp_manager.html"))
    bar = page.locator(".chosen")
    for name in chosen:
        page.get_by_label(f"Choose {name}").check()
    button = bar.get_by_role("button", name=off)
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", why)
    other = {"Stop": "Resume", "Resume": "Stop"}[off]
    expect(bar.get_by_role("button", name=other)).to_be_enabled()


def test_a_price_with_a_comma_is_shown_with_a_point(fleet: Stage, page: Page) -> None:
    page.goto(fleet.login_url("/cp_manager.html"))
    page.get_by_label("Price").fill("0,35")
    expect(page.get_by_text("with a point: 0.35")).to_be_visible()
    page.get_by_label("Power").fill("7,4")
    expect(page.get_by_text("with a point: 7.4")).to_be_visible()


def test_a_next_step_is_told_as_it_is_typed(fleet: Stage, page: Page) -> None:
    page.goto(f"{fleet.url}/session/none")
    expect(page.get_by_role("alert")).to_contain_text("list them with: bin/evcs sessions")
