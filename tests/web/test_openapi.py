"""openapi.yaml names every route of both servers, and none else."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bottle import Bottle

from evcs.services.registry import http
from tests.web.test_login_auth import app

FILE = Path(__file__).resolve().parents[2] / "openapi.yaml"
#: Pages and their files are no interface.
PAGES = re.compile(r"/|/static/.*|/favicon.ico|/(cp|session)/[^/]+|/\w+\.html")


def described(server: str) -> set[tuple[str, str]]:
    """Method and path of the operations with that tag, read line by line."""
    found = set()
    path = method = ""
    for line in FILE.read_text().splitlines():
        if match := re.fullmatch(r"  (/\S*):", line):
            path = match[1]
        elif match := re.fullmatch(r"    (get|post|patch|delete):", line):
            method = match[1].upper()
        elif (match := re.fullmatch(r"      tags: \[(.*)\]", line)) and server in match[1]:
            found.add((method, path))
    return found


def routes(found: Bottle) -> set[tuple[str, str]]:
    """Method and path of the app's routes, in OpenAPI's spelling."""
    every = {(one.method, re.sub(r"<(\w+)[^>]*>", r"{\1}", one.rule)) for one in found.routes}
    return {(method, path) for method, path in every if not PAGES.fullmatch(path)}


def test_web() -> None:
    assert described("web") == routes(app())


def test_registry() -> None:
    registry: Any = SimpleNamespace()
    assert described("registry") == routes(http.build_app(registry, lambda: None, lambda: True))
