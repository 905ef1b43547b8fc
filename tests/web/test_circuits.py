"""Circuits over HTTP, as metrics and on the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evcs.core import messages as m
from evcs.services.web.snapshot import FleetSnapshot
from tests.web.conftest import SESSION
from tests.web.stage import Stage, wait_for
from tests.web.test_accessibility import serious
from tests.web.test_snapshot import MINE, NOW, REGISTRY, fleet

#: Of GARAGE: one that is limited and one that waits.
FIGURES = {"other_load_w": 3_000, "power_w": 4_400, "limit_w": 5_000, "sessions": 2, "waiting": 1}


@pytest.fixture
def garage(stage: Stage) -> Iterator[Stage]:
    """GARAGE below MAINS, which has not been told of; two CPs on it, one on none."""
    stage.cable("MAINS", 44_000)
    stage.cable("GARAGE", 9_000, "MAINS")
    stage.carries("GARAGE", 9_000, **FIGURES)
    for cp in ("CP-1", "CP-2"):
        stage.wants(cp, circuit="GARAGE", fallback_w=4_140)
    stage.wants("CP-3")
    lowered = SESSION | {"power_w": 4_400, "limit_w": 5_000, "limit_shown_s": 2}
    stage.judges("CP-1", "SUPPLYING", **lowered)
    waits = SESSION | {"session_id": "s2", "driver": "BOB", "power_w": 0}
    stage.judges("CP-2", "SUPPLYING", "waiting for power", **waits, limit_w=0, wait_s=500)
    stage.judges("CP-3", "SUPPLYING", **SESSION)
    wait_for(
        lambda: (
            [row["state"] for row in stage.get("/api/v1/cps").json] == ["SUPPLYING"] * 3
            and [one["state"] is not None for one in listed(stage)] == [True, False]
        ),
        "web knows them",
    )
    yield stage
    for cp in ("CP-1", "CP-2", "CP-3"):
        stage.wants(cp, deleted=True)
    for name in ("GARAGE", "MAINS"):
        stage.no_cable(name)
    wait_for(lambda: not stage.get("/api/v1/cps").json and not listed(stage), "all are gone")


def listed(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.get("/api/v1/circuits").json
    return found


def test_what_is_wanted_and_what_it_carries(garage: Stage) -> None:
    row, mains = listed(garage)
    assert row == {"name": "GARAGE", "max_power_w": 9_000, "parent": "MAINS", "other_load_w": 0,
                   "state": {"max_power_w": 9_000, **FIGURES}}  # fmt: skip
    assert mains["state"] is None
    found = garage.get("/api/v1/circuits/GARAGE/detail").json
    assert found["circuit"] == row
    assert found["trace"]["power_w"][-1] == 4_400
    assert garage.get("/api/v1/circuits/NONE/detail").status == 404
    assert garage.get("/api/v1/circuits?limit=1").headers["Link"]


def test_metrics(garage: Stage) -> None:
    lines = garage.get("/metrics").body.decode().splitlines()
    for name, value in (("max_watts", 9_000), ("limit_watts", 5_000), ("power_watts", 4_400),
                        ("other_load_watts", 3_000), ("sessions", 2), ("waiting", 1)):  # fmt: skip
        assert f'evcs_circuit_{name}{{circuit="GARAGE"}} {value}.0' in lines
    assert not any("MAINS" in line for line in lines)


def test_what_the_registry_no_longer_has_after_a_connection_anew_is_dropped() -> None:
    found: FleetSnapshot = fleet(m.Circuit("A", 1), m.Circuit("B", 1), MINE, REGISTRY)
    assert (found.circuits.names(), found.circuits.drain().changed) == (["A", "B"], ["A", "B"])
    found.disconnected(NOW)
    found.connected(NOW)
    for message in (m.Circuit("A", 1), REGISTRY):
        found.message(message, True, NOW)
    assert found.circuits.names() == ["A", "B"]
    found.message(MINE, False, NOW)
    assert found.circuits.names() == ["A"]
    assert found.circuits.drain().removed == ["B"]


def test_the_page_shows_each_with_its_bar_its_hour_and_who_is_on_it(
    garage: Stage, page: Page
) -> None:
    page.goto(f"{garage.url}/circuits.html?circuit=GARAGE")
    rows = page.locator("[data-circuit]")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("MAINS")
    expect(rows.nth(1)).to_contain_text("GARAGE")
    assert [rows.nth(at).get_attribute("data-depth") for at in (0, 1)] == ["0", "1"]
    bar = rows.nth(1).get_by_role("img")
    expect(bar).to_have_accessible_name("4.4 of 9.0 kW charging, 5.0 kW given, other load 3.0 kW")
    expect(rows.nth(1)).to_contain_text("1 of 2 wait")
    expect(page.get_by_role("img", name="Power and limit of GARAGE")).to_be_visible()
    members = page.locator("#members tbody tr")
    expect(members).to_have_count(2)
    expect(members.nth(0)).to_contain_text("limit 5.0 kW of GARAGE")
    expect(members.nth(1)).to_contain_text("waiting for power, about 9 min")
    garage.carries("GARAGE", 9_000, **FIGURES | {"power_w": 2_000})
    expect(bar).to_have_accessible_name(re.compile("^2.0 of 9.0 kW"))
    expect(rows.nth(1)).to_contain_text("5.0 kW given")
    idle = {"power_w": 0, "limit_w": 0, "sessions": 0, "waiting": 0}
    garage.carries("GARAGE", 9_000, **FIGURES | idle)
    expect(rows.nth(1)).to_contain_text("nobody charges")
    heads = page.locator("#members th")
    expect(heads).to_have_text(["CP", "State", "Measured, kW", "Limit, kW", "Reason"])
    rows.nth(0).get_by_role("button").click()
    expect(page).to_have_url(re.compile("circuit=MAINS"))
    expect(page.get_by_text("No CP is on MAINS itself.")).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert list(serious(page)) == []


def test_a_cp_says_its_circuit_its_limit_and_that_it_waits(garage: Stage, page: Page) -> None:
    page.goto(garage.url)
    row = page.locator('[data-cp="CP-2"]')
    expect(row).to_contain_text("waiting for power, about 9 min")
    expect(page.locator('[data-cp="CP-1"]')).to_contain_text("limit 5.0 kW of GARAGE")
    page.goto(f"{garage.url}/cp/CP-1")
    facts = page.locator(".facts")
    expect(facts).to_contain_text("Lowered, seen after2 s")
    facts.get_by_role("link", name="GARAGE").click()
    title = page.get_by_role(
        "heading", name=re.compile(r"^GARAGE, the last (\d+ s|minute|\d+ min)$")
    )
    expect(title).to_be_visible()


def test_no_circuit_says_how_to_add_one(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.url}/circuits.html")
    expect(page.get_by_text("bin/evcs circuit add GARAGE --max-power-kw 44")).to_be_visible()
    assert list(serious(page)) == []


def test_a_cp_is_created_and_moved_with_a_circuit(garage: Stage, page: Page) -> None:
    page.goto(garage.login_url("/cp_manager.html"))
    page.get_by_label("Name or range").fill("CP-9")
    page.get_by_label("Circuit").select_option("GARAGE")
    expect(page.get_by_text("--circuit GARAGE")).to_be_visible()
    page.locator('[data-cp="CP-3"]').get_by_role("button", name="Edit").click()
    edit = page.get_by_role("dialog")
    expect(edit.get_by_label("Circuit")).to_have_value("")
    edit.get_by_label("Circuit").select_option("MAINS")
    with page.expect_request(re.compile("/api/v1/cps/CP-3$")) as asked:
        edit.get_by_role("button", name="Save").click()
    assert asked.value.post_data_json == {"circuit": "MAINS"}


def test_each_wrong_field_says_so_where_it_is(garage: Stage, page: Page) -> None:
    page.goto(garage.login_url("/circuits.html"))
    form = page.get_by_role("form", name="Add a circuit")
    add = form.get_by_role("button", name="Add")
    expect(add).to_be_disabled()
    wrong = {
        "Name": ("garage", "GARAGE exists already"),
        "Limit, kW": ("1e3", "a decimal of kW from 0 to 1000"),
        "Other load, kW": ("-1", "a decimal of kW from 0 to 1000"),
    }
    for label, (value, why) in wrong.items():
        field = form.get_by_label(label)
        field.fill(value)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(why)))
    assert list(serious(page)) == []
    expect(add).to_be_disabled()
    for label, value in (("Name", "../x"), ("Name", "ANNEX"), ("Limit, kW", "0.5")):
        form.get_by_label(label).fill(value)
        expect(add).to_be_disabled()
    form.get_by_label("Other load, kW").fill("")
    with page.expect_request(re.compile("/api/v1/circuits$")) as asked:
        add.click()
    assert asked.value.post_data_json == {
        "name": "ANNEX", "max_power_w": 500, "parent": None, "other_load_w": 0,
    }  # fmt: skip
    assert asked.value.headers["x-csrf-token"]
    expect(form.get_by_role("alert")).to_contain_text("Registry")
    expect(form.get_by_label("Name")).to_have_value("ANNEX")


def test_only_what_was_changed_of_a_circuit_is_sent(garage: Stage, page: Page) -> None:
    page.goto(garage.login_url("/circuits.html"))
    page.get_by_role("button", name="GARAGE", exact=True).click()
    page.get_by_role("button", name="Edit GARAGE").click()
    edit = page.get_by_role("dialog")
    expect(edit.get_by_label("Limit, kW")).to_have_value("9")
    expect(edit.get_by_label("Fed by")).to_have_value("MAINS")
    edit.get_by_label("Fed by").select_option("")
    expect(edit.get_by_text("bin/evcs circuit edit GARAGE --no-parent")).to_be_visible()
    assert list(serious(page)) == []
    with page.expect_request(re.compile("/api/v1/circuits/GARAGE$")) as asked:
        edit.get_by_role("button", name="Save").click()
    assert (asked.value.method, asked.value.post_data_json) == ("PATCH", {"parent": None})
    expect(edit.get_by_role("alert")).to_contain_text("Registry")


def test_who_only_looks_changes_no_circuit(garage: Stage, page: Page) -> None:
    page.goto(f"{garage.url}/circuits.html?circuit=GARAGE")
    expect(page.get_by_role("button", name="Edit GARAGE")).to_be_disabled()
    expect(page.get_by_role("button", name="Remove GARAGE")).to_be_disabled()
    form = page.get_by_role("form", name="Add a circuit")
    form.get_by_label("Name").fill("ANNEX")
    form.get_by_label("Limit, kW").fill("11")
    expect(form.get_by_role("button", name="Add")).to_be_disabled()
    expect(page.locator("#not-operator")).to_contain_text("bin/evcs open")
