"""Power over hours and days, of a CP or of all: from the ledger, its end from what web heard."""

from __future__ import annotations

import time
from functools import partial
from typing import NamedTuple

from bottle import Bottle, HTTPResponse, request

from evcs.core.ids import check_id
from evcs.core.readings import ALL, Sample, columns, second_of, step, thinned
from evcs.services.http import json_bytes, json_response
from evcs.services.turns import KeptEach
from evcs.services.web.deps import Deps
from evcs.services.web.session_api import FROM_MIDNIGHT, TO_MIDNIGHT, asked_time

#: Who says no time has the last day; nobody has more at once.
DAY_S, MOST_DAYS = 86_400, 31


class Asked(NamedTuple):
    """Whose power, and of which time, seconds of the epoch."""

    cp: str
    since: int
    until: int


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/power`."""

    def made(asked: Asked) -> bytes:
        return json_bytes(_power(deps, asked))

    kept = KeptEach(made)

    @app.get("/api/v1/power")
    def power() -> HTTPResponse:
        ask = made if deps.doors.is_operator() else kept
        return json_response(ask(asked_for(int(time.time()))))


def asked_for(now: int) -> Asked:
    """What the request's query names; of what is too long, the end. Raises BadValue."""
    cp = request.query.get("cp")
    since, until = asked_time("since", FROM_MIDNIGHT), asked_time("until", TO_MIDNIGHT)
    end = min(second_of(until), now) if until else now
    begin = second_of(since) if since else end - DAY_S
    begin = min(max(begin, end - MOST_DAYS * DAY_S), end)
    return Asked(check_id("CP", cp) if cp else ALL, begin, end)


def _power(deps: Deps, asked: Asked) -> dict[str, list[int]]:
    history = deps.web.history
    heard = history.heard(asked.cp, asked.since, asked.until)
    known_from = heard[0].at if heard else asked.until
    kept: list[Sample] = []
    if known_from > asked.since:
        read = partial(deps.ledger.readings, asked.cp, asked.since, known_from)
        kept = deps.threads().run(read)
    found = [one._replace(at=max(one.at, asked.since)) for one in [*kept, *heard]]
    if found and found[-1].at < asked.until:
        found.append(found[-1]._replace(at=asked.until))
    return columns(thinned(found, step(asked.since, asked.until)))
