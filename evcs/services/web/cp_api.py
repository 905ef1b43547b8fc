"""One CP over HTTP: its last minutes, processes and log, and what is done to it by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from bottle import Bottle, HTTPResponse, request

from evcs.core import stations
from evcs.core.asked_messages import SIMULATED
from evcs.core.errors import BadValue, EvcsError
from evcs.core.ids import MAX_TEXT
from evcs.core.placement import OCPP
from evcs.core.sections import ROLES, process
from evcs.services.http import address, body_json, json_response
from evcs.services.turns import KeptEach
from evcs.services.web.deps import Deps
from evcs.services.web.fleet_api import known

MAX_LINES = 500
#: Of a log on another host, as much as of one here: how many there are is not that host's to say.
MOST_PAGES = 20
LAST_SESSIONS = 20

K = TypeVar("K", str, tuple[str, str])
T = TypeVar("T")


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/cps/<id>/…`."""
    _add_reading(app, deps)
    _add_changing(app, deps)


def _add_reading(app: Bottle, deps: Deps) -> None:
    running = _shared(deps, lambda cp: deps.web.ask("processes", cp=cp)["processes"])
    told = _shared(deps, lambda log: _told_log(deps, *log))
    read = _shared(deps, lambda log: _read_log(deps, *log))

    @app.get("/api/v1/cps/<cp>/detail")
    def detail(cp: str) -> HTTPResponse:
        row = known(deps, cp)
        sessions = deps.threads().run(lambda: deps.ledger.sessions(cp=cp, limit=LAST_SESSIONS))
        found = {
            "cp": row,
            "trace": deps.web.history.trace(cp, int(time.time())),
            "events": deps.web.history.events(cp),
            "sessions": sessions,
            "connect": _connect(deps.ocpp_url, row),
            "processes": _processes(deps, cp, running),
            "counted_since": deps.web.history.began,
        }
        return json_response(found)

    @app.get("/api/v1/cps/<cp>/log")
    def log(cp: str) -> HTTPResponse:
        row = known(deps, cp)
        role = _role(request.query.get("role") or "engine")
        ask = read if row["host"] == deps.host else told
        return json_response({"lines": ask((cp, role))})


def _add_changing(app: Bottle, deps: Deps) -> None:
    @app.post("/api/v1/cps/<cp>/restart")
    def restart(cp: str) -> HTTPResponse:
        known(deps, cp)
        deps.web.ask("restart", cp=cp, by=address())
        return json_response({"id": cp}, 202)

    @app.post("/api/v1/cps/<cp>/kill")
    def kill(cp: str) -> HTTPResponse:
        known(deps, cp)
        given = body_json()
        role = _role(given.get("role") if isinstance(given, dict) else None)
        return json_response(deps.web.ask("kill", cp=cp, role=role, by=address()))

    @app.post(f"/api/v1/cps/<cp>/<verb:re:{'|'.join(SIMULATED)}>")
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
        return json_response(deps.web.ask(verb, cp=cp, reason=reason, by=address()))


def _role(given: object) -> str:
    """Engine or Monitor. Raises BadValue."""
    if given not in ROLES:
        raise BadValue("no such role", f"one of {', '.join(ROLES)}")
    return str(given)


def _connect(url: str, row: dict[str, Any]) -> dict[str, str] | None:
    """What is typed into a real charger, but for its password; None: it is none."""
    if row["hosting"] != OCPP:
        return None
    return {"url": stations.dialled(url, row["ocpp_id"]), "user": row["ocpp_id"]}


def _shared(deps: Deps, ask: Callable[[K], T]) -> Callable[[K], T]:
    """What the operator asks of a CP Manager whenever he likes, all others one at a time."""
    kept = KeptEach(ask)
    return lambda key: ask(key) if deps.doors.is_operator() else kept(key)


def _processes(
    deps: Deps, cp: str, running: Callable[[str], list[dict[str, Any]]]
) -> list[dict[str, Any]] | None:
    """Those of the CP; None where its CP Manager can't be asked."""
    try:
        found = running(cp)
    except EvcsError:
        return None
    return [
        {
            "role": one["name"],
            "plays": _plays(one),
            "state": one["state"],
            "pid": one["pid"] or None,
            # By its host's clock alone, which may be off ours.
            "uptime_s": max(one["idle_s"], 0) if one["pid"] else None,
            "restarts": deps.web.history.restarts(cp, _plays(one)),
            "error": one["error"] or None,
        }
        for one in sorted(found, key=lambda one: str(one["name"]))
    ]


def _plays(one: dict[str, Any]) -> str:
    """Which of a CP's roles a process plays, its own or a pool's."""
    fits = (role for role in ROLES if process(one["group"], role) == one["name"])
    return next(fits, str(one["name"]))


def _read_log(deps: Deps, cp: str, role: str) -> list[str]:
    return deps.threads().run(lambda: deps.last_lines(cp, role, MAX_LINES))


def _told_log(deps: Deps, cp: str, role: str) -> list[str]:
    """The last lines of a log that is on another host."""
    lines: list[str] = []
    after = None
    for _ in range(MOST_PAGES):
        page = deps.web.ask("log", cp=cp, role=role, after=after)
        lines = [*page["lines"], *lines]
        after = page["next"]
        if after is None or len(lines) >= MAX_LINES:
            break
    return lines[-MAX_LINES:]
