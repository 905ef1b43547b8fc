"""The pages in Chromium, against a real broker and web process."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

from playwright.sync_api import Page, expect

from evcs.services.web.feed import MAX_STREAMS
from tests.web.conftest import HOSTILE, SESSION, choice, stop
from tests.web.stage import Stage, wait_for


def cp(page: Page, name: str) -> Any:
    return page.locator(f'[data-cp="{name}"]')


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

    def test_the_totals_stay_in_sight(self, fleet: Stage, page: Page) -> None:
        page.set_viewport_size({"width": 1280, "height": 200})
        page.goto(fleet.url)
        expect(cp(page, "CP-005")).to_be_attached()
        page.mouse.wheel(0, 4_000)
        expect(cp(page, "CP-004")).not_to_be_in_viewport()
        for total in ("Charging points", "Supplying", "Broken down"):
            expect(page.get_by_role("button", name=total)).to_be_in_viewport(ratio=1)

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
        page.get_by_label("Sort by").select_option("name")
        expect(page.locator("[data-cp]").first).to_have_attribute("data-cp", "CP-001")
        page.reload()
        expect(page.locator("[data-cp]").first).to_have_attribute("data-cp", "CP-001")


class TestStale:
    def test_without_web_and_back(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.url)
        expect(page.locator(".live")).to_have_text("Live")
        fleet.stop_web()
        expect(page.locator("#stale")).to_contain_text("web server does not answer since")
        expect(page.locator(".live")).to_have_text(
            re.compile(r"Not connected, data from [0-9]{2}:[0-9]{2}:[0-9]{2}")
        )
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
        more = cp(page, "CP-001").get_by_role("button", name="More")
        expect(more).to_be_enabled()
        fleet.stop_web()
        expect(more).to_be_disabled()
        fleet.start_web()
        expect(more).to_be_enabled()  # the session outlives the restart


def test_beyond_the_stream_limit_it_polls(fleet: Stage, page: Page) -> None:
    ask = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_STREAMS):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", fleet.web_port)))
            raw.sendall(ask)
        wait_for(lambda: fleet.get("/api/v1/events").status == 503, "all streams are taken")
        cookie, _ = fleet.sign_in()
        for given in (fleet.bearer(), {"Cookie": cookie}):
            operator = stack.enter_context(socket.create_connection(("127.0.0.1", fleet.web_port)))
            header = "".join(f"{name}: {value}\r\n" for name, value in given.items())
            operator.sendall(ask.removesuffix(b"\r\n") + header.encode() + b"\r\n")
            assert b" 200 " in operator.recv(20), "the operator has streams of his own"
        page.goto(fleet.url)
        expect(page.locator(".live")).to_have_text("Live")
        expect(cp(page, "CP-001")).to_have_attribute("data-state", "ACTIVATED")
        fleet.judges("CP-001", "BROKEN_DOWN", "silent")
        expect(cp(page, "CP-001")).to_have_attribute("data-state", "BROKEN_DOWN")


def test_more_tabs_than_a_browser_has_connections(fleet: Stage, page: Page) -> None:
    page.goto(fleet.login_url("/cp_manager.html"))
    tabs = [page.context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto(fleet.url)
        expect(cp(tab, "CP-001")).to_have_attribute("data-state", "ACTIVATED")
    fleet.judges("CP-001", "BROKEN_DOWN", "silent")
    for tab in tabs:
        expect(cp(tab, "CP-001")).to_have_attribute("data-state", "BROKEN_DOWN")
        expect(tab.locator(".live")).to_have_text("Live")
    page.get_by_role("button", name="Sign out").click()
    for tab in (page, *tabs):
        expect(tab.locator(".who")).to_have_text("Read-only")


class TestOperator:
    def test_who_only_looks_is_told_how_to_become_the_operator(
        self, fleet: Stage, page: Page
    ) -> None:
        page.goto(f"{fleet.url}/cp_manager.html")
        expect(page.locator("#not-operator")).to_contain_text("bin/evcs open")
        expect(cp(page, "CP-001").get_by_role("button", name="More")).to_be_disabled()
        expect(page.locator("#why-not")).to_contain_text("Read-only: to create")

    def test_a_name_that_is_not_allowed_is_shown_as_it_was_typed(
        self, fleet: Stage, page: Page
    ) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        page.get_by_label("Name or range").fill("Säule 1")
        expect(page.locator("#preview")).to_contain_text('"Säule 1" is not allowed')

    def test_a_services_name_is_refused_as_it_is_typed(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        page.get_by_label("Name or range").fill("Web")
        expect(page.locator("#preview.bad")).to_contain_text('"Web" is not allowed')
        expect(page.locator("#preview")).to_contain_text("no service's name")

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
            expect(page.locator("#why-not")).to_have_text("That name can't be used.")

    def test_enter_is_not_lost_while_the_preview_is_on_its_way(
        self, fleet: Stage, page: Page
    ) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        expect(page.locator("tr[data-cp]")).to_have_count(5)
        page.get_by_label("Name or range").press_sequentially("CP-{005..007}", delay=0)
        page.keyboard.press("Enter")
        for name in ("CP-006", "CP-007"):
            expect(page.locator(f'[data-job="{name}"]')).to_be_attached()
        expect(page.locator("[data-job]")).to_have_count(2)

    def test_a_range_that_is_written_otherwise_is_understood(
        self, fleet: Stage, page: Page
    ) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        name = page.get_by_label("Name or range")
        for typed in ("CP-1..40", "CP-{1-40}", "CP-[1..40]"):
            name.fill(typed)
            expect(page.get_by_role("button", name="CP-{1..40}")).to_be_visible()
        page.get_by_role("button", name="CP-{1..40}").click()
        expect(page.get_by_role("button", name="Create 40")).to_be_enabled()

    def test_what_is_missing_for_a_creation_is_said(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        why = page.locator("#why-not")
        expect(why).to_have_text("Type a name or a range first.")
        page.get_by_label("Name or range").fill("CP-{001..005}")
        expect(why).to_have_text("All of them exist already.")
        page.get_by_label("Name or range").fill("CP-006")
        price = page.get_by_label("Price")
        price.fill("0,30")
        expect(why).to_have_text("Correct the fields that are marked.")
        expect(price).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_text("with a point: 0.30")).to_be_visible()
        expect(page.get_by_label("Power")).not_to_have_attribute("aria-invalid", "true")
        price.fill("0.30")
        expect(page.get_by_role("button", name="Create")).to_be_enabled()
        expect(why).to_have_text("")

    def test_the_number_follows_the_search(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        expect(page.get_by_role("heading", name="5 charging points")).to_be_visible()
        page.get_by_role("searchbox").fill("north")
        expect(page.get_by_role("heading", name="1 of 5 charging points")).to_be_visible()
        page.get_by_role("searchbox").fill("nowhere")
        expect(page.get_by_text("No charging point has “nowhere”")).to_be_visible()
        page.get_by_role("button", name="Show all").click()
        expect(page.locator("tr[data-cp]")).to_have_count(5)

    def test_many_are_edited_and_cleared_at_once(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        page.get_by_label("Choose all").check()
        bulk = page.locator(".chosen")
        bulk.get_by_role("button", name="Edit").click()
        edit = page.get_by_role("dialog", name="Edit 5 charging points")
        expect(edit.get_by_label("Price")).to_have_value("0.30")
        expect(edit.get_by_label("Location")).to_have_attribute("placeholder", "various")
        edit.get_by_label("Price").fill("0.35")
        asked: list[tuple[str, Any]] = []
        page.on("request", lambda one: asked.append((one.url[-7:], one.post_data_json)))
        edit.get_by_role("button", name="Save").click()
        expect(page.locator("[data-job] .bad")).to_have_count(5)  # there is no Registry
        assert sorted(asked) == [(f"/CP-00{n}", {"price_eur_kwh": "0.35"}) for n in range(1, 6)]
        bulk.get_by_role("button", name="Clear fault").click()
        expect(page.locator('[data-job="CP-004"]')).to_contain_text("Clear CP-004")
        wait_for(lambda: any(one.verb == "clear" for one in fleet.asked), "Central is asked")
        assert {one.cp for one in fleet.asked if one.verb == "clear"} == {"CP-004"}

    def test_at_1440_pixels_no_name_is_wrapped(self, fleet: Stage, page: Page) -> None:
        name = "LOBBY-LONG-NAME-OF-A-STATION-01"
        fleet.wants(name, location="Town hall, second courtyard behind the gate")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(fleet.login_url("/cp_manager.html"))
        box = cp(page, name).bounding_box()
        assert box is not None
        assert box["height"] <= 48
        fleet.wants(name, deleted=True)
        expect(cp(page, name)).to_have_count(0)

    def test_a_failed_change_says_why_and_what_to_do(self, fleet: Stage, page: Page) -> None:
        page.goto(fleet.login_url("/cp_manager.html"))
        stop(page, "CP-001")
        expect(page.locator('[data-job="CP-001"]')).to_contain_text("start it: bin/evcs up")

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


def test_in_a_long_list_states_are_true_and_figures_once_they_are_seen(
    fleet: Stage, page: Page
) -> None:
    names = [f"L-{number:03d}" for number in range(200)]
    for number, name in enumerate(names):
        fleet.wants(name, location="North gate" if number % 2 else "")
        fleet.judges(name, "SUPPLYING", **SESSION)
    page.goto(fleet.url)
    expect(page.locator("[data-cp]")).to_have_count(205)
    last = cp(page, names[-1])
    expect(last.locator('[data-figure="energy"]')).to_have_text("1.24 kWh")
    for energy_wh in (2_000, 3_000):
        for name in names:
            fleet.judges(name, "SUPPLYING", **{**SESSION, "energy_wh": energy_wh})
        shown = f"{energy_wh / 1000:.2f} kWh"
        expect(cp(page, "L-000").locator('[data-figure="energy"]')).to_have_text(shown)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.keyboard.press("End")
    expect(last).to_be_in_viewport()
    expect(last.locator('[data-figure="energy"]')).to_have_text("3.00 kWh")
    # Or a browser on its way to the end would stop short of it.
    assert page.evaluate("document.documentElement.scrollHeight") == height
    fleet.judges("L-000", "BROKEN_DOWN", "silent")  # out of sight by now
    expect(cp(page, "L-000")).to_have_attribute("data-state", "BROKEN_DOWN")
    page.goto(f"{fleet.url}/cp_manager.html")
    expect(page.locator("tr[data-cp]")).to_have_count(205)
    for name in names:
        fleet.wants(name, deleted=True)
    expect(page.locator("tr[data-cp]")).to_have_count(5)


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


def test_beside_each_action_stands_the_command_that_does_the_same(fleet: Stage, page: Page) -> None:
    page.goto(fleet.login_url("/cp/CP-001"))
    for action, verb in (
        ("Stop", "stop"), ("Resume", "resume"), ("Restart", "restart"),
        ("Plug a car in", "plug"), ("Unplug it", "unplug"), ("Cause a fault", "fault"),
        ("Clear the fault", "clear"), ("Rekey", "rekey"), ("Revoke", "revoke"),
    ):  # fmt: skip
        beside = page.get_by_role("button", name=action).locator("xpath=following-sibling::*[1]")
        expect(beside).to_have_text(f"bin/evcs-cp {verb} CP-001")
    page.goto(fleet.login_url("/cp_manager.html"))
    choice(page, "CP-001", "Stop")
    row = cp(page, "CP-001")
    for name, verb in (("Edit", "edit"), ("Stop", "stop"), ("Restart", "restart"),
                       ("Clear fault", "clear"), ("Rekey", "rekey"), ("Revoke", "revoke"),
                       ("Delete", "delete")):  # fmt: skip
        button = row.get_by_role("button" if verb == "edit" else "menuitem", name=name)
        expect(button).to_have_attribute("title", re.compile(f"bin/evcs-cp {verb} CP-001$"))
    page.keyboard.press("Escape")
    page.get_by_label("Name or range").fill("CP-{010..012}")
    page.get_by_label("Location").fill("Bob's")
    expect(page.get_by_label("Create", exact=True)).to_contain_text(
        r"bin/evcs-cp create CP-{010..012} --location 'Bob'\''s' --if-not-exists"
    )


# Whether anything on the chart has the colour that grid lines have now.
DRAWN = """() => {
  const probe = document.createElement("span");
  probe.className = "ink-line";
  document.body.append(probe);
  const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const canvas = document.querySelector(".u-wrap canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4)
    if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) return true;
  return false;
}"""


def test_another_theme_recolours_the_charts_at_once(fleet: Stage, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(f"{fleet.url}/cp/CP-002")
    page.wait_for_selector(".u-wrap canvas")
    page.wait_for_function(DRAWN)
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = [page.evaluate(ground)]
    for name in ("dark", "light", "auto"):
        page.get_by_role("button", name="Theme").click()
        expect(page.get_by_role("button", name=f"Theme: {name}")).to_be_visible()
        page.wait_for_function(DRAWN)
        seen.append(page.evaluate(ground))
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(DRAWN)
    seen.append(page.evaluate(ground))
    light, dark = seen[0], seen[1]
    assert seen == [light, dark, light, light, dark]
    assert light != dark
