"""Pages, their files, and the operator's way in."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from bottle import Bottle, HTTPResponse, SimpleTemplate, request, response, static_file

from evcs.core.errors import Denied, NotFound
from evcs.core.ids import is_id
from evcs.services.http import json_response, plain_error, raw_header
from evcs.services.web.deps import Deps
from evcs.services.web.login_auth import local_path

STATIC = Path(__file__).resolve().parent / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}
#: Of which the content is kept.
MOST_FILES = 100
NOT_FOUND = "not_found.html"
PAGES = ("cp_manager.html", "circuits.html", "sessions.html", "drivers.html", "system.html")


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/`, the pages by name, `/cp/<id>`, `/session/<id>`, `/static/…`, and the login."""

    @app.get("/")
    def dashboard() -> HTTPResponse:
        return page("index.html")

    for name in PAGES:
        app.get(f"/{name}", callback=lambda name=name: page(name))

    @app.get("/cp/<cp>")
    def cp_page(cp: str) -> HTTPResponse:
        return page("cp.html") if is_id(cp) else page(NOT_FOUND, 404)

    @app.get("/session/<_session>")
    def session_page(_session: str) -> HTTPResponse:
        return page("session.html")

    @app.error(404)
    def no_page(error: Any) -> str:
        if request.path.startswith("/api/") or "text/html" not in raw_header("Accept"):
            return plain_error(error)
        response.content_type = TYPES[".html"] + "; charset=UTF-8"
        return (STATIC / NOT_FOUND).read_text()

    @app.get("/favicon.ico")
    def favicon() -> HTTPResponse:
        return file("icon.svg")

    @app.get("/static/<path:path>")
    def static(path: str) -> HTTPResponse:
        return file(path)

    _add_login(app, deps)


def _add_login(app: Bottle, deps: Deps) -> None:
    doors = deps.doors

    @app.post("/api/v1/login")
    def new_link() -> HTTPResponse:
        doors.bearer_only()
        return json_response({"url": f"{deps.url}/login/{doors.new_link()}"}, 201)

    @app.get("/login/<link>")
    def login(link: str) -> HTTPResponse:
        if request.method == "HEAD":  # comes here too, and must use up nothing
            return HTTPResponse(status=204)
        try:
            session = doors.enter(link)
        except Denied:
            return page("link_gone.html", 401)
        found = HTTPResponse(signed_in(doors.csrf(session), local_path(request.query.get("next"))))
        found.set_header("Cache-Control", "no-store")
        doors.set_cookie(session, found)
        return found

    @app.get("/api/v1/me")
    def me() -> HTTPResponse:
        return json_response({"operator": doors.is_page()})

    @app.post("/api/v1/logout")
    def logout() -> HTTPResponse:
        found = json_response({"operator": False})
        doors.leave(found)
        return found


def signed_in(csrf: str, then: str) -> str:
    """The page that stores the page's token in its browser, and goes on."""
    return SimpleTemplate((STATIC / "signed_in.html").read_text()).render(csrf=csrf, then=then)


def page(name: str, status: int = 200) -> HTTPResponse:
    """A page of ours."""
    found = file(name)
    if status != 200:
        found.status = status
    return found


def file(path: str) -> HTTPResponse:
    """A file of the static folder; its kind comes from the list, never from its content."""
    kind = TYPES.get(Path(path).suffix)
    if kind is None:
        raise NotFound(f"no file {path[:80]!a}")
    request.environ.pop("HTTP_RANGE", None)
    found = static_file(path, root=str(STATIC), mimetype=kind)
    if found.status_code == 200 and request.method != "HEAD":
        # Else it would be open, and its content held, for each who reads it slowly.
        with found.body as opened:
            found.body = _content(opened.name, os.fstat(opened.fileno()).st_mtime_ns)
    found.set_header("Accept-Ranges", "none")
    found.set_header("Cache-Control", "no-cache")
    return found


@lru_cache(MOST_FILES)
def _content(path: str, _mtime_ns: int) -> bytes:
    return Path(path).read_bytes()
