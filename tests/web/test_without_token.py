"""Who has no token may look, as often as he likes: the operator is served all the same."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evcs.adapters.ledger import Ledger
from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.wsgi_server import MAX_CONNECTIONS
from evcs.config import Endpoint
from tests.web.floods import ASK, answer_to, keep_asking, may_open_many, not_reading
from tests.web.stage import AT_ONCE_S, Stage, wait_for
from tests.web.test_sessions import session

CPS, AT_ONCE = 400, 100
ASKING = 1_900

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def fleet(stage: Stage) -> Stage:
    """A real Registry and web, with some hundred CPs."""
    stage.start_registry()
    made = [{"id": f"CP-{n:03d}", "location": "x" * 200} for n in range(CPS)]
    for first in range(0, CPS, AT_ONCE):
        given = made[first : first + AT_ONCE]
        stage.ask(stage.registry_port, "/api/v1/cps", "POST", given, **stage.bearer())
    wait_for(lambda: len(stage.get("/api/v1/snapshot").json["cps"]) == CPS, "web knows all")
    return stage


@pytest.mark.parametrize("path", ["/api/v1/cps", "/api/v1/drivers", "/api/v1/nothing"])
def test_asking_the_registry_for_all_holds_no_change_up(fleet: Stage, path: str) -> None:
    with keep_asking(fleet.registry_port, ASKING, asking(path), 0.25):
        for number in range(2):
            change(fleet, fleet.registry_port, number)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/cps", "/api/v1/snapshot", "/metrics", "/api/v1/cps/CP-001/detail",
        "/api/v1/sessions", "/healthz", "/api/v1/expand?pattern=CP-%7B1..10000%7D",
    ],
)  # fmt: skip
def test_asking_web_for_all_holds_no_change_up(fleet: Stage, path: str) -> None:
    with keep_asking(fleet.web_port, ASKING, asking(path), 0.25):
        for number in range(2):
            change(fleet, fleet.web_port, number)


def test_the_operators_own_look_at_the_registry_waits_for_nobody(fleet: Stage) -> None:
    client = RegistryClient(Endpoint("127.0.0.1", fleet.registry_port), lambda: fleet.token)
    with keep_asking(fleet.registry_port, ASKING, asking("/api/v1/cps"), 0.25):
        for _ in range(2):
            began = time.monotonic()
            assert client.cp("CP-001")["id"] == "CP-001"
            assert time.monotonic() - began < AT_ONCE_S


def test_the_operator_signs_in_beside_them(fleet: Stage) -> None:
    ask = asking("/api/v1/expand?pattern=CP-%7B1..9999%7D")
    with keep_asking(fleet.web_port, ASKING, ask, 0.25):
        for _ in range(2):
            made = fleet.ask(fleet.web_port, "/api/v1/login", "POST", **fleet.bearer())
            assert fleet.get(made.json["url"].removeprefix(fleet.url)).status == 200


@pytest.mark.parametrize("server", ["web", "registry"])
def test_kept_connections_make_way(fleet: Stage, server: str) -> None:
    """Who asks anew is served, though others keep more connections than the server takes."""
    port = fleet.web_port if server == "web" else fleet.registry_port
    with keep_asking(port, MAX_CONNECTIONS + 100):
        for _ in range(5):
            began = time.monotonic()
            assert b" 200 " in answer_to(port, ASK)[:20]
            assert time.monotonic() - began < AT_ONCE_S


def test_who_does_not_read_makes_way(fleet: Stage) -> None:
    may_open_many()
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 100):
            stack.enter_context(not_reading(fleet.web_port, "/static/vendor/uPlot.js"))
        links = Path(f"/proc/{fleet.web_pid}/fd").iterdir()
        assert [link for link in links if "uPlot" in str(link.readlink())] == []
        for _ in range(3):
            began = time.monotonic()
            assert b" 200 " in answer_to(fleet.web_port, ASK)[:20]
            assert time.monotonic() - began < AT_ONCE_S


def test_who_asks_for_sums_without_end_holds_no_operator_up(fleet: Stage) -> None:
    one = session(1, 1)._replace(driver="EVA", energy_wh=1_000, cost_eur="0.30")
    ledger = Ledger(fleet.home.ledger_db)
    ledger.commit([one._replace(session_id=f"e{n}") for n in range(60_000)], [], [])
    ledger.close()
    with ThreadPoolExecutor(200) as many:
        # Each other ones: the same are made once for all who ask.
        paths = [
            f"/api/v1/sessions/sums?until=20{n // 12:02d}-{n % 12 + 1:02d}-01"
            for n in range(300, 1_200)
        ]
        asked = [many.submit(fleet.get, path) for path in paths]
        wait_for(lambda: any(one.done() for one in asked), "they are being answered")
        for _ in range(5):
            began = time.monotonic()
            assert fleet.get("/api/v1/sessions?limit=1", **fleet.bearer()).status == 200
            # Whether there is a Registry or not: what matters is when that is known.
            fleet.get("/api/v1/cps/CP-1", "PATCH", {"service": "in"}, **fleet.bearer())
            assert time.monotonic() - began < AT_ONCE_S
        answered = [one for one in asked if not one.cancel()]
        assert {one.result().status for one in answered} == {200, 503}
    assert fleet.get("/api/v1/sessions/sums").status == 200


def asking(path: str) -> bytes:
    return ASK.replace(b"/healthz", path.encode())


def change(fleet: Stage, port: int, number: int) -> None:
    """A change by the operator, made at once."""
    began = time.monotonic()
    fields = {"location": f"{port} {number}"}
    answer = fleet.ask(port, "/api/v1/cps/CP-001", "PATCH", fields, **fleet.bearer())
    assert answer.json["location"] == fields["location"]
    assert time.monotonic() - began < AT_ONCE_S
