"""The pages for everyone: axe-core, light and dark, keyboard alone, a phone, less motion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import stop
from tests.web.stage import Stage

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PAGES = (
    "/", "/cp_manager.html", "/circuits.html", "/sessions.html", "/drivers.html", "/system.html",
    "/cp/CP-002",
)  # fmt: skip


def cp(page: Page, name: str) -> Any:
    return page.locator(f'[data-cp="{name}"]')


def serious(page: Page) -> Iterator[tuple[str, list[str]]]:
    """What axe finds in both schemes."""
    page.evaluate(AXE)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for one in page.evaluate("axe.run().then(found => found.violations)"):
            if one["impact"] in ("serious", "critical"):
                yield f"{scheme}: {one['id']}", [node["html"][:200] for node in one["nodes"][:3]]


def test_an_empty_system(stage: Stage, page: Page) -> None:
    page.goto(stage.url)
    expect(page.get_by_text("No charging point yet")).to_be_visible()
    assert list(serious(page)) == []


@pytest.mark.parametrize("path", PAGES)
def test_every_page(fleet: Stage, page: Page, path: str) -> None:
    page.goto(fleet.login_url(path))
    page.wait_for_selector("main h1, main h2")
    expect(page.locator(".live")).to_have_text("Live")
    assert list(serious(page)) == []


def test_dialogs_and_what_is_being_done(fleet: Stage, page: Page) -> None:
    page.goto(fleet.login_url("/cp_manager.html"))
    page.get_by_label("Name or range").fill("CP-{001..020}")
    stop(page, "CP-001")
    expect(page.locator('[data-job="CP-001"] .bad')).to_be_visible()
    cp(page, "CP-001").get_by_role("button", name="Edit").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert list(serious(page)) == []
    page.keyboard.press("Escape")
    page.get_by_label("Choose all").check()
    page.locator(".bar").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert list(serious(page)) == []


def test_stale_pages(fleet: Stage, page: Page) -> None:
    tabs = [page, *(page.context.new_page() for _ in PAGES[1:])]
    for tab, path in zip(tabs, PAGES, strict=True):
        tab.goto(fleet.login_url(path))
        tab.wait_for_selector("main h1, main h2")
        expect(tab.locator(".live")).to_have_text("Live")
    fleet.stop_web()
    for tab in tabs:
        expect(tab.locator("#stale")).to_contain_text("since")
        assert list(serious(tab)) == []
    fleet.start_web()
    for tab in tabs:
        expect(tab.locator("#stale")).to_have_count(0)


def test_what_matters_stays_in_sight(fleet: Stage, page: Page) -> None:
    for number in range(60):
        fleet.wants(f"M-{number:03d}")
    page.set_viewport_size({"width": 390, "height": 780})
    page.goto(fleet.login_url("/cp_manager.html"))
    expect(page.locator("tr[data-cp]")).to_have_count(65)
    page.get_by_label("Choose all").check()
    expect(page.locator(".chosen")).to_be_in_viewport(ratio=1)
    page.mouse.wheel(0, 3_000)
    fleet.stop_web()
    expect(page.locator("#stale")).to_be_in_viewport(ratio=1)
    fleet.start_web()
    for number in range(60):
        fleet.wants(f"M-{number:03d}", deleted=True)
    expect(page.locator("tr[data-cp]")).to_have_count(5)


def test_by_keyboard_alone(fleet: Stage, page: Page) -> None:
    page.goto(fleet.login_url())
    expect(cp(page, "CP-001")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="CP-005")).to_be_focused()
    ring = "getComputedStyle(document.activeElement.closest('li')).outlineStyle"
    assert page.evaluate(ring) == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("CP-005")
    page.goto(f"{fleet.url}/cp_manager.html")
    edit = cp(page, "CP-001").get_by_role("button", name="Edit")
    expect(edit).to_be_enabled()
    edit.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Edit CP-001").get_by_label("Price")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(edit).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    menu = page.get_by_role("menu", name="More for CP-001")
    expect(menu.get_by_role("menuitem", name="Stop")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem", name="Restart")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(cp(page, "CP-001").get_by_role("button", name="More")).to_be_focused()


def test_nothing_moves_for_those_who_want_less_motion(fleet: Stage, page: Page) -> None:
    moving = "document.getAnimations().filter(one => one.playState === 'running').length"
    page.emulate_media(reduced_motion="no-preference")
    page.goto(fleet.url)
    expect(page.locator(".live")).to_have_text("Live")
    assert page.evaluate(moving) > 0
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == 0


def test_on_a_phone_a_finger_hits_what_it_means(fleet: Stage, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    page.goto(fleet.login_url("/cp_manager.html"))
    row = cp(page, "CP-001")
    expect(row).to_be_visible()
    for one in (row.locator(".choose label"), row.get_by_role("button", name="Edit"),
                row.get_by_role("button", name="More")):  # fmt: skip
        box = one.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 40


def test_on_a_phone_nothing_is_cut_off(fleet: Stage, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for path in PAGES:
        page.goto(fleet.url + path)
        page.wait_for_selector("main section, main ul")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, path
