"""Another program of this machine, on another port: its page, and the cookie that it gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from tests.web import test_login_auth
from tests.web.stage import Stage, wait_for

OPERATOR = ".who"

#: What a page may try on the operator's system, in a browser that is signed in there.
ATTACK = """async (target) => {
  const told = {};
  const attempt = async (name, work) => {
    try { told[name] = await work(); } catch (error) { told[name] = String(error); }
  };
  const ask = (path, how) => fetch(target + path, { credentials: "include", ...how });
  const read = async (path, how) => (await ask(path, how)).text();
  await attempt("me", () => read("/api/v1/me"));
  await attempt("list", () => read("/api/v1/cps"));
  await attempt("delete", () => read("/api/v1/cps/CP-001", { method: "DELETE" }));
  for (const path of ["/api/v1/cps/CP-001/revoke", "/api/v1/logout"]) {
    const how = { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" } };
    await attempt(path, async () => (await ask(path, how)).type);
    const form = document.createElement("form");
    form.method = "POST";
    form.action = target + path;
    form.target = "inside";
    document.body.append(form);
    form.submit();
    await new Promise((done) => { document.querySelector("iframe").onload = done; });
  }
  await attempt("storage", () => JSON.stringify({ ...localStorage }));
  await attempt("frame", () => document.querySelector("iframe").contentWindow.localStorage.length);
  return told;
}"""


class Thief:
    """A web server of somebody else; keeps the cookies that browsers bring."""

    def __init__(self) -> None:
        self.cookies: list[str] = []
        cookies = self.cookies

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cookies.append(self.headers.get("Cookie", ""))
                body = b"<!doctype html><title>x</title><iframe name=inside></iframe>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def thief() -> Iterator[Thief]:
    found = Thief()
    yield found
    found.close()


@pytest.fixture(scope="module")
def registry(stage: Stage) -> Stage:
    """The stage with a real Registry that has one CP."""
    stage.start_registry()
    made = stage.ask(stage.registry_port, "/api/v1/cps", "POST", {"id": "CP-001"}, **stage.bearer())
    assert made.status == 201
    wait_for(lambda: stage.get("/api/v1/cps").json, "web knows it")
    return stage


def unharmed(stage: Stage) -> bool:
    (cp,) = stage.ask(stage.registry_port, "/api/v1/cps").json
    return (cp["id"], cp["service"], cp["revoked"], cp["price_eur_kwh"]) == (
        "CP-001", "in", False, "0.30",
    )  # fmt: skip


def test_its_page_reads_and_changes_nothing(registry: Stage, page: Page, thief: Thief) -> None:
    page.goto(registry.login_url("/cp_manager.html"))
    expect(page.locator(OPERATOR)).to_have_text("Operator")
    token = page.evaluate("localStorage.getItem('page-token')")
    assert len(token) == 64
    other = page.context.new_page()
    other.goto(thief.url)
    told = other.evaluate(ATTACK, registry.url)
    assert "TypeError" in told["me"]
    assert "TypeError" in told["list"]
    assert "TypeError" in told["delete"]
    assert told["storage"] == "{}"
    assert "SecurityError" in told["frame"]
    assert token not in str(told)
    assert unharmed(registry)
    page.reload()
    expect(page.locator(OPERATOR)).to_have_text("Operator")  # not signed out either


def test_the_cookie_that_it_gets_changes_nothing(registry: Stage, page: Page, thief: Thief) -> None:
    page.goto(registry.login_url("/cp_manager.html"))
    expect(page.locator(OPERATOR)).to_have_text("Operator")
    token = page.evaluate("localStorage.getItem('page-token')")
    page.context.new_page().goto(thief.url)
    cookie = next(one for one in thief.cookies if f"evcs_operator_{registry.web_port}=" in one)

    for path in test_login_auth.READING:
        if path != "/api/v1/events":
            assert token.encode() not in registry.get(path, Cookie=cookie).body, path
    assert registry.get("/api/v1/me", Cookie=cookie).json == {"operator": False}
    # Outside of a browser every header can be forged.
    forged = {"Origin": registry.url, "Sec_Fetch_Site": "same-origin"}
    session = cookie.partition("=")[2]
    for method, path in test_login_auth.CHANGING:
        for guess in ("", session, token[::-1]):
            answer = registry.get(path, method, {}, Cookie=cookie, X_CSRF_Token=guess, **forged)
            assert answer.status == 403, (method, path)
    assert unharmed(registry)

    # With both it is the operator, so the above was refused for the token alone.
    answer = registry.get("/api/v1/me", Cookie=cookie, X_CSRF_Token=token)
    assert answer.json == {"operator": True}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:{port}", 200), ("http://127.0.0.1:1", 403), ("http://127.0.0.1", 403),
        ("http://localhost:{port}", 403), ("null", 403), ("http://x@127.0.0.1:{port}", 403),
        ("http://127.0.0.1:{port}/", 403), ("ftp://127.0.0.1:{port}", 403),
    ],
)  # fmt: skip
def test_an_origin_is_ours_by_its_port_too(stage: Stage, origin: str, status: int) -> None:
    answer = stage.get("/api/v1/cps", Origin=origin.format(port=stage.web_port))
    assert answer.status == status


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_what_the_browser_says_of_the_asking_page_counts(stage: Stage, site: str) -> None:
    link = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    cookie, csrf = stage.sign_in()
    for path in ("/", "/api/v1/cps", "/api/v1/events"):
        assert stage.get(path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403
    assert stage.get("/", Sec_Fetch_Site=site, **link).status == 200
    framed = {**link, "Sec_Fetch_Dest": "iframe"}
    assert stage.get("/", Sec_Fetch_Site=site, **framed).status == 403
    answer = stage.get(
        "/api/v1/logout", "POST", Cookie=cookie, X_CSRF_Token=csrf, Sec_Fetch_Site=site, **link
    )
    assert answer.status == 403
