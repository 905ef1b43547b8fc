"""Sessions over HTTP, from the ledger: JSON, and CSV by the same query."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs.adapters.http_server import json_response
from evcs.core.errors import BadValue
from evcs.core.ids import check_id
from evcs.services.web.deps import Deps

COLUMNS = (
    "session_id", "cp", "driver", "state", "started_at", "ended_at", "energy_wh",
    "cost_eur", "price_eur_kwh", "reason",
)  # fmt: skip
STATES = ("active", "interrupted", "settled")
DEFAULT_LIMIT, MAX_LIMIT = 1_000, 100_000
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?Z)?")


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/sessions` and `.csv`, `/api/v1/sessions/<id>/close`."""

    @app.get("/api/v1/sessions")
    def sessions() -> HTTPResponse:
        return json_response(query(deps, DEFAULT_LIMIT))

    @app.get("/api/v1/sessions.csv")
    def sessions_csv() -> HTTPResponse:
        body = as_csv(query(deps, MAX_LIMIT)).encode()
        headers = {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="sessions.csv"',
            "Cache-Control": "no-store",
        }
        return HTTPResponse(body, 200, headers)

    @app.post("/api/v1/sessions/<session>/close")
    def close(session: str) -> HTTPResponse:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", session):
            raise BadValue("that is no session's id", "list them with: evcs sessions")
        return json_response(deps.web.ask("close", session_id=session))


def query(deps: Deps, limit: int) -> list[dict[str, Any]]:
    """The sessions that the request's query names. Raises BadValue."""
    given = request.query
    cp = check_id("CP", given["cp"]) if given.get("cp") else None
    driver = check_id("driver", given["driver"]) if given.get("driver") else None
    since, until = (_time(name, given.get(name)) for name in ("since", "until"))
    state = given.get("state") or None
    if state is not None and state not in STATES:
        raise BadValue("state is not allowed", f"one of {', '.join(STATES)}")
    wanted = _limit(given.get("limit"), limit)
    found: list[dict[str, Any]] = deps.in_thread(
        lambda: deps.ledger.sessions(cp, driver, since, state, MAX_LIMIT if until else wanted)
    )
    if until:
        # A whole day is meant by its date: "2026-11-22" ends after every time of that day.
        end = until if "T" in until else until + "U"
        found = [one for one in found if one["started_at"] <= end][:wanted]
    return found


def as_csv(sessions: list[dict[str, Any]]) -> str:
    """The sessions as a table; a text that a spreadsheet would run is quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in sessions:
        writer.writerow([_cell(one.get(column)) for column in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return "" if value is None else value


def _time(name: str, value: str | None) -> str | None:
    if not value:
        return None
    if not _TIME.fullmatch(value):
        raise BadValue(f"{name} is not a time", "write 2026-11-22 or 2026-11-22T09:00:00Z")
    return value


def _limit(value: str | None, default: int) -> int:
    if not value:
        return default
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:9]) <= MAX_LIMIT:
        raise BadValue("limit is not allowed", f"a whole number from 1 to {MAX_LIMIT}")
    return int(value)
