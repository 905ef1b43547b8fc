"""The pages on a real running system: what is done there is what the commands see."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from csv import DictReader
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system_under_test import System, eventually
from tests.web.conftest import HOSTILE, act, choice, stop

GREEN = re.compile("ACTIVATED|SUPPLYING")


def cp(page: Page, name: str) -> Any:
    return page.locator(f'[data-cp="{name}"]')


def pid_of(system: System, process: str) -> int:
    """Its pid, once supervisord says that it runs: one that is just starting is listed without."""
    found: int = eventually(f"{process} runs", lambda: system.processes().get(process), 10)
    return found


def run_in_a_terminal(system: System, *command: str, **env: str) -> str:
    """What a command shows there."""
    master, terminal = pty.openpty()
    try:
        subprocess.run(
            [str(system.commands / command[0]), *command[1:]], env={**system.env, **env},
            stdin=terminal, stdout=terminal, stderr=terminal, timeout=60, check=True,
        )  # fmt: skip
        return os.read(master, 65_536).decode()
    finally:
        os.close(master)
        os.close(terminal)


def test_the_link_is_not_in_the_browsers_command_line(
    system: System, page: Page, tmp_path: Path
) -> None:
    asked, browser = tmp_path / "asked", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {asked}\n')
    browser.chmod(0o755)
    shown = run_in_a_terminal(system, "evcs", "open", DISPLAY=":0", BROWSER=str(browser))
    found = re.search(r"/login/(\S{43})\s", shown)
    assert found, shown
    (address,) = asked.read_text().splitlines()
    assert found[1] not in address
    file = Path(address.removeprefix("file://"))
    assert file.parent == system.home / "run"
    assert file.stat().st_mode & 0o777 == 0o600
    page.goto(address)
    expect(page).to_have_url(f"{system.web_url}/")
    expect(page.locator(".who")).to_have_text("Operator")


@pytest.fixture
def operator(system: System, page: Page) -> Page:
    """The CP Manager page, entered by the link of `evcs open`."""
    status, found = system.http("POST", f"{system.web_url}/api/v1/login", token=system.token)
    assert status == 201
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page.goto(f"{found['url']}?next=/cp_manager.html")
    return page


def create(page: Page, pattern: str, location: str = "") -> None:
    page.get_by_label("Name or range").fill(pattern)
    page.get_by_label("Location").fill(location)
    page.get_by_role("button", name="Create").click()


def test_the_first_cp_made_on_the_page(system: System, operator: Page) -> None:
    assert system.cps() == []
    create(operator, "CP-001", HOSTILE)
    steps = operator.locator('[data-job="CP-001"] .steps span')
    for step in ("registered", "section written", "processes up", "ACTIVATED"):
        expect(steps.filter(has_text=step)).to_have_attribute("data-done", "true")
    expect(cp(operator, "CP-001")).to_have_attribute("data-state", "ACTIVATED")
    (row,) = system.cps()
    assert (row["id"], row["state"], row["location"]) == ("CP-001", "ACTIVATED", HOSTILE)
    expect(operator.get_by_text(HOSTILE)).to_be_visible()
    assert operator.locator("img[src=x]").count() == 0
    both = {"CP-001:engine", "CP-001:monitor"}
    eventually("supervisord runs both", lambda: both <= set(system.processes()), 10)


def test_page_and_command_say_the_same(system: System, operator: Page) -> None:
    create(operator, "CP-{002..005}", "Depot")
    system.ok("evcs-cp", "create", "CP-006", "--location", "Depot")
    for number in range(2, 7):
        expect(cp(operator, f"CP-00{number}")).to_have_attribute("data-state", GREEN)
    listed = {row["id"]: row for row in system.cps()}
    _, shown = system.http("GET", f"{system.web_url}/api/v1/cps")
    assert [row["id"] for row in shown] == sorted(listed)
    for row in shown:
        same = listed[row["id"]]
        assert set(row) >= {"id", "state", "reason", "session", "since", "ocpp_status", "revoked"}
        card = {"token": same["token"]}  # which no page is told
        assert {key: row[key] for key in same.keys() - card.keys()} | card == same
    # Made on the page or by the command, it is the same.
    own = ("id", "since")
    by_page, by_command = (
        {key: value for key, value in listed[name].items() if key not in own}
        for name in ("CP-005", "CP-006")
    )
    assert by_page == by_command


def system_runs(system: System, name: str) -> bool:
    return name in system.processes()


def test_into_a_pool_and_out_again(system: System, operator: Page) -> None:
    for value, runs in (("pool", "_pool-1:engines"), ("process", "CP-004:engine")):
        cp(operator, "CP-004").get_by_role("button", name="Edit").click()
        operator.get_by_role("dialog").get_by_label("Hosting").select_option(value)
        operator.get_by_role("button", name="Save").click()
        eventually(f"it runs as {runs}", partial(system_runs, system, runs), 30)
        expect(cp(operator, "CP-004")).to_have_attribute("data-state", GREEN)
    operator.goto(f"{system.web_url}/cp/CP-004")
    expect(operator.get_by_text("own processes")).to_be_visible()


def test_a_real_charger_is_made_and_stays_one(system: System, operator: Page) -> None:
    form = operator.get_by_role("region", name="Create")
    expect(form.get_by_label("Station")).to_have_count(0)
    form.get_by_label("Hosting").select_option("ocpp")
    for label, value in (
        ("Name or range", "WALL-A"), ("Station", "WALL"), ("Connector", "2"), ("OCPP id", "DE*7"),
    ):  # fmt: skip
        form.get_by_label(label).fill(value)
    said = "create WALL-A --hosting ocpp --station 'WALL' --connector 2 --ocpp-id 'DE*7'"
    expect(form.get_by_text(said)).to_be_visible()
    form.get_by_role("button", name="Create").click()
    job = operator.locator('[data-job="WALL-A"]')
    told = system.ok("evcs-cp", "connect", "WALL-A", "--json").json
    for shown in (told["url"], told["user"], "bin/evcs-cp connect WALL-A"):
        expect(job.get_by_text(shown, exact=True)).to_be_visible()
    assert told["password"] not in operator.content()

    cp(operator, "WALL-A").get_by_role("button", name="Edit").click()
    dialog = operator.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Save")).to_be_visible()
    expect(dialog.get_by_label("Hosting")).to_have_count(0)
    operator.goto(f"{system.web_url}/cp/WALL-A")
    expect(operator.get_by_text("a real charger")).to_be_visible()
    expect(operator.locator(".facts")).to_contain_text("StationWALLConnector2")
    expect(operator.get_by_text(told["url"], exact=True)).to_be_visible()
    expect(operator.get_by_role("button", name="Restart")).to_be_visible()
    for name in ("Plug a car in", "Unplug it", "Cause a fault", "Clear the fault"):
        expect(operator.get_by_role("button", name=name)).to_have_count(0)
    system.ok("evcs-cp", "delete", "WALL-A", "--yes")


def circuits(system: System) -> dict[str, Any]:
    """Name -> what the Registry has of it."""
    _, found = system.http("GET", f"{system.registry_url}/api/v1/circuits")
    return {one.pop("name"): one for one in found}


def test_circuits_are_added_changed_refused_and_removed(system: System, operator: Page) -> None:
    page = operator
    page.goto(f"{system.web_url}/circuits.html")
    form = page.get_by_role("form", name="Add a circuit")
    form.get_by_label("Name").fill("MAINS")
    form.get_by_label("Limit, kW").fill("44")
    form.get_by_label("Other load, kW").fill("20")
    expect(page.get_by_text("bin/evcs circuit add MAINS --max-power-kw 44")).to_be_visible()
    form.get_by_role("button", name="Add").click()
    expect(page.locator('[data-circuit="MAINS"]')).to_be_visible()
    expect(page.get_by_text("data/secrets/meter/MAINS")).to_be_visible()
    form.get_by_label("Name").fill("GARAGE")
    form.get_by_label("Limit, kW").fill("22")
    form.get_by_label("Fed by").select_option("MAINS")
    form.get_by_role("button", name="Add").click()
    garage = page.locator('[data-circuit="GARAGE"]')
    expect(garage).to_have_attribute("data-depth", "1")
    assert circuits(system) == {
        "MAINS": {"max_power_w": 44_000, "parent": None, "other_load_w": 20_000},
        "GARAGE": {"max_power_w": 22_000, "parent": "MAINS", "other_load_w": 0},
    }

    page.get_by_role("button", name="Edit GARAGE").click()
    edit = page.get_by_role("dialog")
    expect(edit.get_by_role("option", name="GARAGE")).to_have_count(0)
    edit.get_by_label("Limit, kW").fill("11")
    expect(edit.get_by_text("bin/evcs circuit edit GARAGE --max-power-kw 11")).to_be_visible()
    edit.get_by_role("button", name="Save").click()
    expect(garage).to_contain_text("of 11.0 kW")

    page.get_by_role("button", name="MAINS", exact=True).click()
    page.get_by_role("button", name="Remove MAINS").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove MAINS").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("GARAGE")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    for name in ("GARAGE", "MAINS"):
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_role("button", name=f"Remove {name}").click()
        page.get_by_role("dialog").get_by_role("button", name=f"Remove {name}").click()
        expect(page.locator(f'[data-circuit="{name}"]')).to_have_count(0)
    assert circuits(system) == {}
    told = system.ok("evcs", "audit", "--json").json
    assert {"web/127.0.0.1"} == {one["who"] for one in told if one["what"].startswith("circuit")}


def test_stop_and_resume(system: System, operator: Page) -> None:
    row = cp(operator, "CP-002")
    stop(operator, "CP-002")
    expect(row).to_have_attribute("data-state", "OUT_OF_ORDER")
    assert system.states()["CP-002"] == "OUT_OF_ORDER"
    act(operator, "CP-002", "Resume")
    expect(row).to_have_attribute("data-state", "ACTIVATED")
    assert system.states()["CP-002"] == "ACTIVATED"


def test_edit_price_and_place(system: System, operator: Page) -> None:
    cp(operator, "CP-003").get_by_role("button", name="Edit").click()
    dialog = operator.get_by_role("dialog")
    dialog.get_by_label("Price").fill("0.45")
    dialog.get_by_label("Location").fill("Depot")
    dialog.get_by_role("button", name="Save").click()
    expect(cp(operator, "CP-003")).to_contain_text("0.45")
    expect(operator.locator('[data-job="CP-003"] .steps [data-done="true"]')).to_have_count(2)
    found = next(row for row in system.cps() if row["id"] == "CP-003")
    assert (found["price_eur_kwh"], found["location"]) == ("0.45", "Depot")


def test_a_refusal_says_why(system: System, operator: Page) -> None:
    system.ok("evcs-cp", "create", "CP-404")
    cp(operator, "CP-404").get_by_role("button", name="Edit").click()
    dialog = operator.get_by_role("dialog")
    dialog.get_by_label("Price").fill("0.31")
    system.ok("evcs-cp", "delete", "CP-404")
    dialog.get_by_role("button", name="Save").click()
    expect(operator.locator('[data-job="CP-404"] .bad')).to_contain_text("no CP CP-404")


def test_restart_of_its_processes(system: System, operator: Page) -> None:
    before = {name: pid_of(system, name) for name in ("CP-004:engine", "CP-005:engine")}
    act(operator, "CP-004", "Restart")
    expect(operator.locator('[data-job="CP-004"] .steps [data-done="true"]')).to_have_count(3)
    assert pid_of(system, "CP-004:engine") != before["CP-004:engine"]
    assert pid_of(system, "CP-005:engine") == before["CP-005:engine"]


def test_a_cp_with_a_fault_is_stopped_resumed_and_restarted(system: System, operator: Page) -> None:
    system.ok("evcs-cp", "fault", "CP-003", "--reason", "cable")
    row = cp(operator, "CP-003")
    expect(row).to_have_attribute("data-state", "BROKEN_DOWN")
    for verb in ("Stop", "Resume", "Restart"):
        (stop(operator, "CP-003") if verb == "Stop" else act(operator, "CP-003", verb))
        expect(operator.locator(".activity h2")).to_have_text("1 of 1 done", timeout=30_000)
        operator.get_by_role("button", name="Clear finished").click()
    system.ok("evcs-cp", "clear", "CP-003")


def test_a_charge_moves_and_is_a_session(system: System, page: Page) -> None:
    system.ok("evcs", "driver", "add", "ALICE")
    page.goto(system.web_url)
    row = cp(page, "CP-005")
    expect(row).to_have_attribute("data-state", "ACTIVATED")
    command = ("charge", "CP-005", "--driver", "ALICE", "--kwh", "3", "--no-watch")
    system.ok("evcs-driver", *command)
    expect(row).to_have_attribute("data-state", "SUPPLYING")
    expect(row).to_contain_text("ALICE")
    energy = row.locator('[data-figure="energy"] b')
    first = float(energy.inner_text())
    eventually("the figure grows", lambda: float(energy.inner_text()) > first, 20)
    expect(row).to_have_attribute("data-state", "ACTIVATED", timeout=120_000)
    page.goto(f"{system.web_url}/sessions.html?cp=CP-005")
    expect(page.locator("#sessions")).to_contain_text("ALICE")
    csv = page.request.get(f"{system.web_url}/api/v1/sessions.csv?cp=CP-005").text()
    (ticket,) = DictReader(csv.splitlines())
    assert (ticket["cp"], ticket["driver"], ticket["state"]) == ("CP-005", "ALICE", "settled")
    assert (ticket["energy_wh"], ticket["cost_eur"]) == ("3000", "0.90")
    expect(page.locator("#sums")).to_contain_text("3.00 kWh")
    expect(page.locator("#by-cp")).to_contain_text("CP-005")


def test_a_killed_engine_turns_red_and_green_again(system: System, page: Page) -> None:
    page.goto(system.web_url)
    row = cp(page, "CP-006")
    expect(row).to_have_attribute("data-state", "ACTIVATED")
    page.evaluate(
        """() => {
          window.states = [];
          const row = document.querySelector('[data-cp="CP-006"]');
          new MutationObserver(() => window.states.push(row.dataset.state)).observe(
            row, { attributes: true, attributeFilter: ["data-state"] });
        }"""
    )
    os.kill(pid_of(system, "CP-006:engine"), signal.SIGKILL)
    expect(row).to_have_attribute("data-state", "BROKEN_DOWN")
    expect(row).to_have_attribute("data-state", "ACTIVATED")
    assert page.evaluate("window.states")[-1] == "ACTIVATED"
    page.goto(f"{system.web_url}/cp/CP-006")
    expect(page.locator('tr[data-role="engine"] [data-restarts]')).to_have_text("1")
    expect(page.locator('tr[data-role="monitor"] [data-restarts]')).to_have_text("0")


def test_the_cps_page_shows_its_processes_and_log(system: System, page: Page) -> None:
    page.goto(f"{system.web_url}/cp/CP-006")
    pid = pid_of(system, "CP-006:engine")
    engine = page.locator('tr[data-role="engine"]')
    expect(engine).to_contain_text("RUNNING")
    expect(engine).to_contain_text(str(pid))
    page.get_by_role("button", name="monitor").click()
    expect(page.locator(".log")).to_contain_text("CP-006 monitor")


def test_what_is_done_on_a_cps_page_is_done(system: System, operator: Page) -> None:
    def plugged() -> bool:
        topic = "evcs/v1/cp/CP-003/engine/status"
        return bool(system.retained(topic)[topic]["plugged"])

    operator.goto(f"{system.web_url}/cp/CP-003")
    title = operator.locator(".title[data-cp]")
    for action, state in (
        ("Cause a fault", "BROKEN_DOWN"), ("Clear the fault", "ACTIVATED"),
        ("Stop", "OUT_OF_ORDER"), ("Resume", "ACTIVATED"),
    ):  # fmt: skip
        operator.locator(".act").get_by_role("button", name=action).click()
        if action == "Stop":
            operator.get_by_role("dialog").get_by_role("button", name="Stop CP-003").click()
        expect(title).to_have_attribute("data-state", state)
        assert system.states()["CP-003"] == state
    operator.get_by_role("button", name="Plug a car in").click()
    eventually("it is plugged in", plugged)
    operator.get_by_role("button", name="Unplug it").click()
    eventually("it is unplugged", lambda: not plugged())


def test_revoke_and_rekey_on_a_cps_page(system: System, operator: Page) -> None:
    other = pid_of(system, "CP-002:engine")
    operator.goto(f"{system.web_url}/cp/CP-003")
    title = operator.locator(".title[data-cp]")
    done = operator.locator('[data-job="CP-003"] .steps [data-done="true"]')
    operator.get_by_role("button", name="Revoke").click()
    dialog = operator.get_by_role("dialog")
    expect(dialog).to_contain_text("bin/evcs-cp revoke CP-003")
    dialog.get_by_role("button", name="Cancel").click()
    expect(title).to_have_attribute("data-state", "ACTIVATED")
    operator.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(title).to_have_attribute("data-state", "DISCONNECTED")
    expect(title).to_contain_text("revoked")
    expect(done).to_have_text([re.compile(s) for s in ("recorded", "shut out", "processes ended")])
    assert not {"CP-003:engine", "CP-003:monitor"} & set(system.processes())
    expect(operator.get_by_role("button", name="Revoke")).to_be_disabled()
    found = next(row for row in system.cps() if row["id"] == "CP-003")
    assert (found["revoked"], found["reason"]) == (True, "revoked")

    title.get_by_role("button", name="Rekey").click()
    expect(operator.get_by_text("Nothing more to do: it has its new secrets")).to_be_visible()
    expect(title).to_have_attribute("data-state", "ACTIVATED")
    expect(done).to_have_text([re.compile(s) for s in ("new secrets", "processes up", "back")])
    assert system.states()["CP-003"] == "ACTIVATED"
    assert pid_of(system, "CP-002:engine") == other


def test_revoke_and_rekey_on_the_cp_manager_page(system: System, operator: Page) -> None:
    row = cp(operator, "CP-004")
    act(operator, "CP-004", "Revoke")
    operator.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_attribute("data-state", "DISCONNECTED")
    expect(row).to_contain_text("revoked")
    expect(choice(operator, "CP-004", "Restart")).to_be_disabled()
    operator.keyboard.press("Escape")
    steps = operator.locator('[data-job="CP-004"] .steps [data-done="true"]')
    expect(steps).to_have_count(3)
    act(operator, "CP-004", "Rekey")
    expect(row).to_have_attribute("data-state", "ACTIVATED")
    expect(steps).to_have_count(3)
    assert system.states()["CP-004"] == "ACTIVATED"

    operator.get_by_label("Choose CP-004").check()
    operator.get_by_label("Choose CP-005").check()
    secrets = [system.secret(f"cp/{name}/engine") for name in ("CP-004", "CP-005")]
    operator.locator(".bar").get_by_role("button", name="Rekey").click()
    for name in ("CP-004", "CP-005"):
        steps = operator.locator(f'[data-job="{name}"] .steps [data-done="true"]')
        expect(steps).to_have_count(3)
    new = [system.secret(f"cp/{name}/engine") for name in ("CP-004", "CP-005")]
    assert not set(new) & set(secrets)


@pytest.mark.parametrize("service", ["mosquitto", "central", "registry", "web"])
def test_it_comes_back_by_itself(system: System, page: Page, service: str) -> None:
    page.goto(system.web_url)
    expect(page.locator(".live")).to_have_text("Live")
    system.ok("supervisorctl", "stop", service)
    expect(page.locator("#stale")).to_be_visible()
    system.ok("supervisorctl", "start", service)
    expect(page.locator(".live")).to_have_text("Live")
    for name in ("CP-001", "CP-005"):
        expect(cp(page, name)).to_have_attribute("data-state", "ACTIVATED")


def test_what_a_command_does_shows_by_itself(system: System, page: Page) -> None:
    page.goto(system.web_url)
    expect(cp(page, "CP-001")).to_be_visible()
    system.ok("evcs-cp", "create", "CP-007")
    expect(cp(page, "CP-007")).to_have_attribute("data-state", "ACTIVATED")
    system.ok("evcs-cp", "stop", "CP-007")
    expect(cp(page, "CP-007")).to_have_attribute("data-state", "OUT_OF_ORDER")
    system.ok("evcs-cp", "delete", "CP-007", "--yes")
    expect(cp(page, "CP-007")).to_have_count(0)


def test_delete_confirms_and_every_cp_can_go(system: System, operator: Page) -> None:
    act(operator, "CP-001", "Delete")
    operator.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(cp(operator, "CP-001")).to_be_visible()
    operator.get_by_label("Choose all").check()
    operator.locator(".bar").get_by_role("button", name="Delete").click()
    dialog = operator.get_by_role("dialog")
    dialog.get_by_label("to confirm").fill("6")
    dialog.get_by_role("button", name="Delete").click()
    expect(operator.locator("[data-cp]")).to_have_count(0)
    eventually("none is left", lambda: system.cps() == [])
    eventually("no process is left", lambda: not any("CP-" in name for name in system.processes()))


def test_two_tabs_see_the_same(system: System, operator: Page, browser: Browser) -> None:
    other = browser.new_page()
    other.goto(system.web_url)
    create(operator, "CP-008")
    expect(cp(other, "CP-008")).to_have_attribute("data-state", "ACTIVATED")
    other.close()
