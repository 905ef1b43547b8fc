"""Real chargers on the pages: one station with its CPs, and how it dials in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from evcs.core.placement import OCPP
from tests.web.stage import Stage, wait_for
from tests.web.test_accessibility import serious

#: By name, which is how they are sorted: a station's are apart.
CPS = {"A-LEFT": "GARAGE", "B-001": None, "C-RIGHT": "GARAGE", "D-ALONE": "D-ALONE"}


@pytest.fixture
def chargers(stage: Stage) -> Iterator[Stage]:
    """A station of two CPs, one of one, and a CP that is emulated."""
    for number, (cp, station) in enumerate(CPS.items(), 1):
        if station is None:
            stage.wants(cp)
        else:
            stage.wants(cp, hosting=OCPP, station=station, connector=number, ocpp_id="DE*7")
        stage.judges(cp, "ACTIVATED")
    wait_for(
        lambda: [row["state"] for row in stage.get("/api/v1/cps").json] == ["ACTIVATED"] * 4,
        "web knows all four",
    )
    yield stage
    for cp in CPS:
        stage.wants(cp, deleted=True)
    wait_for(lambda: not stage.get("/api/v1/cps").json, "all are gone")


@pytest.mark.parametrize(("path", "line"), [("/", "li"), ("/cp_manager.html", "tbody tr")])
def test_a_station_stands_as_one_with_its_cps(
    chargers: Stage, page: Page, path: str, line: str
) -> None:
    page.goto(chargers.url + path)
    expect(page.locator("[data-cp]")).to_have_count(4)
    found = page.locator(f"main {line}")
    for at, text in enumerate(("GARAGE", "A-LEFT", "C-RIGHT", "B-001", "D-ALONE")):
        expect(found.nth(at)).to_contain_text(text)
    station = found.first
    expect(station).to_contain_text("2 CPs of one station, ")
    chargers.observes("C-RIGHT")
    expect(station).to_contain_text("2 CPs of one station, connected")
    page.get_by_role("searchbox").fill("C-RIGHT")
    expect(page.locator("[data-cp]")).to_have_count(1)
    expect(page.get_by_text("of one station")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/cp_manager.html", "/cp/A-LEFT"])
def test_they_are_for_everyone(chargers: Stage, page: Page, path: str) -> None:
    page.goto(chargers.login_url(path))
    if path == "/cp_manager.html":
        page.get_by_label("Hosting").select_option(OCPP)
        expect(page.get_by_label("OCPP id")).to_be_visible()
    elif path != "/":
        expect(page.get_by_text("How its charger dials in")).to_be_visible()
    expect(page.locator("[data-cp]").first).to_be_visible()
    assert list(serious(page)) == []


def test_a_cp_says_how_its_charger_dials_in(chargers: Stage) -> None:
    found = chargers.get("/api/v1/cps/A-LEFT/detail", **chargers.bearer()).json["connect"]
    assert found["user"] == "DE*7"
    assert found["url"].endswith("/DE*7")
    assert chargers.get("/api/v1/cps/B-001/detail", **chargers.bearer()).json["connect"] is None
