"""The operator's session: kept by the server alone, ended by whoever holds it, at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bottle import HTTPResponse, request
from playwright.sync_api import Page, expect

from evcs.adapters.session_file import SessionFile
from evcs.adapters.spool import Spool
from evcs.core.errors import Denied
from evcs.services.web.login_auth import MAX_SESSIONS, SESSION_S, LoginAuth
from tests.web.stage import Answer, Stage


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.json"


@pytest.fixture
def doors(clock: Clock, path: Path) -> Callable[..., LoginAuth]:
    """LoginAuth as a web process has them that starts now."""

    def make(token: str = "the token", **more: Any) -> LoginAuth:
        spool = Spool.open(path.with_name("web"))
        return LoginAuth(
            lambda: token, 1, SessionFile(path), spool, clock, clock, lambda _: None, **more
        )

    return make


def enter(doors: LoginAuth) -> str:
    """A session's cookie, as a browser would send it."""
    return set_cookie(doors).partition(";")[0]


def set_cookie(doors: LoginAuth) -> str:
    answer = HTTPResponse()
    doors.set_cookie(doors.enter(doors.new_link()), answer)
    return str(dict(answer.headerlist)["Set-Cookie"])


def opens(doors: LoginAuth, cookie: str) -> bool:
    request.bind(environ(cookie))
    return doors.session() is not None


def environ(cookie: str) -> dict[str, Any]:
    """A request, as far as the doors look at it."""
    return {
        "HTTP_COOKIE": cookie, "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "1",
        "REQUEST_METHOD": "GET", "bottle.route": SimpleNamespace(rule="/login/<link>"),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _a_request() -> None:
    request.bind(environ(""))


def test_a_link_ends_after_a_minute(doors: Callable[..., LoginAuth], clock: Clock) -> None:
    made = doors()
    link = made.new_link()
    clock.now += 61
    with pytest.raises(Denied, match="used up or too old"):
        made.enter(link)


def test_it_ends_after_half_a_day(doors: Callable[..., LoginAuth], clock: Clock) -> None:
    made = doors()
    cookie = enter(made)
    clock.now += SESSION_S - 1
    assert opens(made, cookie)
    clock.now += 2
    assert not opens(made, cookie)
    assert not opens(doors(), cookie)


def test_its_number_is_bounded_and_the_oldest_goes(
    doors: Callable[..., LoginAuth], path: Path
) -> None:
    made = doors()
    cookies = [enter(made) for _ in range(MAX_SESSIONS + 1)]
    assert len(SessionFile(path).read()) == MAX_SESSIONS
    for here in (made, doors()):
        assert [opens(here, cookie) for cookie in cookies] == [False] + [True] * MAX_SESSIONS


def test_another_token_ends_every_session(doors: Callable[..., LoginAuth]) -> None:
    cookie = enter(doors())
    assert opens(doors(), cookie)
    assert not opens(doors("another token"), cookie)


def test_the_cookie_can_be_kept_to_https(doors: Callable[..., LoginAuth]) -> None:
    for secure in (False, True):
        assert ("secure" in set_cookie(doors(secure=secure)).lower()) is secure


def test_an_unreadable_file_is_no_session(doors: Callable[..., LoginAuth], path: Path) -> None:
    for content in (b"", b"\xff", b"[]", b"7", b"null", b'{"x": "y"}', b'{"x": []}', b"{" * 9):
        path.write_bytes(content)
        made = doors()
        assert opens(made, enter(made))


def test_on_a_disk_that_takes_nothing_an_ended_session_does_not_come_back(
    doors: Callable[..., LoginAuth], path: Path
) -> None:
    made = doors()
    left, stays = enter(made), enter(made)
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temp.mkdir()  # it can't be written there
    request.bind(environ(left))
    made.leave(HTTPResponse())
    assert not opens(made, left)
    assert opens(made, stays)
    temp.rmdir()
    assert not opens(doors(), left)


def is_operator(stage: Stage, cookie: str, csrf: str) -> bool:
    found = stage.get("/api/v1/me", Cookie=cookie, X_CSRF_Token=csrf).json
    return found == {"operator": True}


def leave(stage: Stage, cookie: str, csrf: str) -> Answer:
    return stage.get("/api/v1/logout", "POST", Cookie=cookie, X_CSRF_Token=csrf)


def test_what_is_on_disk_opens_nothing(stage: Stage) -> None:
    cookie, csrf = stage.sign_in()
    name, _, session = cookie.partition("=")
    assert len(session) == 43, "256 bits"
    path = stage.home.run / "web-sessions.json"
    assert path.stat().st_mode & 0o777 == 0o600
    (kept,) = SessionFile(path).read()
    content = path.read_text()
    assert session not in content
    assert csrf not in content
    assert not is_operator(stage, f"{name}={kept}", csrf)


def test_it_outlives_web_and_ends_wherever_its_cookie_is(stage: Stage) -> None:
    first, second = (stage.sign_in() for _ in range(2))
    stage.stop_web()
    stage.start_web()
    assert is_operator(stage, *first)
    assert is_operator(stage, *second)

    assert leave(stage, *first).status == 200
    assert not is_operator(stage, *first)
    assert leave(stage, *first).status == 401
    stage.stop_web()
    stage.start_web()
    assert not is_operator(stage, *first)
    assert is_operator(stage, *second)


def test_a_token_that_is_changed_ends_it_at_once(stage: Stage) -> None:
    session = stage.sign_in()
    path = stage.home.secret("operator.token")
    before = path.read_text()
    try:
        path.write_text("another token")
        assert not is_operator(stage, *session)
        assert leave(stage, *session).status == 401
        path.write_text("")
        assert stage.get("/api/v1/login", "POST", Authorization="Bearer ").status == 503
        assert not is_operator(stage, *session)
    finally:
        path.write_text(before)


def test_signing_out_in_one_tab_is_seen_in_all(fleet: Stage, page: Page) -> None:
    other = page.context.new_page()
    other.goto(f"{fleet.url}/cp/CP-001")
    expect(other.locator(".who")).to_have_text("Read-only")
    page.goto(fleet.login_url("/cp_manager.html"))
    stop = other.get_by_role("button", name="Stop")
    expect(other.locator(".who")).to_have_text("Operator")
    expect(stop).to_be_enabled()
    page.get_by_role("button", name="Sign out").click()
    for tab in (page, other):
        expect(tab.locator(".who")).to_have_text("Read-only")
        expect(tab.get_by_role("button", name="Sign out")).to_have_count(0)
    expect(stop).to_be_disabled()
    expect(page.locator("#not-operator")).to_contain_text("bin/evcs open")
