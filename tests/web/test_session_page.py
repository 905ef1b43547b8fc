"""How far a charge is, and the page of each session; addresses at which nothing is."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from evcs.adapters.ledger import Ledger
from evcs.core.readings import Reading
from evcs.core.session import Correction, Phase
from tests.web.conftest import HOSTILE, SESSION
from tests.web.stage import Stage, wait_for
from tests.web.test_accessibility import serious
from tests.web.test_sessions import session, write

ASKED = {**SESSION, "session_id": "live", "requested_wh": 4_960}


def test_a_charge_says_how_far_it_is_and_how_long_it_takes(fleet: Stage, page: Page) -> None:
    fleet.judges("CP-002", "SUPPLYING", **ASKED)
    page.clock.install()
    page.goto(fleet.url)
    left = page.locator('[data-cp="CP-002"] .left')
    expect(left).to_have_text("25 %")
    fleet.judges("CP-002", "SUPPLYING", **{**ASKED, "energy_wh": 2_480})
    expect(left).to_have_text("50 %")
    page.clock.fast_forward(20_000)
    fleet.judges("CP-002", "SUPPLYING", **{**ASKED, "energy_wh": 2_480, "power_w": 20_000})
    # 1,240 Wh in 20 s and a little, and 2,480 to come: what it has come to counts, not its power,
    # by which it would take seven minutes.
    expect(left).to_have_text(re.compile("50 %, ([45][0-9] s|1 min) left"))
    page.goto(f"{fleet.url}/cp/CP-002")
    expect(page.locator('[data-fact="Progress"]')).to_contain_text("50 %")
    fleet.judges("CP-002", "SUPPLYING", **{**SESSION, "session_id": "by-car"})
    expect(page.locator('[data-fact="Progress"]')).not_to_contain_text("%")


def test_a_session_has_its_page(fleet: Stage, page: Page) -> None:
    one = session(4, 21)._replace(
        session_id="ticket-1", requested_wh=5_000, reason=HOSTILE, cost_eur="1.20"
    )
    late = Correction("2026-11-22T09:00:00.000Z", 1_234, "0.37", "completed")
    write(fleet, one._replace(correction=late))
    page.goto(f"{fleet.url}/sessions.html")
    page.locator('[data-session="ticket-1"] a').first.click()
    expect(page.locator("h1")).to_have_text("Ticket")
    for text in ("ticket-1", "ALICE", "4.00 kWh", "5.00 kWh", "0.30 €/kWh", "1.20 €", "1 h 0 min",
                 "1.23 kWh, 0.37 €", HOSTILE, "no readings are kept"):  # fmt: skip
        expect(page.get_by_text(text).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert list(serious(page)) == []
    page.emulate_media(media="print", color_scheme="light")
    expect(page.get_by_text("0.30 €/kWh")).to_be_visible()
    for hidden in (page.locator("header"), page.get_by_role("button", name="Print")):
        expect(hidden).to_be_hidden()


def test_a_charge_that_web_has_not_seen_has_its_curve_of_the_ledger(fleet: Stage) -> None:
    began = 1_795_338_000  # 2026-11-22T09:00:00Z
    write(fleet, session(1, 22)._replace(session_id="kept", cp="CP-9"))
    ledger = Ledger(fleet.home.ledger_db)
    times = (began - 60, began + 1, began + 1_800, began + 3_601, began + 3_700)
    ledger.commit([], [], [], readings=[Reading("CP-9", at, 7_000, at - began) for at in times])
    ledger.close()
    curve = fleet.get("/api/v1/sessions/kept/detail").json["curve"]
    assert curve["at"] == list(times[1:4])
    assert curve["energy_wh"] == [1, 1_800, 3_601]
    short = session(1, 22)._replace(
        session_id="short", cp="CP-9", ended_at="2026-11-22T09:00:03.000Z"
    )
    write(fleet, short)
    assert fleet.get("/api/v1/sessions/short/detail").json["curve"]["at"] == [began + 1]


def test_the_course_of_a_charge_is_in_its_row(fleet: Stage, page: Page) -> None:
    for power_w in (20_000, 10_000):
        fleet.judges("CP-002", "SUPPLYING", **{**ASKED, "power_w": power_w})
    path = "/api/v1/sessions/courses"
    wait_for(lambda: fleet.get(f"{path}?ids=live,none").json.get("live"), "web has seen it")
    assert set(fleet.get(f"{path}?ids=live,none").json) == {"live"}
    assert fleet.get(f"{path}?ids={','.join(['a'] * 101)}").status == 400
    assert fleet.get(f"{path}?ids=a.b").status == 400
    page.set_viewport_size({"width": 1440, "height": 800})
    page.goto(fleet.url)
    line = page.locator('[data-cp="CP-002"] .spark polyline')
    expect(line).to_have_attribute("points", re.compile(r"^0\.0,[0-9.]+ .*64\.0,[0-9.]+$"))


def test_one_under_way_has_its_curve_and_moves(fleet: Stage, page: Page) -> None:
    open_ = session(1, 21)._replace(session_id="live", cp="CP-002", phase=Phase.SUPPLYING,
                                    ended_at=None, cost_eur=None)  # fmt: skip
    write(fleet, open_)
    fleet.judges("CP-002", "SUPPLYING", **ASKED)
    path = "/api/v1/sessions/live/detail"
    wait_for(lambda: fleet.get(path).json["curve"]["at"], "web has seen it")
    page.goto(f"{fleet.url}/session/live")
    expect(page.locator("h1")).to_have_text("Session")
    expect(page.locator(".u-wrap")).to_be_visible()
    fleet.judges("CP-002", "SUPPLYING", **{**ASKED, "energy_wh": 3_720})
    expect(page.get_by_text("3.72 kWh")).to_be_visible()
    expect(page.locator(".left")).to_contain_text("75 %")


def test_what_is_no_session_is_said(fleet: Stage, page: Page) -> None:
    assert fleet.get("/api/v1/sessions/none/detail").status == 404
    assert fleet.get("/api/v1/sessions/a.b/detail").status == 400
    page.goto(f"{fleet.url}/session/none")
    expect(page.get_by_role("alert")).to_contain_text("no session 'none'")
    page.get_by_role("link", name="All sessions").click()
    expect(page.locator("h1")).to_have_text("Sessions")


@pytest.mark.parametrize("path", ["/nowhere", "/cp/", "/cp/a.b", "/cp_manager", "/static"])
def test_an_unknown_address_has_a_page_for_people(fleet: Stage, page: Page, path: str) -> None:
    answer = page.goto(fleet.url + path)
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("h1")).to_have_text("No such page")
    page.get_by_role("link", name="Dashboard").click()
    expect(page.locator("[data-cp]")).to_have_count(5)


def test_an_unknown_address_is_json_for_programs(fleet: Stage) -> None:
    for headers in ({}, {"Accept": "text/html"}):
        answer = fleet.get("/api/v1/nowhere", **headers)
        assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")
    assert fleet.get("/nowhere").json["error"]["code"] == "not_found"
