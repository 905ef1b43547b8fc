"""What one is about to click stays where it is, and is what one sees; what ends a supply asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, Page, Request, expect

from tests.web.conftest import SESSION, act, choice, stop
from tests.web.stage import Stage, wait_for

CPS = [f"CP-{number:03d}" for number in range(101, 131)]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}


@pytest.fixture
def many(stage: Stage) -> Iterator[Stage]:
    """Thirty free CPs; drivers charge at the last two."""
    for name in CPS:
        stage.wants(name, location="Depot")
        stage.judges(name, "ACTIVATED")
    stage.judges(CPS[-2], "SUPPLYING", **SESSION)
    stage.judges(CPS[-1], "SUPPLYING", **{**SESSION, "session_id": "s2", "driver": "BOB"})
    wait_for(
        lambda: sum(row["state"] != "DISCONNECTED" for row in snapshot(stage)) == len(CPS),
        "web knows all of them",
    )
    yield stage
    for row in snapshot(stage):
        stage.wants(row["id"], deleted=True)
    wait_for(lambda: not snapshot(stage), "all are gone")


def snapshot(stage: Stage) -> Any:
    return stage.get("/api/v1/snapshot").json["cps"]


def enter(stage: Stage, page: Page, path: str = "/cp_manager.html") -> None:
    page.goto(stage.login_url(path))
    expect(page.locator(".who")).to_have_text("Operator")
    if path == "/cp_manager.html":
        expect(page.locator("tr[data-cp]")).to_have_count(len(CPS))


def cp(page: Page, name: str) -> Locator:
    return page.locator(f'tr[data-cp="{name}"]')


def button(page: Page, name: str, verb: str) -> Locator:
    return cp(page, name).get_by_role("button", name=verb)


#: Where buttons and checkboxes of some rows are on the page, and of what can be done to all.
PLACES = """names => {
  const main = document.querySelector("main").getBoundingClientRect();
  const place = (one) => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return [x - main.x, one.closest(".chosen") ? 0 : y - main.y, width, height];
  };
  const all = (where) => [...document.querySelectorAll(`${where} button, ${where} input`)];
  return Object.fromEntries([...names.map((name) => `tr[data-cp="${name}"]`), ".chosen"]
    .map((where) => [where, all(where).map(place)]));
}"""


def places(page: Page) -> Any:
    found = page.evaluate(PLACES, CPS[1:4])
    assert all(len(one) > 2 for one in found.values())
    return found


def click_again(page: Page) -> None:
    """Without moving the pointer."""
    page.mouse.down()
    page.mouse.up()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_moves_what_one_is_about_to_click(many: Stage, page: Page, size: Any) -> None:
    page.set_viewport_size(size)
    enter(many, page)
    cp(page, CPS[2]).scroll_into_view_if_needed()
    before = places(page)

    stop(page, CPS[0])
    expect(page.locator(f'[data-job="{CPS[0]}"] .bad')).to_be_attached()
    assert places(page) == before, "what is being done"
    many.wants(CPS[0], location="Depot", service="out")
    many.judges(CPS[0], "OUT_OF_ORDER", "stopped by the operator")
    many.judges(CPS[1], "BROKEN_DOWN", "fault: " + "a long story " * 15)
    many.judges(CPS[2], "SUPPLYING", **SESSION)
    expect(cp(page, CPS[0])).to_contain_text("stopped by the operator")
    expect(cp(page, CPS[2])).to_have_attribute("data-state", "SUPPLYING")
    assert places(page) == before, "other states"
    page.get_by_label("Name or range").fill("CP-{201..240}")
    expect(page.locator("#preview")).to_contain_text("Creates 40 CPs")
    page.get_by_label("Location").fill("at the far end of the long road " * 5)
    assert places(page) == before, "what would be created"
    cp(page, CPS[3]).get_by_role("checkbox").check()
    expect(page.locator(".chosen")).to_contain_text("1 CP chosen")
    assert places(page) == before, "a choice"
    many.stop_web()
    try:
        expect(page.locator("#stale")).to_be_visible()
        assert places(page) == before, "a page that is stale"
    finally:
        many.start_web()
    expect(page.locator("#stale")).to_have_count(0)
    expect(page.locator("tr[data-cp]")).to_have_count(len(CPS))
    assert places(page) == before, "and live again"


def test_a_double_click_acts_once_also_where_the_list_moves_between(
    many: Stage, page: Page
) -> None:
    enter(many, page)
    page.get_by_role("searchbox").fill("activated")
    expect(page.locator("tr[data-cp]")).to_have_count(len(CPS) - 2)
    choice(page, CPS[3], "Restart").dblclick()
    expect(page.locator(f'[data-job="{CPS[3]}"]')).to_be_attached()
    expect(page.locator("[data-job]")).to_have_count(1)
    # One leaves the list, and the next one takes its place under the pointer.
    dialog = page.get_by_role("dialog")
    button(page, CPS[4], "Edit").hover()
    many.judges(CPS[4], "OUT_OF_ORDER", "stopped by the operator")
    expect(cp(page, CPS[4])).to_have_count(0)
    click_again(page)
    expect(page.get_by_text("moved under the pointer")).to_be_visible()
    expect(dialog).to_have_count(0)
    # Who moves the pointer sees what is there now.
    button(page, CPS[5], "Edit").hover(position={"x": 3, "y": 3})
    click_again(page)
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("moved under the pointer")).to_have_count(0)


def test_a_double_click_does_not_say_yes_to_its_own_question(many: Stage, page: Page) -> None:
    enter(many, page)
    delete = choice(page, CPS[0], "Delete")
    delete.hover()
    box = delete.bounding_box()
    assert box is not None
    at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    click_again(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    # Wherever it opens: here under the pointer.
    page.evaluate(
        """([x, y]) => {
          const place = (which) => document.querySelector(which).getBoundingClientRect();
          const yes = place("dialog button.danger");
          const { style } = document.querySelector("dialog");
          style.position = "fixed";
          style.translate = `${x - yes.x - 9}px ${y - yes.y - 9}px`;
        }""",
        at,
    )
    click_again(page)
    expect(dialog).to_be_visible()
    expect(page.locator("[data-job]")).to_have_count(0)
    dialog.get_by_role("button", name="Delete").hover()
    click_again(page)
    expect(page.locator(f'[data-job="{CPS[0]}"]')).to_be_attached()


def test_a_menu_stays_that_is_opened_as_a_scroll_ends(many: Stage, page: Page) -> None:
    enter(many, page)
    row = cp(page, CPS[9])
    row.scroll_into_view_if_needed()
    restart = choice(page, CPS[9], "Restart")
    expect(restart).to_be_visible()
    page.evaluate("dispatchEvent(new Event('scroll'))")  # its word, told late
    expect(restart).to_be_visible()
    page.mouse.wheel(0, 300)
    expect(restart).to_have_count(0)


def test_a_selection_is_what_one_sees(many: Stage, page: Page) -> None:
    enter(many, page)
    bar = page.locator(".chosen")
    expect(bar.get_by_role("button", name="Delete")).to_be_disabled()
    page.get_by_label("Choose all").check()
    expect(bar).to_contain_text("30 CPs chosen")
    search = page.get_by_role("searchbox")
    search.fill("CP-10")
    expect(bar).to_contain_text("9 CPs chosen")
    bar.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Which")).to_have_text(", ".join(CPS[:9]))
    page.keyboard.press("Escape")
    search.fill("none of them")
    expect(page.locator("tr[data-cp]")).to_have_count(0)
    expect(bar).to_contain_text("None chosen")
    expect(bar.get_by_role("button", name="Delete")).to_be_disabled()
    search.fill("")
    expect(page.locator("tr[data-cp]")).to_have_count(len(CPS))
    expect(page.locator("tr[data-cp] input:checked")).to_have_count(0)


def test_a_question_names_the_cps_and_who_is_charging(many: Stage, page: Page) -> None:
    enter(many, page)
    for name in (CPS[0], *CPS[-2:]):
        cp(page, name).get_by_role("checkbox").check()
    page.locator(".chosen").get_by_role("button", name="Stop").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Which")).to_have_text(", ".join([CPS[0], *CPS[-2:]]))
    expect(dialog).to_contain_text("2 drivers are charging there now")
    charging = dialog.get_by_label("Who is charging")
    expect(charging).to_contain_text(f"{CPS[-2]} ALICE, 1.24 kWh")
    expect(charging).to_contain_text(f"{CPS[-1]} BOB")
    expect(dialog.get_by_label("Type 3 to confirm")).to_be_focused()
    # One who plugs in meanwhile is named too.
    many.judges(CPS[0], "SUPPLYING", **{**SESSION, "session_id": "s3", "driver": "CARLA"})
    expect(charging).to_contain_text(f"{CPS[0]} CARLA")
    expect(dialog).to_contain_text("3 drivers are charging there now")


@pytest.mark.parametrize("verb", ["Delete", "Revoke", "Stop"])
def test_enter_does_not_say_yes(many: Stage, page: Page, verb: str) -> None:
    enter(many, page)
    choice(page, CPS[-1], verb).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("BOB")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator("[data-job]")).to_have_count(0)


def test_a_stop_asks_wherever_it_is_and_in_the_same_words(many: Stage, page: Page) -> None:
    enter(many, page)
    dialog = page.get_by_role("dialog")
    act(page, CPS[0], "Stop")
    expect(dialog).to_contain_text("Nobody is charging there now.")
    said = dialog.inner_text()
    page.keyboard.press("Escape")
    cp(page, CPS[0]).get_by_role("checkbox").check()
    bar = page.locator(".chosen").get_by_role("button", name="Stop")
    bar.click()
    assert dialog.inner_text() == said
    page.keyboard.press("Escape")
    # Many of which none charges have no number to type: Resume brings them back.
    for name in CPS[1:4]:
        cp(page, name).get_by_role("checkbox").check()
    bar.click()
    expect(dialog.get_by_text("bin/evcs-cp stop 'CP-{101..104}'", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Stop 4 charging points").click()
    expect(page.locator("[data-job]")).to_have_count(4)
    page.goto(f"{many.url}/cp/{CPS[0]}")
    page.get_by_role("button", name="Stop").click()
    expect(dialog).to_be_visible()
    assert dialog.inner_text() == said


def test_a_restart_is_done_at_once(many: Stage, page: Page) -> None:
    enter(many, page)
    act(page, CPS[0], "Restart")
    expect(page.locator(f'[data-job="{CPS[0]}"]')).to_be_attached()


def test_a_cps_page_asks_while_a_driver_is_charging(many: Stage, page: Page) -> None:
    many.observes(CPS[-1])
    many.observes(CPS[0])
    enter(many, page, f"/cp/{CPS[-1]}")
    dialog = page.get_by_role("dialog")
    for action in ("Stop", "Unplug it", "Cause a fault", "Revoke"):
        page.get_by_role("button", name=action).click()
        expect(dialog).to_contain_text("1 driver is charging there now")
        expect(dialog).to_contain_text("BOB")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Escape")
    expect(page.locator("[data-job]")).to_have_count(0)
    page.goto(f"{many.url}/cp/{CPS[0]}")
    page.get_by_role("button", name="Unplug it").click()
    expect(page.locator(f'[data-job="{CPS[0]}"]')).to_be_attached()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_on_a_cps_page_nothing_moves_its_actions(many: Stage, page: Page, size: Any) -> None:
    page.set_viewport_size(size)
    enter(many, page, f"/cp/{CPS[0]}")
    last = page.get_by_role("button", name="Revoke")
    expect(last).to_be_visible()
    before = last.bounding_box()
    many.judges(CPS[0], "SUPPLYING", **SESSION)
    expect(page.locator(".u-wrap")).to_be_visible()
    assert last.bounding_box() == before
    many.judges(CPS[0], "BROKEN_DOWN", "fault: " + "a long story " * 15)
    expect(page.locator(".title[data-cp]")).to_have_attribute("data-state", "BROKEN_DOWN")
    assert last.bounding_box() == before


def test_a_bulk_shows_all_and_is_not_left_in_silence(many: Stage, page: Page) -> None:
    enter(many, page)
    page.route("**/restart", lambda _: None)  # the answer never comes
    page.get_by_label("Choose all").check()
    page.locator(".chosen").get_by_role("button", name="Restart").click()
    expect(page.locator(".activity h2")).to_have_text("0 of 30 done")
    expect(page.locator("[data-job]")).to_have_count(30)
    expect(button(page, CPS[-1], "More")).to_be_disabled()
    asked: list[str] = []

    def stay(question: Dialog) -> None:
        asked.append(question.type)
        question.dismiss()

    page.on("dialog", stay)
    page.get_by_role("link", name="Dashboard", exact=True).click(no_wait_after=True)
    wait_for(lambda: page.title() and asked, "the browser asks before it leaves")
    assert asked == ["beforeunload"]
    expect(page.locator("[data-job]")).to_have_count(30)
    page.unroute_all(behavior="ignoreErrors")


def test_only_what_was_edited_is_sent(many: Stage, page: Page) -> None:
    many.wants(CPS[0], max_power_w=7_360)
    enter(many, page)
    expect(cp(page, CPS[0])).to_contain_text("7.4")
    sent: list[Any] = []

    def note(one: Request) -> None:
        if one.method == "PATCH":
            sent.append(one.post_data_json)

    page.on("request", note)
    dialog = page.get_by_role("dialog")
    for label, value, body in (
        ("Location", "Gate", {"location": "Gate"}),
        ("Power", "7.36", {}),
        ("Power", "7.4", {"max_power_w": 7_400}),
        ("Price", " 0.31 ", {"price_eur_kwh": "0.31"}),
    ):
        button(page, CPS[0], "Edit").click()
        dialog.get_by_label(label).fill(value)
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        wait_for(lambda: page.title() and sent, "it is sent")
        assert sent.pop() == body
        expect(button(page, CPS[0], "Edit")).to_be_enabled()


@pytest.mark.parametrize("power", ["7 4", "", "0x10", "0", "1001"])
def test_an_edit_is_checked_before_its_dialog_closes(many: Stage, page: Page, power: str) -> None:
    enter(many, page)
    button(page, CPS[0], "Edit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Location").fill("typed with care")
    dialog.get_by_label("Power").fill(power)
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("from 0.001 to 1000")).to_be_visible()
    expect(dialog.get_by_label("Power")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Location")).to_have_value("typed with care")
    expect(page.locator("[data-job]")).to_have_count(0)
