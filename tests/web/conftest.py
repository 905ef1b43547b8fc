"""Fixtures: a stage (broker and web, shared by a module) and Debian's Chromium without windows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.web.stage import Stage, wait_for

HOSTILE = "<img src=x onerror=\"document.title='run'\">"
SESSION: dict[str, Any] = {
    "session_id": "s1", "driver": "ALICE", "energy_wh": 1_240, "power_w": 21_000,
    "cost_eur": "0.37",
}  # fmt: skip
expect.set_options(timeout=20_000)  # as the pages have, on a busy machine
#: The same engine as the full browser's, at a third of its CPU for a page.
CHROMIUM = "/usr/bin/chromium-headless-shell"
ARGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--renderer-process-limit=1",  # else each page has a second one, which it never uses
]  # fmt: skip


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A broker and a web that know no CP yet; a short path, for the sake of sockets."""
    path = Path(tempfile.mkdtemp(prefix="evcs-web-"))
    found = Stage(path)
    try:
        found.start_broker()
        found.start_web()
        found.births()
        wait_for(lambda: found.get("/api/v1/snapshot").json["ready"], "web has read the bus")
        yield found
    finally:
        found.close()
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, for the whole run."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile, on which no script may fail and no rule of the CSP be broken.

    Nothing on it is drawn for motion's sake: that took a tenth of a test's CPU.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    found = context.new_page()
    found.set_default_timeout(20_000)
    problems: list[str] = []
    found.on("pageerror", lambda error: problems.append(str(error)))
    found.on(
        "console",
        lambda said: problems.append(said.text) if "Content Security" in said.text else None,
    )
    yield found
    context.close()
    assert problems == []


def act(page: Page, name: str, verb: str) -> None:
    """What the menu of a CP's row on the CP Manager page has."""
    choice(page, name, verb).click()


def stop(page: Page, name: str) -> None:
    """Stop a CP there, and say that one is sure."""
    act(page, name, "Stop")
    page.get_by_role("dialog").get_by_role("button", name=f"Stop {name}").click()


def choice(page: Page, name: str, verb: str) -> Locator:
    """The same, not yet chosen; its menu is opened."""
    row = page.locator(f'tr[data-cp="{name}"]')
    row.get_by_role("button", name="More").click()
    return row.get_by_role("menuitem", name=verb)


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
