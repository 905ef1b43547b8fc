"""Drivers with cards, stations with frames, hosts, services and the audit on the pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evcs.adapters.ledger import Ledger
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.audit import AuditEntry
from evcs.core.placement import OCPP
from tests.web.conftest import HOSTILE
from tests.web.stage import Stage, wait_for
from tests.web.test_accessibility import serious

FRAME = '[2,"1","Authorize",{"idTag":"04A224D2"}]'


@pytest.fixture
def station(stage: Stage) -> Iterator[Stage]:
    """Two CPs of one station, and one of a station that was never there."""
    for number, cp in enumerate(("W-1", "W-2"), 1):
        stage.wants(cp, hosting=OCPP, station="WALL", connector=number, ocpp_id="WALL")
    stage.wants("X-1", hosting=OCPP, station="YARD", connector=1, ocpp_id="YARD")
    gateway = stage.voice("gateway/main")
    gateway.publish(m.ServiceStatus("gateway/main", True, "boot-gateway", "0.1.0"))
    gateway.publish(
        m.StationStatus(
            "main", "WALL", True, "1.6", "ACME", HOSTILE, "7.1", key="k", clock_off_s=75
        )
    )
    wait_for(lambda: len(stage.get("/api/v1/cps").json) == 3, "web knows all three")
    wait_for(lambda: stage.get("/api/v1/stations").json, "and what the station said")
    yield stage
    for cp in ("W-1", "W-2", "X-1"):
        stage.wants(cp, deleted=True)
    wait_for(lambda: not stage.get("/api/v1/cps").json, "all are gone")


def test_stations_say_what_they_are(station: Stage, page: Page) -> None:
    (found,) = station.get("/api/v1/stations").json
    assert (found["station"], found["online"], found["model"]) == ("WALL", True, HOSTILE)
    assert "key" not in found
    page.goto(f"{station.url}/system.html")
    expect(page.locator('[data-service="gateway/main"]')).to_contain_text("there")
    wall = page.locator('[data-station="WALL"]')
    for text in ("W-1, W-2", "connected", "1.6", f"ACME {HOSTILE}", "7.1", "75 s ahead"):
        expect(wall).to_contain_text(text)
    expect(page.locator('[data-station="YARD"]')).to_contain_text("never seen")
    assert page.locator("img[src=x]").count() == 0
    gone = m.ServiceStatus("gateway/main", False, "boot-gateway")
    station.voice("gateway/main").publish(gone)
    wait_for(
        lambda: [one["online"] for one in station.get("/api/v1/stations").json] == [False],
        "none is there without its gateway",
    )


def frames(page: Page) -> Any:
    return page.locator(".messages li", has_text="/frame")


def test_frames_are_for_the_operator(station: Stage, page: Page) -> None:
    frame = m.StationFrame("main", "WALL", "in", "1.6", FRAME)
    second = page.context.new_page()
    for tab, cp in ((page, "W-1"), (second, "W-2")):
        tab.goto(station.login_url(f"/cp/{cp}"))
        expect(tab.locator(".live")).to_have_text("Live")
    other = page.context.new_page()
    # It has the cookie, as everybody on this machine may, and not what is stored beside it.
    other.route(
        "**/events?*", lambda route: route.continue_(url=f"{station.url}/api/v1/events?cp=W-1")
    )
    other.goto(f"{station.url}/cp/W-1")
    expect(other.locator(".live")).to_have_text("Live")
    for tab in (page, second):
        wait_for(
            lambda: station.voice("gateway/main").publish(frame) and frames(page).count(), "heard"
        )
        expect(frames(tab).first).to_contain_text("Authorize")
    second.close()  # the other CP's page goes on
    before = frames(page).count()
    wait_for(
        lambda: station.voice("gateway/main").publish(frame) and frames(page).count() > before,
        "heard again",
    )
    station.judges("W-1", "ACTIVATED")
    expect(other.locator(".messages li")).to_contain_text("central/cp/W-1/state")
    assert frames(other).count() == 0
    other.close()


AT = "2026-11-22T09:00:00.000Z"


@pytest.fixture
def hosts(stage: Stage) -> Iterator[Stage]:
    """The centre with a CP, h2 with two and a clock of tomorrow, and h3, which is invited."""
    stage.wants("H-1", location="Yard")
    for cp in ("H-2", "H-3"):
        stage.wants(cp, location="Yard", host="h2")
        stage.judges(cp, "DISCONNECTED", "host h2 gone")
    registry, central = stage.voice("registry"), stage.voice("central")
    registry.publish(m.DesiredHost("h2", AT))
    registry.publish(m.DesiredHost("h3", None, AT))
    central.publish(m.HostState("main", True, AT, "0.1.0", "10.0.0.1", 0.0))
    central.publish(m.HostState("h2", True, AT, "0.0.9", "10.0.0.2", 86_400.0))
    wait_for(lambda: len(stage.get("/api/v1/host-states").json) == 3, "web knows all three")
    yield stage
    for cp in ("H-1", "H-2", "H-3"):
        stage.wants(cp, deleted=True)
    for name in ("h2", "h3"):
        registry.publish(topics.clear(m.DesiredHost, host=name))
        registry.publish(topics.clear(m.ServiceStatus, service=f"manager/{name}"))
    for name in ("h2", "main"):
        central.publish(topics.clear(m.HostState, host=name))
    wait_for(lambda: not stage.get("/api/v1/host-states").json, "all are gone")
    wait_for(lambda: not stage.get("/api/v1/cps").json, "the CPs too")


def test_hosts_say_how_they_are(hosts: Stage, page: Page) -> None:
    page.goto(f"{hosts.url}/system.html")
    h2 = page.locator('[data-host="h2"]')
    for text in ("online", "2", "10.0.0.2"):
        expect(h2).to_contain_text(text)
    expect(h2.locator(".bad")).to_have_text(["0.0.9", "86400 s ahead"])
    expect(page.locator('[data-host="main"] .bad')).to_have_count(0)
    expect(page.locator('[data-host="h3"]')).to_contain_text("invited until")
    assert list(serious(page)) == []
    hosts.voice("central").publish(m.HostState("h2", False, AT, "0.0.9", "10.0.0.2"))
    expect(h2.locator(".bad")).to_have_text(["away"])
    h2.get_by_role("link").click()
    expect(page.locator("li.group")).to_have_text(
        ["main 1 CP: 1 disconnected", "h2 2 CPs: 2 disconnected"]
    )
    expect(page.locator('[data-cp="H-2"] .place')).to_have_text("Yard, on h2")
    expect(page.locator('[data-cp="H-1"] .place')).to_have_text("Yard")
    page.locator('[data-cp="H-2"] a').click()
    expect(page.locator('[data-fact="Host"]')).to_contain_text("h2")


def test_a_cp_is_made_where_one_chooses(hosts: Stage, page: Page) -> None:
    page.goto(hosts.login_url("/cp_manager.html"))
    form = page.get_by_label("Create", exact=True)
    form.locator('[name="host"]').select_option("h2")
    form.get_by_label("Name or range").fill("N-1")
    expect(form).to_contain_text("bin/evcs-cp create N-1 --host h2 --if-not-exists")
    form.locator('[name="hosting"]').select_option("ocpp")
    expect(form.locator('[name="host"]')).to_have_count(0)


def test_of_one_machine_alone_nothing_is_said(stage: Stage, page: Page) -> None:
    stage.wants("H-1")
    stage.voice("central").publish(m.HostState("main", True, AT, "0.1.0", "10.0.0.1", 0.0))
    wait_for(lambda: stage.get("/api/v1/host-states").json, "web knows it")
    page.goto(f"{stage.url}/system.html")
    expect(page.locator('[data-service="manager/main"]')).to_contain_text("there")
    expect(page.locator("#hosts")).to_have_count(0)
    page.goto(stage.url)
    expect(page.get_by_label("Group by").locator("option")).to_have_count(4)
    page.goto(f"{stage.url}/cp/H-1")
    expect(page.locator('[data-fact="Price"]')).to_be_visible()
    expect(page.locator('[data-fact="Host"]')).to_have_count(0)
    stage.wants("H-1", deleted=True)
    wait_for(lambda: not stage.get("/api/v1/cps").json, "it is gone")


def audited(stage: Stage) -> None:
    ledger = Ledger(stage.home.ledger_db)
    at = "2026-11-22T09:00:00.000Z"
    entries = [
        AuditEntry(at, "operator", "cp edited", "CP-7", "ok", "price_eur_kwh 0.30 -> 0.45"),
        AuditEntry(at, "driver/BOB", "charge", "CP-8", "denied", HOSTILE),
    ]
    ledger.commit([], [], entries)
    ledger.close()


def test_the_audit_is_for_the_operator(stage: Stage, page: Page) -> None:
    audited(stage)
    assert stage.get("/api/v1/audit").status == 401
    # The cookie goes to whatever listens on another port of this machine.
    cookie, token = stage.sign_in()
    assert stage.get("/api/v1/audit", Cookie=cookie).status == 401
    assert stage.get("/api/v1/audit", Cookie=cookie, X_CSRF_Token=token).status == 200
    found = stage.get("/api/v1/audit?cp=CP-7", **stage.bearer()).json
    assert [one["what"] for one in found] == ["cp edited"]
    assert stage.get("/api/v1/audit?since=2026-11-23", **stage.bearer()).json == []
    for bad in ("cp=..", "since=x", "limit=0"):
        assert stage.get(f"/api/v1/audit?{bad}", **stage.bearer()).status == 400
    page.goto(f"{stage.url}/system.html")
    expect(page.get_by_text("The operator sees it here")).to_be_visible()
    page.goto(stage.login_url("/system.html"))
    expect(page.locator("#audit").get_by_text(HOSTILE)).to_be_visible()
    page.get_by_label("Search the audit").fill("PRICE")
    expect(page.locator("#audit tbody tr")).to_have_count(1)
    expect(page.locator("#audit")).to_contain_text("0.30 -> 0.45")
    page.get_by_label("Search the audit").fill("nothing of that")
    expect(page.get_by_text("No entry fits.")).to_be_visible()


def test_older_entries_of_the_audit_come_when_they_are_asked_for(stage: Stage, page: Page) -> None:
    ledger = Ledger(stage.home.ledger_db)
    at = "2026-11-22T10:00:00.000Z"
    told = [AuditEntry(at, "operator", "edit", "CP-7", "ok", f"older {n}") for n in range(120)]
    ledger.commit([], [], told)
    ledger.close()
    page.goto(stage.login_url("/system.html"))
    page.get_by_label("Search the audit").fill("older")
    rows, older = page.locator("#audit tbody tr"), page.get_by_role("button", name="Load older")
    for count in (50, 100, 120):
        expect(rows).to_have_count(count)
        if count < 120:
            older.click()
    expect(older).to_have_count(0)


def test_drivers_and_their_cards(stage: Stage, page: Page) -> None:
    stage.start_registry()
    page.goto(stage.login_url("/drivers.html"))
    expect(page.get_by_text("No drivers yet.")).to_be_visible()
    name, add = page.get_by_label("Name"), page.get_by_role("button", name="Add", exact=True)
    name.fill("AL ICE")
    expect(page.get_by_text("1 to 32 letters, digits")).to_be_visible()
    expect(add).to_be_disabled()
    name.fill("ALICE")
    add.click()
    row = page.locator('[data-driver="ALICE"]')
    expect(row).to_be_visible()
    expect(page.get_by_text("data/secrets/driver/ALICE")).to_be_visible()
    name.fill("alice")
    expect(page.get_by_text("exists already")).to_be_visible()
    row.get_by_label("New card of ALICE").fill("04A224D2")
    row.get_by_role("button", name="Add card").click()
    expect(row.locator("code")).to_have_text("04A224D2")
    assert stage.get("/api/v1/drivers", **stage.bearer()).json == [
        {"id": "ALICE", "tags": ["04A224D2"]}
    ]
    # Who knows a card's tag can charge with it.
    cookie, token = stage.sign_in()
    for headers in ({}, {"Cookie": cookie}, {"Cookie": cookie, "X_CSRF_Token": token[::-1]}):
        assert stage.get("/api/v1/drivers", **headers).json == [{"id": "ALICE"}]
    assert stage.get("/api/v1/drivers", Cookie=cookie, X_CSRF_Token=token).json[0]["tags"]
    assert list(serious(page)) == []
    row.get_by_role("button", name="Remove card 04A224D2").click()
    expect(row.locator("code")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(row).to_contain_text("the operator sees them")
    assert stage.get("/api/v1/drivers", "POST", {"id": "BOB"}).status == 401
    assert stage.get("/api/v1/drivers/ALICE", "PATCH", {"add_tags": ["AA"]}).status == 401
    wrong: tuple[Any, ...] = ({"id": 1}, {}, [], {"id": "A B"})
    for bad in wrong:
        assert stage.get("/api/v1/drivers", "POST", bad, **stage.bearer()).status == 400
