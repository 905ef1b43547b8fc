"""Every door of the Registry's HTTP, on the real one: routes are enumerated from the app."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evcs.services.registry import http
from tests.web.floods import (
    MALFORMED,
    NO_TEXT,
    ODD_HEADERS,
    Dripping,
    answer_to,
    bodies_have_room,
    bodies_wait,
    hold_half_open,
    peak_mb,
    pour,
    status_of,
    thousandfold,
)
from tests.web.stage import AT_ONCE_S, Answer, Stage

SAFE = ("GET", "HEAD", "OPTIONS")


def routes() -> list[tuple[str, str]]:
    registry: Any = SimpleNamespace()
    found = http.build_app(registry, lambda: None, lambda: True).routes
    return sorted((one.method, re.sub(r"<[^>]+>", "CP-001", one.rule)) for one in found)


CHANGING = [(method, path) for method, path in routes() if method not in SAFE]
#: It needs a host's own password.
SECRETS = "/api/v1/secrets"
READING = [path for method, path in routes() if method in SAFE and path != SECRETS]


@pytest.fixture(scope="module")
def registry(stage: Stage) -> Stage:
    """The stage with a real Registry on it."""
    stage.start_registry()
    return stage


@pytest.fixture(scope="module", autouse=True)
def dripping(registry: Stage) -> Dripping:
    """Slow senders, who go on beside the other tests."""
    return Dripping(registry.registry_port, registry.token)


def ask(stage: Stage, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    return stage.ask(stage.registry_port, path, method, body, **headers)


def refused(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert set(answer.json["error"]) == {"code", "message"}


def quick(stage: Stage) -> None:
    """The operator is served at once."""
    began = time.monotonic()
    assert ask(stage, "/api/v1/cps").status == 200
    given = {"Authorization": f"Bearer {stage.token}"}
    assert ask(stage, "/api/v1/cps/CP-404", "PATCH", {"service": "in"}, **given).status == 404
    assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.parametrize(("method", "path"), CHANGING)
class TestEveryChangingRoute:
    def test_no_token(self, registry: Stage, method: str, path: str) -> None:
        refused(ask(registry, path, method, {}), 401)

    def test_wrong_host(self, registry: Stage, method: str, path: str) -> None:
        answer = ask(registry, path, method, {}, Host="evil.example", **registry.bearer())
        refused(answer, 400)

    def test_another_sites_page(self, registry: Stage, method: str, path: str) -> None:
        answer = ask(registry, path, method, {}, Origin="http://evil.example", **registry.bearer())
        refused(answer, 403)


def test_an_emptied_token_lets_nobody_in(registry: Stage) -> None:
    path = registry.home.secret("operator.token")
    before = path.read_bytes()
    path.write_bytes(b"\n")
    try:
        for empty in ("Bearer ", "Bearer"):
            asked = {"Authorization": empty}
            refused(ask(registry, "/api/v1/drivers", "POST", {"id": "EVE"}, **asked), 503)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("path", READING)
def test_reading_needs_nothing_but_the_right_host(registry: Stage, path: str) -> None:
    assert ask(registry, path).status in (200, 404)
    refused(ask(registry, path, Host="evil.example"), 400)
    refused(ask(registry, path, Origin="http://evil.example"), 403)


def test_secrets_are_no_operators_to_read(registry: Stage) -> None:
    refused(ask(registry, SECRETS), 401)
    refused(ask(registry, SECRETS, **registry.bearer()), 401)
    refused(ask(registry, SECRETS, Host="evil.example"), 400)


@pytest.mark.parametrize("megabytes", [1.5, 100])
def test_a_body_too_large(registry: Stage, megabytes: float) -> None:
    before = peak_mb(registry.registry_pid)
    answer = pour(registry.registry_port, "/api/v1/cps", megabytes, registry.token)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_large"
    assert peak_mb(registry.registry_pid) - before < 50


@pytest.mark.parametrize("path", NO_TEXT)
def test_a_path_that_is_no_text_is_no_page(registry: Stage, path: bytes) -> None:
    head = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert answer_to(registry.registry_port, head).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("request_", MALFORMED)
def test_malformed_requests_are_refused_with_json(registry: Stage, request_: bytes) -> None:
    answer = answer_to(registry.registry_port, request_)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_value"


def test_a_body_waits_until_its_sender_is_known(registry: Stage) -> None:
    bodies_wait(registry.registry_port, registry.registry_pid)
    quick(registry)


def test_all_bodies_together_have_so_much_room(registry: Stage) -> None:
    bodies_have_room(registry.registry_port, registry.registry_pid, registry.token)
    quick(registry)


@pytest.mark.parametrize("headers", ODD_HEADERS)
def test_odd_headers_are_refused_for_what_they_are(registry: Stage, headers: bytes) -> None:
    assert status_of(registry.registry_port, headers) == ODD_HEADERS[headers]
    assert "Traceback" not in (registry.home.log / "registry.log").read_text()


def test_half_open_connections_hold_nobody_up(registry: Stage) -> None:
    with hold_half_open(registry.registry_port, 500):
        quick(registry)


def test_a_thousand_wrong_tokens_are_slowed_down_and_the_operator_is_not(registry: Stage) -> None:
    before = peak_mb(registry.registry_pid)

    def guess(number: int) -> int:
        if number % 300 == 299:
            quick(registry)
        answer = ask(registry, "/api/v1/cps", "POST", {}, Authorization="Bearer guess")
        return answer.status

    statuses, took = thousandfold(guess)
    assert set(statuses) <= {401, 503}
    # Four of them a second are looked into, the others are told to wait.
    assert statuses[401] <= took * 4 + 5
    assert peak_mb(registry.registry_pid) - before < 50


def test_no_secret_is_shown(registry: Stage) -> None:
    secrets = [path.read_text() for path in Path(registry.home.data / "secrets").glob("*")
               if path.is_file()]  # fmt: skip
    for path in READING:
        assert not any(secret in str(ask(registry, path).body) for secret in secrets)


def test_slow_senders_are_cut_off(dripping: Dripping) -> None:
    dripping.end()
