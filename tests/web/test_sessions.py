"""Sessions and tickets over HTTP, from a real ledger."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evcs.adapters.ledger import Ledger
from evcs.core.messages import ServiceStatus
from evcs.core.session import Correction, Phase, Session
from evcs.core.session_csv import COLUMNS
from tests.web.floods import not_reading, peak_mb
from tests.web.stage import Stage


def session(number: int, day: int, reason: str = "") -> Session:
    return Session(
        session_id=f"s{number}", cp=f"CP-{number % 2}", driver="ALICE", price_eur_kwh="0.30",
        requested_wh=20_000, max_power_w=22_000, started_at=f"2026-11-{day:02d}T09:00:00.000Z",
        phase=Phase.SETTLED, energy_wh=1_000 * number, seq=1, power_w=0, reason=reason,
        ended_at=f"2026-11-{day:02d}T10:00:00.000Z", cost_eur=f"0.{30 * number}",
    )  # fmt: skip


def test_no_ledger_yet_is_no_session(stage: Stage) -> None:
    assert stage.get("/api/v1/sessions").json == []
    assert stage.get("/api/v1/sessions.csv").body.decode().splitlines() == [",".join(COLUMNS)]


def write(stage: Stage, *sessions: Session) -> None:
    ledger = Ledger(stage.home.ledger_db)
    new = [one for one in sessions if ledger.session(one.session_id) is None]
    ledger.commit(new, [], [])
    ledger.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["s3", "s2", "s1"]),
        ("cp=CP-1", ["s3", "s1"]),
        ("since=2026-11-21", ["s3", "s2"]),
        ("until=2026-11-21", ["s2", "s1"]),
        ("since=2026-11-21&until=2026-11-21T23:00:00Z", ["s2"]),
        ("until=2026-11-21&limit=1", ["s2"]),
        ("limit=1", ["s3"]),
        ("since=2026-11-21T09:00Z&until=2026-11-21T09:00Z", ["s2"]),
        ("since=2026-11-21T09:00:00.001Z", ["s3"]),
        ("since=2026-11-21T10:00:00%2B01:00&until=2026-11-21T04:00:00-05:00", ["s2"]),
        ("driver=BOB", []),
        ("cp_part=p-1", ["s3", "s1"]),
        ("cp_part=_", []),
        ("driver_part=lic&cp_part=P-0", ["s2"]),
        ("state=active", []),
    ],
)
def test_json_and_csv_by_the_same_query(stage: Stage, query: str, expected: list[str]) -> None:
    write(stage, *(session(number, 19 + number) for number in (1, 2, 3)))
    found = stage.get(f"/api/v1/sessions?{query}").json
    assert [one["session_id"] for one in found] == expected
    text = stage.get(f"/api/v1/sessions.csv?{query}").body.decode()
    assert [row["session_id"] for row in csv.DictReader(io.StringIO(text))] == expected


@pytest.mark.parametrize("limit", ["0", "-1", "1.0", "x", "100001", "1" + "0" * 12,
                                   "000000001" + "9" * 12, "000000001" + "9" * 5_000])  # fmt: skip
def test_a_limit_that_is_none_is_refused(stage: Stage, limit: str) -> None:
    for kind in ("", ".csv"):
        assert stage.get(f"/api/v1/sessions{kind}?limit={limit}").status == 400


def sums(stage: Stage, query: str) -> Any:
    found = stage.get(f"/api/v1/sessions/sums?{query}").json
    every = [one["energy_wh"] for one in found["days"]]
    assert sum(every) == sum(one["energy_wh"] for one in found["cps"]) == found["energy_wh"]
    return found


def test_sums_are_of_all_rows_of_the_query(stage: Stage) -> None:
    one = session(1, 1)._replace(driver="BOB", energy_wh=1_001, cost_eur="0.31")
    many = [one._replace(session_id=f"m{n}", cp=f"M-{n % 3}") for n in range(2_500)]
    # One that is still open: its cost isn't written down, 1.5 kWh at 0.30.
    open_ = many[0]._replace(
        session_id="open", phase="supplying", cost_eur=None, ended_at=None, energy_wh=1_500,
        started_at="2026-11-02T23:59:59.999Z",
    )  # fmt: skip
    write(stage, *many, open_)
    found = sums(stage, "driver=BOB")
    assert (found["sessions"], found["energy_wh"], found["cost_eur"]) == (
        2_501, 2_500 * 1_001 + 1_500, "775.45",
    )  # fmt: skip
    assert [(one["day"], one["sessions"]) for one in found["days"]] == [
        ("2026-11-01", 2_500), ("2026-11-02", 1),
    ]  # fmt: skip
    assert [(one["cp"], one["sessions"]) for one in found["cps"]] == [
        ("M-0", 835), ("M-1", 833), ("M-2", 833),
    ]  # fmt: skip
    assert len(stage.get("/api/v1/sessions?driver=BOB").json) == 1_000
    assert len(stage.get("/api/v1/sessions.csv?driver=BOB").body.splitlines()) == 2_502
    assert sums(stage, "driver=BOB&since=2026-11-02")["cost_eur"] == "0.45"
    assert sums(stage, "driver=BOB&state=settled&cp=M-1")["sessions"] == 833
    assert sums(stage, "driver=NOBODY") == {
        "sessions": 0, "energy_wh": 0, "cost_eur": "0.00", "days": [], "cps": [],
    }  # fmt: skip


@pytest.mark.parametrize("limit", [199, 200, 201, 203, 204])
def test_corrections_come_beside_as_many_sessions_as_are_asked_for(
    stage: Stage, limit: int
) -> None:
    one = session(1, 1)._replace(driver="KARL")
    more = Correction("2026-11-03T09:00:00.000Z", 5, "0.00", "completed")
    corrected = {3: more, 7: more, 201: more}
    write(stage, *(one._replace(session_id=f"k{n:03d}", correction=corrected.get(n))
                   for n in range(203)))  # fmt: skip
    found = stage.get(f"/api/v1/sessions?driver=KARL&limit={limit}").json
    sessions = [one["session_id"] for one in found if "corrects" not in one]
    assert sessions == [f"k{n:03d}" for n in range(min(limit, 203))]
    assert len(found) == len(sessions) + sum(n < limit for n in corrected)


def test_the_page_shows_the_sums_of_all_and_both_plots(stage: Stage, page: Page) -> None:
    one = session(1, 1)._replace(driver="CARLA", energy_wh=1_000, cost_eur="0.30")
    write(stage, *(one._replace(session_id=f"p{n}", cp=f"P-{n % 3}") for n in range(1_200)))
    page.goto(f"{stage.url}/sessions.html?driver=CARLA")
    expect(page.locator("#sums")).to_contain_text("1200")
    expect(page.locator("#sums")).to_contain_text("1200.00 kWh")
    expect(page.locator("#sums")).to_contain_text("360.00 €")
    expect(page.locator("#sessions tbody [data-session]").first).to_be_visible()
    expect(
        page.get_by_text("the latest 1000 sessions; sums, plots and CSV are of all")
    ).to_be_visible()
    expect(page.locator(".u-wrap canvas")).to_be_visible()
    expect(page.locator("#by-cp meter")).to_have_count(3)
    expect(page.locator("#by-cp tbody tr").first).to_contain_text("400.00")
    page.get_by_label("CP").press_sequentially("p-1")
    expect(page.locator("#sums")).to_contain_text("400.00 kWh")
    expect(page).to_have_url(re.compile("cp=p-1&driver=CARLA"))
    page.get_by_label("CP").fill("p 1")
    expect(page.get_by_text("letters, digits, _ and - only")).to_be_visible()
    expect(page.locator("#sums")).to_contain_text("400.00 kWh")


def test_what_is_being_typed_stays_as_the_page_is_drawn_anew(stage: Stage, page: Page) -> None:
    stage.births()
    write(stage, session(2, 21), session(1, 22)._replace(session_id="typed", cp="TYPED-1"))
    page.goto(f"{stage.url}/sessions.html")
    expect(page.locator("#sessions [data-session]").first).to_be_visible()
    expect(page.locator(".live")).to_have_text("Live")
    field = page.get_by_role("textbox", name="CP")
    field.press_sequentially("TYPED-")
    gone = ServiceStatus("registry", False, "boot-registry")
    stage.voice("registry").publish(gone)
    expect(page.locator(".live")).to_have_text("Live, Registry away")
    expect(field).to_have_value("TYPED-")
    field.press_sequentially("1")
    expect(page.locator("#sessions tbody tr")).to_have_count(1)
    stage.births()


@pytest.mark.parametrize("part", ["%25", "a b", "x" * 33, "%FF", "."])
def test_what_is_no_part_of_a_name_is_refused(stage: Stage, part: str) -> None:
    for path in ("", ".csv", "/sums", "/total"):
        answer = stage.get(f"/api/v1/sessions{path}?cp_part={part.replace(' ', '%20')}")
        assert answer.status == 400


def test_the_cps_stand_by_energy_and_there_is_more(stage: Stage, page: Page) -> None:
    one = session(1, 1)._replace(driver="ERIK")
    write(stage, *(one._replace(session_id=f"e{n}", cp=f"E-{n}", energy_wh=1_000 * (n % 10 + 1))
                   for n in range(12)))  # fmt: skip
    page.goto(f"{stage.url}/sessions.html?driver=erik")
    first = page.locator("#by-cp tbody td:first-child")
    expect(first).to_have_text([f"E-{n}" for n in (9, 8, 7, 6, 5, 4, 3, 2)])
    page.get_by_role("button", name="Show all 12, by energy").click()
    expect(first).to_have_count(12)
    page.get_by_role("button", name="Show fewer").click()
    expect(first).to_have_count(8)


def test_nothing_yet_and_nothing_that_fits_are_two(stage: Stage, page: Page) -> None:
    page.route("**/api/v1/sessions?*", lambda route: route.fulfill(json=[]))
    page.goto(f"{stage.url}/sessions.html")
    expect(page.get_by_text("No sessions yet. One begins with")).to_be_visible()
    page.get_by_label("Driver").fill("nobody")
    expect(page.get_by_text("No session fits.")).to_be_visible()
    page.unroute_all(behavior="wait")
    write(stage, session(1, 20))
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#sessions [data-session]").first).to_be_visible()


def test_a_period_is_chosen_in_one_go_and_one_that_is_none_is_said(
    stage: Stage, page: Page
) -> None:
    page.clock.install(time="2026-12-02T12:00:00Z")  # a Wednesday
    page.goto(f"{stage.url}/sessions.html")
    names = ("period", "since", "until")
    period, since, until = (page.locator(f'[name="{name}"]') for name in names)
    for words, first, last in (
        ("last week", "2026-11-23", "2026-11-29"), ("last 7 days", "2026-11-26", ""),
        ("this month", "2026-12-01", ""), ("today", "2026-12-02", ""), ("all", "", ""),
    ):  # fmt: skip
        period.select_option(label=words)
        expect(since).to_have_value(first)
        expect(until).to_have_value(last)
    since.fill("2026-11-21")
    until.fill("2026-11-20")
    expect(page.get_by_text("before From: no day fits")).to_be_visible()
    expect(until).to_have_attribute("aria-invalid", "true")
    until.fill("2026-11-21")
    expect(page).to_have_url(re.compile("since=2026-11-21&until=2026-11-21$"))
    expect(period).to_have_value("other")


def test_on_a_phone_sessions_are_cards(stage: Stage, page: Page) -> None:
    write(stage, session(3, 22)._replace(session_id="phone", driver="PAULA"))
    page.set_viewport_size({"width": 390, "height": 780})
    page.goto(f"{stage.url}/sessions.html?driver=PAULA")
    card = page.locator('[data-session="phone"]')
    for at, text in ((3, "CP-1"), (4, "PAULA"), (6, "3.00"), (8, "0.90")):
        cell = card.locator("td").nth(at)
        expect(cell).to_have_text(text)
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_who_reads_slowly_has_little_held_for_it(stage: Stage) -> None:
    one = session(1, 1)._replace(driver="DORA")
    times = [
        f"2026-10-01T{n // 3600:02d}:{n // 60 % 60:02d}:00.000Z" for n in range(20_000)
    ]  # some begin together
    many = [one._replace(session_id=f"d{n:05d}", started_at=at) for n, at in enumerate(times)]
    ledger = Ledger(stage.home.ledger_db)
    ledger.commit(many, [], [])
    ledger.close()
    path = "/api/v1/sessions{}?driver=DORA&limit=100000"
    found = stage.get(path.format("")).json
    in_order = sorted(many, key=lambda row: row.session_id)
    in_order.sort(key=lambda row: row.started_at, reverse=True)
    assert [row["session_id"] for row in found] == [row.session_id for row in in_order]
    before = peak_mb(stage.web_pid)
    with contextlib.ExitStack() as stack:
        for kind in ("", ".csv") * 6:
            stack.enter_context(not_reading(stage.web_port, path.format(kind)))
        assert len(stage.get(path.format("")).json) == 20_000  # by then theirs are under way
        assert peak_mb(stage.web_pid) - before < 40
