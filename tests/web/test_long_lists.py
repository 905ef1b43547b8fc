"""A fleet of more CPs than a page draws at once, in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.web.stage import Stage, wait_for

CPS = [f"CP-{number:04d}" for number in range(1, 1_201)]
#: Elements that are there at once, by far.
MOST = 200


@pytest.fixture(scope="module")
def many(stage: Stage) -> Stage:
    for cp in CPS:
        stage.wants(cp, location="Car park A")
    wait_for(lambda: len(stage.get("/api/v1/snapshot").json["cps"]) == len(CPS), "web has all")
    return stage


def drawn(page: Page) -> list[str]:
    """CPs that have an element, from the top."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('li[data-cp], tr[data-cp]')].map((row) => row.dataset.cp)"
    )
    return found


def scroll(page: Page, part: float) -> None:
    page.evaluate(f"scrollTo(0, document.documentElement.scrollHeight * {part})")


def opened(page: Page, url: str) -> None:
    """The list is there, as high as all its rows."""
    page.goto(url)
    expect(page.locator('[data-cp="CP-0001"]')).to_be_visible()
    page.wait_for_function("document.documentElement.scrollHeight > 45000")


def in_sight(page: Page, cp: str) -> None:
    """The row comes up, and all that is drawn are neighbours, in order."""
    expect(page.locator(f'[data-cp="{cp}"]')).to_be_in_viewport()
    found = drawn(page)
    assert len(found) < MOST
    assert found == CPS[CPS.index(found[0]) :][: len(found)]


@pytest.mark.parametrize("width", [1280, 800, 390])
@pytest.mark.parametrize("path", ["/", "/cp_manager.html"])
def test_what_is_in_sight_is_drawn(many: Stage, page: Page, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    opened(page, many.url + path)
    scroll(page, 1)
    in_sight(page, CPS[-1])
    scroll(page, 0)
    page.locator(f'[data-cp="{CPS[0]}"]').scroll_into_view_if_needed()
    in_sight(page, CPS[0])
    page.get_by_role("searchbox").fill("CP-0777")
    expect(page.locator("[data-cp]")).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(page.locator('[data-cp="CP-0001"]')).to_be_visible()
    assert len(drawn(page)) < MOST


def test_half_way_the_rows_are_those_that_belong_there(many: Stage, page: Page) -> None:
    opened(page, many.url)
    scroll(page, 0.5)
    in_sight(page, "CP-0600")
    many.wants("CP-0600", location="Moved")
    expect(page.get_by_text("Moved")).to_be_in_viewport()


def test_tiles_out_of_sight_are_not_drawn(many: Stage, page: Page) -> None:
    page.goto(f"{many.url}/?view=tiles")
    tiles = page.locator(".tile")
    expect(tiles.first).to_have_attribute("data-cp", CPS[0])
    page.wait_for_function("document.documentElement.scrollHeight > 5000")
    scroll(page, 1)
    expect(page.locator(f'.tile[data-cp="{CPS[-1]}"]')).to_be_in_viewport()
    assert tiles.count() < 5 * MOST


def test_those_out_of_sight_are_chosen_too(many: Stage, page: Page) -> None:
    page.goto(many.login_url("/cp_manager.html"))
    page.get_by_label("Choose all").check()
    expect(page.get_by_text("1200 CPs chosen")).to_be_visible()
