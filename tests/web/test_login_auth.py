"""Every door of the web process, on the real one: routes are enumerated from the app."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from bottle import Bottle, request
from playwright.sync_api import Page, expect

from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.session_file import SessionFile
from evcs.adapters.spool import Spool
from evcs.adapters.worker_threads import WorkerThreads
from evcs.config import Endpoint
from evcs.core.errors import Unreachable
from evcs.core.messages import ServiceStatus
from evcs.services.http import Pause, cookie
from evcs.services.web.app import build_app
from evcs.services.web.deps import Deps
from evcs.services.web.login_auth import LoginAuth, local_path
from evcs.services.web.service import Web
from tests.unit.fakes import FakeBus
from tests.web.floods import (
    MALFORMED,
    NO_TEXT,
    ODD_HEADERS,
    Dripping,
    answer_to,
    bodies_have_room,
    bodies_wait,
    hold_half_open,
    not_reading,
    peak_mb,
    pour,
    status_of,
    thousandfold,
)
from tests.web.stage import AT_ONCE_S, Answer, Stage, wait_for

SAFE = ("GET", "HEAD", "OPTIONS")
NOWHERE = Path("/nonexistent")


def app() -> Bottle:
    """The real app, to ask it for its routes."""
    spool = Spool(NOWHERE)
    doors = LoginAuth(
        str, 1, SessionFile(NOWHERE), spool, time.monotonic, time.time, lambda _: None
    )
    web = Web(FakeBus(), ServiceStatus("web", True, "b"), str)
    registry = RegistryClient(Endpoint("127.0.0.1", 1), str)
    ledger = LedgerReader(NOWHERE)
    threads = WorkerThreads(1, 1)
    return build_app(Deps(web, doors, registry, ledger, "main", lambda *_: [], "", lambda: threads))


def path_of(rule: str) -> str:
    """A path that a route takes; one needs a query."""
    path = re.sub(r"<[^>]+>", "CP-001", re.sub(r"<verb[^>]*>", "plug", rule))
    return f"{path}?pattern=CP-001" if path == "/api/v1/expand" else path


CHANGING = sorted(
    (route.method, path_of(route.rule)) for route in app().routes if route.method not in SAFE
)
READING = sorted(path_of(route.rule) for route in app().routes if route.method in SAFE)


@pytest.fixture(scope="module", autouse=True)
def dripping(stage: Stage) -> Dripping:
    """Slow senders, who go on beside the other tests."""
    return Dripping(stage.web_port, stage.token)


@pytest.fixture(scope="module", autouse=True)
def _one_cp(stage: Stage) -> None:
    stage.wants("CP-001")
    stage.judges("CP-001", "ACTIVATED")
    wait_for(lambda: stage.get("/api/v1/cps").json, "the CP is known")


def test_a_long_cookie_costs_no_time() -> None:
    quoted = '"' + '\\"' * 15_000 + '"'
    began = time.process_time()
    for odd in (f"a={quoted}", f"b={quoted}", "a=b;" * 7_500, "=" * 30_000, ";" * 30_000):
        request.bind({"HTTP_COOKIE": odd})
        assert cookie("b") in ("", quoted)
    assert time.process_time() - began < 0.5


def test_a_session_is_found_beside_cookies_of_others(stage: Stage) -> None:
    session, csrf = stage.sign_in()
    name = session.partition("=")[0]
    for more in (f"a=b; {session}", f"{session};a=b", f'{name}x=1; a="b; {session}'):
        answer = stage.get("/api/v1/me", Cookie=more, X_CSRF_Token=csrf)
        assert answer.json == {"operator": True}


def test_there_are_routes_to_test() -> None:
    assert ("DELETE", "/api/v1/cps/CP-001") in CHANGING
    assert len(CHANGING) >= 7


@pytest.mark.parametrize(("method", "path"), CHANGING)
class TestEveryChangingRoute:
    def refused(self, answer: Answer, status: int) -> None:
        assert answer.status == status, answer
        assert set(answer.json["error"]) == {"code", "message"}

    def test_no_token(self, stage: Stage, method: str, path: str) -> None:
        self.refused(stage.get(path, method, {}), 401)

    def test_wrong_host(self, stage: Stage, method: str, path: str) -> None:
        answer = stage.get(path, method, {}, Host="evil.example:80", **stage.bearer())
        self.refused(answer, 400)

    def test_another_sites_page(self, stage: Stage, method: str, path: str) -> None:
        answer = stage.get(path, method, {}, Origin="http://evil.example", **stage.bearer())
        self.refused(answer, 403)

    def test_a_session_without_the_pages_token(self, stage: Stage, method: str, path: str) -> None:
        cookie, _ = stage.sign_in()
        self.refused(stage.get(path, method, {}, Cookie=cookie), 403)

    def test_a_session_with_another_sessions_token(
        self, stage: Stage, method: str, path: str
    ) -> None:
        cookie, csrf = stage.sign_in()
        forged = csrf[:-1] + ("0" if csrf[-1] != "0" else "1")
        self.refused(stage.get(path, method, {}, Cookie=cookie, X_CSRF_Token=forged), 403)


@pytest.mark.parametrize("path", READING)
def test_reading_needs_nothing_but_the_right_host(stage: Stage, path: str) -> None:
    if path != "/api/v1/events":
        # Drivers are the Registry's to tell, and here is none.
        expected = (503,) if path == "/api/v1/drivers" else (200, 401, 404)
        # Courses are of the sessions that are named.
        asked = path + "?ids=S-1" if path.endswith("/courses") else path
        assert stage.get(asked).status in expected
    assert stage.get(path, Host="evil.example").status == 400
    assert stage.get(path, Origin="http://evil.example").status == 403


@pytest.mark.parametrize("path", ["/", "/api/v1/cps", "/nothing", "/static/js/dom.js"])
def test_every_answer_has_the_headers(stage: Stage, path: str) -> None:
    headers = stage.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


class TestLink:
    def test_it_opens_a_session_once(self, stage: Stage) -> None:
        path = stage.login_url("/cp_manager.html").removeprefix(stage.url)
        first = stage.get(path)
        assert first.status == 200
        assert b'data-then="/cp_manager.html"' in first.body
        assert first.headers["Cache-Control"] == "no-store"
        flags = first.headers["Set-Cookie"].lower()
        assert "httponly" in flags
        assert "samesite=strict" in flags
        assert "path=/" in flags
        again = stage.get(path)
        assert again.status == 401
        assert b"bin/evcs open" in again.body

    def test_a_head_does_not_use_it_up(self, stage: Stage) -> None:
        path = stage.login_url().removeprefix(stage.url)
        look = stage.get(path, "HEAD")
        assert (look.status, "Set-Cookie" in look.headers) == (204, False)
        assert stage.get(path).status == 200

    def test_its_page_is_left_behind_signed_in(self, stage: Stage, page: Page) -> None:
        page.goto(stage.login_url("/cp_manager.html"))
        page.goto(f"{stage.url}/cp/CP-001")
        expect(page.locator(".who")).to_have_text("Operator")
        page.goto(stage.login_url("/cp_manager.html"))
        expect(page).to_have_url(f"{stage.url}/cp_manager.html")

    def test_a_session_can_change_something(self, stage: Stage) -> None:
        cookie, csrf = stage.sign_in()
        answer = stage.get("/api/v1/cps/CP-001", "DELETE", Cookie=cookie, X_CSRF_Token=csrf)
        # No Registry runs here: through the doors, it is asked.
        assert (answer.status, answer.json["error"]["code"]) == (503, "unreachable")

    def test_a_session_makes_no_links(self, stage: Stage) -> None:
        cookie, csrf = stage.sign_in()
        answer = stage.get("/api/v1/login", "POST", Cookie=cookie, X_CSRF_Token=csrf)
        assert answer.status == 403

    def test_nobody_is_no_operator(self, stage: Stage) -> None:
        assert stage.get("/api/v1/me").json == {"operator": False}
        name = f"evcs_operator_{stage.web_port}"
        for value in ("", "x", "0", "A" * 43, "x" * 5000, "é.x"):
            answer = stage.get("/api/v1/me", Cookie=f"{name}={value}".encode().decode("latin-1"))
            assert answer.json == {"operator": False}

    @pytest.mark.parametrize(
        ("wanted", "given"),
        [
            (None, "/"), ("/cp_manager.html", "/cp_manager.html"), ("/cp/CP-1", "/cp/CP-1"),
            ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil.example", "/"),
            ("/a//b", "/"), ("javascript:x", "/"), ("/a\r\nSet-Cookie: x", "/"), ("cp", "/"),
        ],
    )  # fmt: skip
    def test_it_leads_to_our_own_pages_only(self, wanted: str | None, given: str) -> None:
        assert local_path(wanted) == given


class TestFloods:
    @pytest.mark.parametrize("megabytes", [1.5, 100])
    def test_a_body_too_large(self, stage: Stage, megabytes: float) -> None:
        before = peak_mb(stage.web_pid)
        answer = pour(stage.web_port, "/api/v1/cps", megabytes, stage.token)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_large"
        assert peak_mb(stage.web_pid) - before < 50

    def test_chunks_without_end_are_refused(self, stage: Stage) -> None:
        with socket.create_connection(("127.0.0.1", stage.web_port), 20) as raw:
            raw.sendall(
                b"POST /api/v1/cps HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: application/json\r\nAuthorization: Bearer "
                + stage.token.encode() + b"\r\n\r\n5\r\n[1,2]\r\n"
            )  # fmt: skip
            assert raw.recv(1000).startswith(b"HTTP/1.1 413 ")

    @pytest.mark.parametrize("line", [b"X-Long: " + b"x" * 40_000, b"X-Many: y\r\n" * 5_000])
    def test_headers_too_large(self, stage: Stage, line: bytes) -> None:
        with socket.create_connection(("127.0.0.1", stage.web_port), 20) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\n")
            assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")

    @pytest.mark.parametrize("headers", ODD_HEADERS)
    def test_odd_headers_are_refused_for_what_they_are(self, stage: Stage, headers: bytes) -> None:
        assert status_of(stage.web_port, headers) == ODD_HEADERS[headers]
        assert "Traceback" not in (stage.home.log / "web.log").read_text()

    @pytest.mark.parametrize("path", NO_TEXT)
    def test_a_path_that_is_no_text_is_no_page(self, stage: Stage, path: bytes) -> None:
        head = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert answer_to(stage.web_port, head).startswith(b"HTTP/1.1 404 ")

    @pytest.mark.parametrize("request_", MALFORMED)
    def test_malformed_requests_are_refused(self, stage: Stage, request_: bytes) -> None:
        answer = answer_to(stage.web_port, request_)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer

    def test_a_body_waits_until_its_sender_is_known(self, stage: Stage) -> None:
        bodies_wait(stage.web_port, stage.web_pid)

    def test_all_bodies_together_have_so_much_room(self, stage: Stage) -> None:
        bodies_have_room(stage.web_port, stage.web_pid, stage.token)

    def test_half_open_connections_hold_nobody_up(self, stage: Stage) -> None:
        with hold_half_open(stage.web_port, 500):
            began = time.monotonic()
            assert stage.get("/api/v1/cps").status == 200
            assert stage.login_url()
            assert time.monotonic() - began < AT_ONCE_S

    def test_a_thousand_wrong_logins_are_slowed_down_and_the_right_one_is_not(
        self, stage: Stage
    ) -> None:
        before = peak_mb(stage.web_pid)

        def guess(number: int) -> int:
            if number % 300 == 299:
                began = time.monotonic()
                assert stage.login_url()
                assert time.monotonic() - began < AT_ONCE_S
            if number % 2:
                return stage.get("/login/guess").status
            return stage.get("/api/v1/login", "POST", Authorization="Bearer guess").status

        statuses, took = thousandfold(guess)
        assert set(statuses) <= {401, 503}
        # Two of them a second are looked into, the others are told to wait.
        assert statuses[401] <= took * 2 + 11
        assert peak_mb(stage.web_pid) - before < 50

    def test_waiting_has_an_end(self) -> None:
        pause = Pause(0.5, 2.0)
        assert [pause.after_failure(0.0) for _ in range(4)] == [0.5, 1.0, 1.5, 2.0]
        with pytest.raises(Unreachable):
            pause.after_failure(0.0)
        assert pause.after_failure(100.0) == 0.5
        assert (pause.turned_away(), pause.turned_away()) == (1, 0)

    def test_slow_readers_hold_nobody_up_and_take_no_memory(self, stage: Stage) -> None:
        names = [f"S-{number:03d}" for number in range(300)]
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(not_reading(stage.web_port))
            before = peak_mb(stage.web_pid)
            for round_ in range(3):
                for name in names:
                    stage.wants(name, location=f"{round_}" + "x" * 190)
                shown_to_pages(stage, names[-1], str(round_))
                began = time.monotonic()
                assert stage.get("/api/v1/cps").status == 200
                assert time.monotonic() - began < AT_ONCE_S
            assert peak_mb(stage.web_pid) - before < 50
        for name in names:
            stage.wants(name, deleted=True)


def shown_to_pages(stage: Stage, cp: str, place: str) -> None:
    """Until a batch has brought that place."""

    def probe() -> bool:
        rows = stage.get("/api/v1/snapshot").json["cps"]
        return any(row["id"] == cp and row["location"].startswith(place) for row in rows)

    wait_for(probe, f"{cp} at {place}")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("cp=..%2F", "CP id"), ("state=x", "state"), ("since=yesterday", "since"),
        ("limit=0", "limit"), ("limit=9999999999999999999999", "limit"), ("driver=%00", "driver"),
    ],
)  # fmt: skip
def test_bad_queries_are_named(stage: Stage, query: str, word: str) -> None:
    answer = stage.get(f"/api/v1/sessions?{query}")
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_value")
    assert word in answer.json["error"]["message"]


@pytest.mark.parametrize("letter", ["\N{GRINNING FACE}", "\1", " "])
def test_what_a_pattern_of_no_ids_is_answered_is_short(stage: Stage, letter: str) -> None:
    pattern = letter + "x" * 30 + "{1..9999}"
    found = stage.get(f"/api/v1/expand?pattern={quote(pattern)}.")
    assert len(found.body) < 300
    assert found.json["bad"] == found.json["ids"]


def test_no_way_out_of_the_static_folder(stage: Stage) -> None:
    for path in ("/static/../pages.py", "/static/%2e%2e/pages.py", "/static//etc/passwd.js",
                 "/static/vendor/VENDOR.md"):  # fmt: skip
        assert stage.get(path).status in (403, 404), path


def test_no_secret_is_shown(stage: Stage) -> None:
    for path in ("/api/v1/cps", "/api/v1/snapshot", "/metrics", "/healthz", "/api/v1/me"):
        assert stage.token not in str(stage.get(path).body)


def test_health_and_metrics(stage: Stage) -> None:
    assert stage.get("/healthz").json["ok"] is True
    lines = stage.get("/metrics").body.decode().splitlines()
    assert 'evcs_cps{state="ACTIVATED"} 1.0' in lines
    assert 'evcs_service_up{service="broker"} 1.0' in lines
    assert any(line.startswith("evcs_web_streams ") for line in lines)


def test_slow_senders_are_cut_off(dripping: Dripping) -> None:
    dripping.end()
