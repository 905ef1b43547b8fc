"""The pages in Chromium, against a real broker and web process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.stage import Stage, wait_for

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PAGES = ("/", "/cp_manager.html", "/sessions.html", "/cp/CP-002")
HOSTILE = "<img src=x onerror=\"document.title='run'\">"
SESSION: dict[str, Any] = {
    "session_id": "s1", "driver": "ALICE", "energy_wh": 1_240, "power_w": 21_000,
    "cost_eur": "0.37",
}  # fmt: skip


def cp(page: Page, name: str) -> Any:
    return page.locator(f'[data-cp="{name}"]')


@pytest.fixture
def fleet(stage: Stage) -> Stage:
    """Five CPs, one in each state."""
    stage.wants("CP-001", location="North gate")
    stage.wants("CP-002", location=HOSTILE)
    for name in ("CP-003", "CP-004", "CP-005"):
        stage.wants(name)
    stage.judges("CP-001", "ACTIVATED")
    stage.judges("CP-002", "SUPPLYING", **SESSION)
    stage.judges("CP-003", "OUT_OF_ORDER", "stopped by the operator")
    stage.judges("CP-004", "BROKEN_DOWN", "fault: ground leak")
    stage.judges("CP-005", "DISCONNECTED", "monitor gone")
    states = {"ACTIVATED", "SUPPLYING", "OUT_OF_ORDER", "BROKEN_DOWN", "DISCONNECTED"}
    wait_for(
        lambda: {row["state"] for row in stage.get("/api/v1/snapshot").json["cps"]} == states,
        "web knows all five",
    )
    return stage


class TestEmpty:
    def test_it_says_how_to_create_the_first_both_ways(self, stage: Stage, page: Page) -> None:
        page.goto(stage.url)
        expect(page.get_by_text("bin/evcs-cp create CP-001")).to_be_visible()
        page.get_by_role("link", name="Open the CP Manager").click()
        expect(page.get_by_label("Name or range")).to_be_visible()

    def test_the_first_one_shows_by_itself(self, stage: Stage, page: Page) -> None:
        page.goto(stage.url)
        expect(page.get_by_text("No charging point yet")).to_be_visible()
        stage.wants("CP-900")
        expect(cp(page, "CP-900")).to_have_attribute("data-state", "DISCONNECTED")
        stage.judges("CP-900", "ACTIVATED")
        expect(cp(page, "CP-900")).to_have_attribute("data-state", "ACTIVATED")
        stage.wants("CP-900", deleted=True)
        expect(page.get_by_text("No charging point yet")).to_be_visible()


class TestDashboard:
    def test_each_state_as_word_icon_and_colour(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.url)
        words = {
            "CP-001": "Activated", "CP-002": "Supplying", "CP-003": "Out of order",
            "CP-004": "Broken down", "CP-005": "Disconnected",
        }  # fmt: skip
        shapes, colours = set(), set()
        for name, word in words.items():
            pill = cp(page, name).locator(".pill")
            expect(pill).to_have_text(word)
            shapes.add(pill.locator("path").get_attribute("d"))
            colours.add(pill.evaluate("e => getComputedStyle(e).backgroundColor"))
        assert len(shapes) == 5
        assert len(colours) == 5
        expect(cp(page, "CP-004")).to_contain_text("fault: ground leak")

    def test_a_charge_moves(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.url)
        row = cp(page, "CP-002")
        expect(row).to_contain_text("ALICE")
        expect(row.locator('[data-figure="power"]')).to_have_text("21.0 kW")
        more = {**SESSION, "energy_wh": 2_500, "power_w": 11_040, "cost_eur": "0.75"}
        fleet.judges("CP-002", "SUPPLYING", **more)
        expect(row.locator('[data-figure="power"]')).to_have_text("11.0 kW")
        expect(row.locator('[data-figure="energy"]')).to_have_text("2.50 kWh")
        expect(row.locator('[data-figure="cost"]')).to_have_text("0.75 €")

    def test_free_text_is_text(self, fleet: Stage, page: Page) -> None:
        for path in ("/", "/cp_manager.html", "/cp/CP-002"):
            page.goto(fleet.url + path)
            expect(page.get_by_text(HOSTILE)).to_be_visible()
            assert page.locator("img[src=x]").count() == 0
            assert page.title() != "run"

    def test_search_filter_and_sort_are_kept_in_the_address(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.url)
        expect(cp(page, "CP-001")).to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("north")
        expect(page.locator("[data-cp]")).to_have_count(1)
        expect(page).to_have_url(re.compile(r"\?q=north$"))
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Broken down").click()
        expect(page.locator("[data-cp]")).to_have_count(1)
        page.get_by_role("button", name="Charging points").click()
        page.get_by_label("Sort by").select_option("state")
        expect(page.locator("[data-cp]").first).to_have_attribute("data-cp", "CP-004")
        page.reload()
        expect(page.locator("[data-cp]").first).to_have_attribute("data-cp", "CP-004")

    def test_on_a_phone_nothing_is_cut_off(self, fleet: Stage, page: Page) -> None:
        page.set_viewport_size({"width": 360, "height": 740})
        for path in PAGES:
            page.goto(fleet.url + path)
            page.wait_for_selector("main section, main ul")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 360, path


class TestStale:
    def test_without_web_and_back(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.url)
        expect(page.locator(".live")).to_have_text("Live")
        fleet.stop_web()
        expect(page.locator("#stale")).to_contain_text("web server does not answer since")
        expect(page.locator("main")).to_have_class("stale")
        expect(cp(page, "CP-001")).to_be_visible()
        fleet.start_web()
        expect(page.locator(".live")).to_have_text("Live")
        expect(page.locator("#stale")).to_have_count(0)
        expect(page.locator("[data-cp]")).to_have_count(5)

    def test_without_the_broker_and_back(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.url)
        expect(page.locator(".live")).to_have_text("Live")
        fleet.stop_broker()
        expect(page.locator("#stale")).to_contain_text("The broker is not there since")
        expect(page.locator("[data-cp]")).to_have_count(5)
        fleet.start_broker()
        expect(page.locator("#stale")).to_contain_text("Central is not there")
        expect(page.locator("[data-cp]")).to_have_count(5)
        for name in ("CP-001", "CP-002", "CP-003", "CP-004", "CP-005"):
            fleet.wants(name)
        fleet.births()
        expect(page.locator(".live")).to_have_text("Live")
        expect(page.locator("[data-cp]")).to_have_count(5)

    def test_actions_are_off_while_stale(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        stop = cp(page, "CP-001").get_by_role("button", name="Stop")
        expect(stop).to_be_enabled()
        fleet.stop_web()
        expect(stop).to_be_disabled()
        fleet.start_web()
        expect(stop).to_be_enabled()  # the session outlives the restart


def test_without_a_stream_it_polls(fleet: Stage, page: Page) -> None:
    page.route("**/api/v1/events*", lambda route: route.fulfill(status=503, body="{}"))
    page.goto(fleet.url)
    expect(page.locator(".live")).to_have_text("Live")
    expect(cp(page, "CP-001")).to_have_attribute("data-state", "ACTIVATED")
    fleet.judges("CP-001", "BROKEN_DOWN", "silent")
    expect(cp(page, "CP-001")).to_have_attribute("data-state", "BROKEN_DOWN")


class TestOperator:
    def test_who_only_looks_is_told_how_to_become_the_operator(
        self, fleet: Stage, page: Page
    ) -> None:
        page.goto(f"{fleet.url}/cp_manager.html")
        expect(page.locator("#not-operator")).to_contain_text("bin/evcs open")
        expect(cp(page, "CP-001").get_by_role("button", name="Stop")).to_be_disabled()

    def test_a_range_is_shown_before_it_is_created(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        page.get_by_label("Name or range").fill("CP-{001..020}")
        expect(page.locator("#preview")).to_contain_text("Creates 15 CPs: CP-006, CP-007, CP-008")
        expect(page.locator("#preview")).to_contain_text("5 exist already")
        expect(page.get_by_role("button", name="Create 15")).to_be_enabled()
        for bad in ("CP 1", "../x", "CP-{9..1}"):
            page.get_by_label("Name or range").fill(bad)
            expect(page.locator("#preview.bad")).to_be_visible()
            expect(page.get_by_role("button", name="Create")).to_be_disabled()

    def test_a_failed_change_says_why_and_what_to_do(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        cp(page, "CP-001").get_by_role("button", name="Stop").click()
        expect(page.locator('[data-job="CP-001"]')).to_contain_text("start it: evcs up")

    def test_deleting_many_has_their_number_typed(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        page.get_by_label("Choose all").check()
        page.locator(".bar").get_by_role("button", name="Delete").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
        dialog.get_by_label("Type 5 to confirm").fill("5")
        expect(dialog.get_by_role("button", name="Delete")).to_be_enabled()
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def test_a_cps_page_shows_its_messages_and_pauses(fleet: Stage, page: Page) -> None:
    page.goto(f"{fleet.url}/cp/CP-002")
    expect(page.locator("h1")).to_have_text("CP-002")
    expect(page.locator(".u-wrap")).to_be_visible()
    fleet.judges("CP-002", "SUPPLYING", **{**SESSION, "energy_wh": 3_000})
    expect(page.locator(".messages li")).to_contain_text("evcs/v1/central/cp/CP-002/state")
    page.get_by_role("button", name="Pause").click()
    fleet.judges("CP-002", "SUPPLYING", **{**SESSION, "energy_wh": 3_100})
    expect(page.locator("dl.facts")).to_contain_text("3.10 kWh")
    expect(page.locator(".messages li")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(fleet: Stage, page: Page, path: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(fleet.login_url(path))
    page.wait_for_selector("main h1, main h2")
    expect(page.locator(".live")).to_have_text("Live")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then(found => found.violations)")
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
