"""Lists of web and the Registry in parts, with a link to the next; and a bulk too long for one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.wsgi_server import MAX_BODY
from evcs.config import Endpoint
from tests.web.stage import Answer, Stage, wait_for

CPS = [f"CP-{number:03d}" for number in range(25)]
LISTS = [("web", "/api/v1/cps"), ("registry", "/api/v1/cps"), ("registry", "/api/v1/drivers")]


@pytest.fixture(scope="module")
def both(stage: Stage) -> Stage:
    """Web and a real Registry, with as many CPs as drivers."""
    stage.start_registry()
    made = [{"id": cp} for cp in reversed(CPS)]
    for path, given in (("/api/v1/cps", made), *(("/api/v1/drivers", one) for one in made)):
        asked = stage.ask(stage.registry_port, path, "POST", given, **stage.bearer())
        assert asked.status in (201, 207)
    wait_for(lambda: len(stage.get("/api/v1/cps").json) == len(CPS), "web has all CPs")
    return stage


def ask(stage: Stage, server: str, path: str) -> Answer:
    return stage.ask(stage.web_port if server == "web" else stage.registry_port, path)


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json
    return [one["id"] for one in found]


def following(answer: Answer) -> str | None:
    """Where the next part is, as the answer says."""
    link = {name.lower(): value for name, value in answer.headers.items()}.get("link")
    found = link and re.fullmatch(r'<(/[^<>]*)>; rel="next"', link)
    assert bool(link) == bool(found)
    return found[1] if found else None


@pytest.mark.parametrize(("server", "path"), LISTS)
@pytest.mark.parametrize("limit", [1, 7, 24, 25, 26, 100_000])
def test_link_by_link_the_list_comes_whole(both: Stage, server: str, path: str, limit: int) -> None:
    whole = ask(both, server, path)
    assert (ids(whole), following(whole)) == (CPS, None)
    parts: list[dict[str, Any]] = []
    asked: str | None = f"{path}?limit={limit}"
    while asked:
        answer = ask(both, server, asked)
        assert 0 < len(ids(answer)) <= limit
        parts += answer.json
        asked = following(answer)
    assert parts == whole.json


@pytest.mark.parametrize(("server", "path"), LISTS)
def test_behind_an_id_that_is_not_there_the_next_ones_come(
    both: Stage, server: str, path: str
) -> None:
    for after, behind in (("CP-003", CPS[4:]), ("CP-003x", CPS[4:]), ("A", CPS), ("Z", [])):
        answer = ask(both, server, f"{path}?after={after}")
        assert (ids(answer), following(answer)) == (behind, None)
    assert ids(ask(both, server, f"{path}?limit=2&after=CP-003")) == CPS[4:6]
    assert ids(ask(both, server, f"{path}?limit=&after=")) == CPS


@pytest.mark.parametrize(("server", "path"), LISTS)
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=100001", f"limit={'9' * 5_000}",
     "after=..", "after=%00", "after=CP%201", f"after={'A' * 33}", "after=%FF"],
)  # fmt: skip
def test_what_is_no_limit_or_no_id_is_refused(
    both: Stage, server: str, path: str, query: str
) -> None:
    answer = ask(both, server, f"{path}?{query}")
    assert (answer.status, answer.json["error"]["code"]) == (400, "bad_value")


def test_a_bulk_that_no_request_holds_is_made_in_parts(both: Stage) -> None:
    client = RegistryClient(Endpoint("127.0.0.1", both.registry_port), lambda: both.token)
    one = {"id": CPS[0], "location": "x" * 200}
    assert len(json.dumps(one)) * 6_000 > MAX_BODY
    answers = client.create_many([one] * 6_000 + [{"id": "NEW"}])
    assert {answer["error"]["code"] for answer in answers[:-1]} == {"conflict"}
    assert (len(answers), answers[-1]["id"]) == (6_001, "NEW")
    assert client.create_many([]) == []
