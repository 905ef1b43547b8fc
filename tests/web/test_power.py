"""Power over hours and days: what the ledger keeps, and what web heard since."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from evcs.adapters.ledger import Ledger
from evcs.core.readings import Reading
from tests.web.conftest import SESSION
from tests.web.stage import Stage, wait_for

HOUR_S = 3_600


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def keep(stage: Stage, *readings: Reading) -> None:
    ledger = Ledger(stage.home.ledger_db)
    ledger.commit([], [], [], readings=readings)
    ledger.close()


def test_a_cp_has_what_is_kept_and_what_was_heard(fleet: Stage) -> None:
    now = int(time.time())
    keep(fleet, *(Reading("CP-002", now - hour * HOUR_S, 1_000 * hour, 0) for hour in (3, 2, 1)))
    fleet.judges("CP-002", "SUPPLYING", **SESSION)

    def told() -> list[int]:
        found: list[int] = fleet.get("/api/v1/power?cp=CP-002").json["power_w"]
        return found

    wait_for(lambda: 21_000 in told(), "web has heard it")
    assert told()[:3] == [3_000, 2_000, 1_000]
    assert told()[-1] == 21_000
    query = f"cp=CP-002&since={iso(now - 2.5 * HOUR_S)}&until={iso(now - 1.5 * HOUR_S)}"
    found = fleet.get(f"/api/v1/power?{query}").json
    assert found["power_w"] == [3_000, 2_000, 2_000]
    assert found["at"][0] == int(now - 2.5 * HOUR_S)
    assert fleet.get("/api/v1/power?cp=CP-001").json["at"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=0001-01-01&until=0001-01-02", 200),
        ("since=0001-01-01", 200),
        ("since=9999-01-01", 200),
        ("since=2026-11-22&until=2026-11-21", 200),
        ("since=yesterday", 400),
        ("cp=a.b", 400),
    ],
)
def test_any_time_can_be_asked_for(stage: Stage, query: str, status: int) -> None:
    assert stage.get(f"/api/v1/power?{query}").status == status


def test_days_come_in_parts(stage: Stage) -> None:
    now = int(time.time())
    keep(stage, *(Reading("LONG", now - minute * 60, 5_000, 0) for minute in range(1, 20_000)))
    found = stage.get(f"/api/v1/power?cp=LONG&since={iso(now - 10 * 86_400)}").json
    assert 1_400 < len(found["at"]) < 1_500
    assert set(found["power_w"][1:]) == {5_000}


def test_a_cps_page_has_its_days(fleet: Stage, page: Page) -> None:
    keep(fleet, *(Reading("CP-001", int(time.time()) - 30 * HOUR_S + i, 7_000, i) for i in (0, 60)))
    page.goto(f"{fleet.url}/cp/CP-001")
    page.get_by_role("button", name="Hours and days").click()
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_role("img", name="Power")).to_be_visible()
    page.get_by_role("button", name="10 minutes").click()
    expect(page.get_by_text("Hours and days")).to_be_visible()
    page.goto(f"{fleet.url}/cp/CP-003")
    page.get_by_role("button", name="Hours and days").click()
    expect(page.get_by_text("none that is still kept")).to_be_visible()
