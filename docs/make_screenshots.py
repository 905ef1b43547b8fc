"""Makes docs/screenshots from a real running system: python docs/make_screenshots.py

It starts a system in a home of its own on free ports, creates CPs, lets two of them charge,
brings others out of order, takes the pictures with Debian's Chromium, and ends everything.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tests.system_under_test import System, eventually  # noqa: E402
from tests.web.conftest import ARGS, CHROMIUM  # noqa: E402

FOLDER = ROOT / "docs" / "screenshots"
WIDE, PHONE = {"width": 1440, "height": 810}, {"width": 390, "height": 780}
PLACES = {
    "CP-001": "North gate", "CP-002": "North gate", "CP-003": "Car park A, level 1",
    "CP-004": "Car park A, level 1", "CP-005": "Town hall", "CP-006": "Town hall",
    "CP-007": "Depot", "CP-008": "Depot",
}  # fmt: skip
#: In GARAGE, behind a house: two more that charge, for whom there is power for one.
GARAGE = ("G-1", "G-2")
CHARGES = {"CP-001": ("ALICE", "40"), "CP-003": ("BOB", "55"), "CP-007": ("CARLA", "25")}


def furnish(system: System) -> None:
    """Bring CPs into every state."""
    for cp, place in PLACES.items():
        system.ok("evcs-cp", "create", cp, "--location", place, "--no-wait")
    system.ok("evcs", "circuit", "add", "HOUSE", "--max-power-kw", "44", "--other-load-kw", "20")
    system.ok("evcs", "circuit", "add", "GARAGE", "--max-power-kw", "7.5", "--parent", "HOUSE")
    for cp in GARAGE:
        system.ok("evcs-cp", "create", cp, "--location", "Garage", "--circuit", "GARAGE")
    for cp in PLACES:
        system.wait_for_state(cp, "ACTIVATED")
    for cp, (driver, kwh) in CHARGES.items():
        system.ok("evcs", "driver", "add", driver)
        system.ok("evcs-driver", "charge", cp, "--driver", driver, "--kwh", "1")
        system.ok("evcs-driver", "charge", cp, "--driver", driver, "--kwh", kwh, "--no-watch")
    for cp in GARAGE:
        system.ok("evcs", "driver", "add", f"D-{cp}")
        system.ok("evcs-driver", "charge", cp, "--driver", f"D-{cp}", "--kwh", "60", "--no-watch")
    system.ok("evcs-cp", "stop", "CP-004")
    system.ok("evcs-cp", "fault", "CP-006", "--reason", "ground leak")
    system.ok("supervisorctl", "stop", "CP-008:monitor")
    wanted = {"SUPPLYING", "ACTIVATED", "OUT_OF_ORDER", "BROKEN_DOWN", "DISCONNECTED"}
    eventually("a CP in every state", lambda: set(system.states().values()) == wanted)


def take(browser: Browser, system: System) -> None:
    """All pictures, each from a fresh profile."""
    shots = [
        ("dashboard", "/", WIDE, "light"), ("dashboard-dark", "/", WIDE, "dark"),
        ("dashboard-phone", "/", PHONE, "light"), ("cp-manager", "/cp_manager.html", WIDE, "light"),
        ("cp", "/cp/CP-003", {"width": 1440, "height": 1180}, "light"),
        ("sessions", "/sessions.html", WIDE, "light"),
        ("circuits", "/circuits.html", {"width": 1440, "height": 1000}, "light"),
    ]  # fmt: skip
    for name, path, size, scheme in shots:
        _, link = system.http("POST", f"{system.web_url}/api/v1/login", token=system.token)
        page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        page.goto(f"{link['url']}?next={path}")
        page.wait_for_selector('.live[data-live="live"]')
        if name == "cp-manager":
            page.get_by_label("Name or range").fill("CP-{009..020}")
            page.wait_for_selector("#preview strong")
        if name == "circuits":
            page.get_by_role("button", name="GARAGE").click()
        page.wait_for_timeout(1500)
        page.screenshot(path=FOLDER / f"{name}.png")
        page.close()


def main() -> None:
    """Start, furnish, take, end."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="evcs-") as folder:
        system = System(Path(folder) / "home", time_scale=20.0)
        try:
            system.up()
            furnish(system)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
                take(browser, system)
                browser.close()
        finally:
            system.down()


if __name__ == "__main__":
    main()
