"""One CP over HTTP: its last minutes, processes and log, and what is done to it by hand."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs.core.errors import BadValue, EvcsError
from evcs.core.ids import MAX_TEXT
from evcs.core.sections import ROLES
from evcs.core.service_ports import Process
from evcs.services.http import body_json, json_response
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps
from evcs.services.web.fleet_api import known

SIMULATE = ("plug", "unplug", "fault", "clear")
MAX_LINES = 500
TAIL_BYTES = 131_072
LAST_SESSIONS = 20


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/cps/<id>/…`."""
    _add_reading(app, deps)
    _add_changing(app, deps)


def _add_reading(app: Bottle, deps: Deps) -> None:
    running = Kept(lambda: _running(deps))

    @app.get("/api/v1/cps/<cp>/detail")
    def detail(cp: str) -> HTTPResponse:
        row = known(deps, cp)
        sessions = deps.threads().run(lambda: deps.ledger.sessions(cp, limit=LAST_SESSIONS))
        found = {
            "cp": row,
            "trace": deps.web.history.trace(cp, int(time.time())),
            "events": deps.web.history.events(cp),
            "sessions": sessions,
            "processes": processes(deps, cp, running()),
            "counted_since": deps.web.history.began,
        }
        return json_response(found)

    @app.get("/api/v1/cps/<cp>/log")
    def log(cp: str) -> HTTPResponse:
        known(deps, cp)
        role = request.query.get("role") or "engine"
        if role not in ROLES:
            raise BadValue("no such role", f"one of {', '.join(ROLES)}")
        path = deps.logs / f"{cp}.{role}.log"
        return json_response({"lines": deps.threads().run(lambda: tail(path))})


def _add_changing(app: Bottle, deps: Deps) -> None:
    @app.post("/api/v1/cps/<cp>/restart")
    def restart(cp: str) -> HTTPResponse:
        known(deps, cp)
        deps.supervisord.stop([cp])
        deps.supervisord.start([cp])
        return json_response({"id": cp}, 202)

    @app.post(f"/api/v1/cps/<cp>/<verb:re:{'|'.join(SIMULATE)}>")
    def simulate(cp: str, verb: str) -> HTTPResponse:
        known(deps, cp)
        given = body_json() if request.content_length > 0 else {}
        if not isinstance(given, dict):
            raise BadValue("a JSON object is needed", 'such as {"reason": "cable"}')
        reason = given.get("reason")
        if reason is not None and (not isinstance(reason, str) or len(reason) > MAX_TEXT):
            raise BadValue(
                "reason is not allowed", f"allowed: text of at most {MAX_TEXT} characters"
            )
        return json_response(deps.web.ask(verb, cp=cp, reason=reason))


def _running(deps: Deps) -> list[Process] | None:
    """All processes as supervisord has them; None where it doesn't answer."""
    try:
        return list(deps.supervisord.processes())
    except EvcsError:
        return None


def processes(deps: Deps, cp: str, running: list[Process] | None) -> list[dict[str, Any]] | None:
    """Those of the CP, among all that are there; None where that isn't known."""
    if running is None:
        return None
    found = [one for one in running if one.group == cp]
    return [
        {
            "role": one.name,
            "state": one.state,
            "pid": one.pid or None,
            "uptime_s": max(int(time.time()) - one.started, 0) if one.pid else None,
            "restarts": deps.web.history.restarts(cp, one.name),
            "error": one.error or None,
        }
        for one in sorted(found, key=lambda one: one.name)
    ]


def tail(path: Path) -> list[str]:
    """The last lines of a log; none where there is no log yet."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - TAIL_BYTES, 0))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-MAX_LINES:]
