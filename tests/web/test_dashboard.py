"""The dashboard as one looks for something: order, density, groups, tiles, and today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from evcs.core import messages as m
from tests.web.conftest import SESSION
from tests.web.stage import Stage, wait_for
from tests.web.test_accessibility import serious
from tests.web.test_sessions import session, write

#: CP -> its location, circuit and state.
CPS = {
    "A-1": ("", None, "ACTIVATED"),
    "B-1": ("North gate", "HOUSE", "SUPPLYING"),
    "C-1": ("", "HOUSE", "OUT_OF_ORDER"),
    "D-1": ("Depot", None, "DISCONNECTED"),
    "E-1": ("North gate", None, "BROKEN_DOWN"),
}


@pytest.fixture
def site(stage: Stage) -> Iterator[Stage]:
    for cp, (location, circuit, state) in CPS.items():
        stage.wants(cp, location=location, circuit=circuit)
        stage.judges(cp, state, **(SESSION if state == "SUPPLYING" else {}))
    wait_for(
        lambda: (
            {one["id"]: one["state"] for one in stage.get("/api/v1/cps").json}
            == {cp: state for cp, (_, _, state) in CPS.items()}
        ),
        "web knows them all",
    )
    yield stage
    for cp in CPS:
        stage.wants(cp, deleted=True)
    wait_for(lambda: not stage.get("/api/v1/cps").json, "all are gone")


def order(page: Page, *cps: str) -> None:
    """The list has these, and in this order."""
    shown = page.locator("[data-cp]")
    expect(shown).to_have_count(len(cps))
    for at, cp in enumerate(cps):
        expect(shown.nth(at)).to_have_attribute("data-cp", cp)


def test_what_needs_somebody_comes_first(site: Stage, page: Page) -> None:
    page.goto(site.url)
    order(page, "E-1", "D-1", "C-1", "B-1", "A-1")
    site.judges("A-1", "BROKEN_DOWN", "silent")
    order(page, "A-1", "E-1", "D-1", "C-1", "B-1")


def test_under_a_hand_the_order_stays(site: Stage, page: Page) -> None:
    page.goto(site.url)
    order(page, "E-1", "D-1", "C-1", "B-1", "A-1")
    page.locator('[data-cp="D-1"] a').focus()
    site.judges("A-1", "BROKEN_DOWN", "silent")
    expect(page.locator('[data-cp="A-1"]')).to_have_attribute("data-state", "BROKEN_DOWN")
    order(page, "E-1", "D-1", "C-1", "B-1", "A-1")
    page.keyboard.press("/")
    order(page, "A-1", "E-1", "D-1", "C-1", "B-1")


def test_only_what_charges_is_lit(site: Stage, page: Page) -> None:
    page.goto(site.url)

    def colours(cp: str) -> tuple[str, str]:
        found: list[str] = page.locator(f'[data-cp="{cp}"] .pill').evaluate(
            "e => { const { color, backgroundColor } = getComputedStyle(e);"
            " return [color, backgroundColor]; }"
        )
        return found[0], found[1]

    order(page, "E-1", "D-1", "C-1", "B-1", "A-1")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert colours("A-1") == (ink, "rgba(0, 0, 0, 0)")
    assert colours("B-1") == ("rgb(255, 255, 255)", "rgb(11, 122, 65)")


def test_by_location_those_without_come_last(site: Stage, page: Page) -> None:
    page.goto(site.url)
    page.get_by_role("button", name="Location").click()
    order(page, "D-1", "B-1", "E-1", "A-1", "C-1")
    expect(page.get_by_label("Sort by")).to_have_value("location")


def test_a_row_is_low_and_all_of_it_opens_its_cp(site: Stage, page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(site.url)
    row = page.locator('[data-cp="E-1"]')
    box = row.bounding_box()
    assert box is not None
    assert box["height"] <= 44
    page.mouse.click(box["x"] + box["width"] - 15, box["y"] + box["height"] / 2)
    expect(page.locator("h1")).to_have_text("E-1")


def test_why_one_is_broken_is_there_to_read(site: Stage, page: Page) -> None:
    reason = "fault: ground leak, seen by the meter behind the second socket"
    site.judges("E-1", "BROKEN_DOWN", reason)
    page.goto(site.url)
    why = page.locator('[data-cp="E-1"] .cp-why')
    expect(why).to_have_text(reason)
    assert why.evaluate("e => e.scrollWidth <= e.clientWidth")
    expect(page.locator('[data-cp="B-1"] .cp-why')).to_have_text("ALICE")


def test_groups_say_what_they_come_to(site: Stage, page: Page) -> None:
    page.goto(f"{site.url}/?sort=name&group=location")
    heads = page.locator("li.group")
    expect(heads).to_have_text(
        ["North gate 2 CPs: 1 broken down, 1 supplying, 21.0 kW", "Depot 1 CP: 1 disconnected",
         "No location 2 CPs: 1 out of order, 1 activated"]
    )  # fmt: skip
    order(page, "B-1", "E-1", "D-1", "A-1", "C-1")
    page.get_by_label("Group by").select_option("circuit")
    expect(heads.first).to_contain_text("HOUSE 2 CPs")
    order(page, "B-1", "C-1", "A-1", "D-1", "E-1")
    page.get_by_label("Group by").select_option("none")
    expect(heads).to_have_count(0)


def test_tiles_open_their_cp_too(site: Stage, page: Page) -> None:
    page.goto(site.url)
    expect(page.locator("[data-cp]")).to_have_count(5)
    page.get_by_label("Show as").select_option("tiles")
    order(page, "E-1", "D-1", "C-1", "B-1", "A-1")
    expect(page.locator('[data-cp="B-1"]')).to_contain_text("21.0 kW ALICE")
    page.reload()
    page.locator('.tile[data-cp="D-1"]').click(position={"x": 60, "y": 40})
    expect(page.locator("h1")).to_have_text("D-1")


def test_the_power_of_all_has_its_plot(site: Stage, page: Page) -> None:
    central = site.voice("central")
    central.publish(m.Summary(1, 21_000))
    wait_for(lambda: site.get("/api/v1/power").json["power_w"], "web has heard it")
    page.goto(site.url)
    assert page.locator(".u-wrap").count() == 0
    page.get_by_role("button", name="Power now").click()
    expect(page.get_by_role("img", name="Power of all charging points")).to_be_visible()
    assert list(serious(page)) == []
    page.get_by_role("button", name="24 hours").click()
    expect(page.get_by_role("button", name="24 hours")).to_have_attribute("aria-pressed", "true")
    plot = page.locator("#total-power .u-over")
    box = plot.bounding_box()
    assert box is not None
    for x, go in ((0.25, page.mouse.down), (0.75, page.mouse.up)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 50)
        go()
    expect(page.locator("#total-power .hint")).to_contain_text(" to ")
    expect(page.get_by_role("button", name="24 hours")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Earlier").click()
    page.reload()
    expect(page.locator("#total-power .u-wrap")).to_be_visible()
    page.get_by_role("button", name="Power now").click()
    expect(page.locator("#total-power")).to_have_count(0)


def test_today_is_what_began_today(site: Stage, page: Page) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    today = session(1, 1)._replace(session_id="today", started_at=now, ended_at=now)
    write(site, today, session(2, 1)._replace(session_id="before"))
    page.goto(site.url)
    tile = page.locator(".total", has_text="Today")
    expect(tile).to_contain_text("1.0 kWh")
    expect(tile).to_contain_text("0.30 €")
    total = site.get("/api/v1/sessions/total?cp=CP-0").json
    assert total == {"sessions": 1, "energy_wh": 2_000, "cost_eur": "0.60"}
