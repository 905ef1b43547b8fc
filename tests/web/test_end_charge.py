"""A charge is ended by the operator, on each page that shows it; what puts a CP right."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from evcs.core.session import Phase
from tests.web.conftest import SESSION
from tests.web.stage import Stage, wait_for
from tests.web.test_accessibility import serious
from tests.web.test_sessions import session, write

LIVE = {**SESSION, "session_id": "live"}


@pytest.fixture
def charging(fleet: Stage) -> Stage:
    """ALICE charges at CP-002."""
    write(fleet, session(1, 21)._replace(session_id="live", cp="CP-002", phase=Phase.SUPPLYING,
                                         ended_at=None, cost_eur=None))  # fmt: skip
    fleet.wants("CP-002")
    fleet.judges("CP-002", "SUPPLYING", **LIVE)
    wait_for(lambda: "live" in shown(fleet), "pages are shown the charge")
    fleet.asked.clear()
    fleet.answers["end"] = {}
    return fleet


def shown(stage: Stage) -> list[str]:
    """The sessions that a page has as it opens: those of web's last batch."""
    rows = stage.get("/api/v1/snapshot").json["cps"]
    return [row["session"]["session_id"] for row in rows if row["session"]]


def ends(stage: Stage) -> list[Any]:
    """The sessions that Central was asked to end."""
    return [one.session_id for one in stage.asked if one.verb == "end"]


def end_of(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("^End.*: ALICE at CP-002$"))


@pytest.mark.parametrize("path", ["/session/live", "/sessions.html", "/cp/CP-002"])
def test_a_charge_is_ended_where_it_is_seen(charging: Stage, page: Page, path: str) -> None:
    page.goto(charging.login_url(path))
    end_of(page).click()
    dialog = page.get_by_role("dialog", name="End the charge of ALICE at CP-002")
    expect(dialog.get_by_text("bin/evcs sessions end live")).to_be_visible()
    assert dialog.evaluate("e => e.scrollWidth <= e.clientWidth"), "none of it is cut off"
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert ends(charging) == []
    end_of(page).click()
    assert list(serious(page)) == []
    dialog.get_by_role("button", name="End this charge").click()
    wait_for(lambda: page.title() and ends(charging) == ["live"], "Central is asked once")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Ending")).to_be_disabled()


def test_why_a_charge_is_not_ended_is_said_in_its_question(charging: Stage, page: Page) -> None:
    charging.answers["end"] = "conflict"
    page.goto(charging.login_url("/session/live"))
    end_of(page).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="End this charge").click()
    expect(dialog.get_by_role("alert")).to_contain_text("so it is")


def test_a_driver_is_shown_charging_and_ended(charging: Stage, page: Page) -> None:
    page.route("**/api/v1/drivers", lambda route: route.fulfill(json=[
        {"id": "ALICE", "tags": ["04A224D2"]}, {"id": "BOB", "tags": []}]))  # fmt: skip
    page.goto(charging.login_url("/drivers.html"))
    row = page.locator('[data-driver="ALICE"]')
    expect(row).to_contain_text("CP-002 1.24 kWh")
    end_of(page).click()
    page.get_by_role("dialog").get_by_role("button", name="End this charge").click()
    wait_for(lambda: page.title() and ends(charging) == ["live"], "Central is asked")
    # Whose a card is already is said at the field of who shall have it.
    bob = page.locator('[data-driver="BOB"]')
    bob.get_by_label("New card of BOB").fill("04a224d2")
    expect(bob.locator(".wrong")).to_have_text("04a224d2 is on a card of ALICE already")
    expect(bob.get_by_role("button", name="Add card")).to_be_disabled()
    bob.get_by_label("New card of BOB").fill("04A2")
    bob.get_by_role("button", name="Add card").click()
    expect(bob.locator(".wrong")).to_contain_text("Registry")  # which is away
    expect(bob.get_by_label("New card of BOB")).to_have_value("04A2")
    expect(row.locator(".wrong")).to_be_empty()


def test_one_of_a_back_end_is_not_ours_to_end(charging: Stage, page: Page) -> None:
    charging.wants("CP-002", backend="ws://127.0.0.1:9/x")
    page.goto(charging.login_url("/cp/CP-002"))
    expect(page.get_by_role("button", name="End this charge")).to_be_disabled()
    page.goto(f"{charging.url}/sessions.html")
    expect(page.locator('[data-session="live"]')).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^End"))).to_have_count(0)


def test_what_puts_a_cp_right_stands_beside_its_reason(fleet: Stage, page: Page) -> None:
    fleet.observes("CP-004")
    fleet.wants("CP-004", service="out")
    fleet.wants("CP-003", service="out")
    fleet.wants("CP-005", revoked=True)
    fleet.judges("CP-005", "DISCONNECTED", "revoked")
    page.goto(fleet.login_url("/cp_manager.html"))
    for name, words in (("CP-003", "Resume"), ("CP-004", "Clear fault"), ("CP-005", "Rekey")):
        row = page.locator(f'tr[data-cp="{name}"]')
        expect(row.get_by_role("button", name=words)).to_be_visible()
        page.goto(f"{fleet.url}/cp/{name}")
        expect(page.locator(".title").get_by_role("button", name=words)).to_be_enabled()
        page.goto(f"{fleet.url}/cp_manager.html")
    # Broken and stopped, it says both.
    expect(page.locator('tr[data-cp="CP-004"] .note')).to_have_text(
        "fault: ground leak; stopped by the operator, too"
    )
    row = page.locator('tr[data-cp="CP-004"]')
    row.get_by_role("button", name="Clear fault").click()
    wait_for(lambda: page.title() and any(one.verb == "clear" for one in fleet.asked), "asked")
    # Resume would be refused.
    page.goto(f"{fleet.url}/cp/CP-005")
    expect(page.locator(".act").get_by_role("button", name="Resume")).to_be_disabled()


def test_a_cps_page_edits_it_and_plugs_in_no_second_car(charging: Stage, page: Page) -> None:
    charging.observes("CP-002")
    page.goto(charging.login_url("/cp/CP-002"))
    expect(page.get_by_role("button", name="Unplug it")).to_be_enabled()
    expect(page.get_by_role("button", name="Plug a car in")).to_be_disabled()
    page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit CP-002")
    dialog.get_by_label("Price").fill("0.45")
    sent: list[Any] = []

    def note(one: Request) -> None:
        if one.method == "PATCH":
            sent.append(one.post_data_json)

    page.on("request", note)
    dialog.get_by_role("button", name="Save").click()
    wait_for(lambda: page.title() and sent == [{"price_eur_kwh": "0.45"}], "it is sent")
    expect(dialog).to_have_count(0)
