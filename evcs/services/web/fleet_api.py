"""The fleet over HTTP: the list, the stream, and changes, which are the Registry's to make."""

from __future__ import annotations

from typing import Any

from bottle import Bottle, HTTPResponse, request, response

from evcs.core.desired import check_count
from evcs.core.errors import BadValue, NotFound
from evcs.core.ids import expand, is_cp_id, is_id, range_meant
from evcs.services.http import body_json, json_bytes, json_response, list_response
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/healthz`, `/api/v1/cps`, `/api/v1/events` and their like."""
    _add_reading(app, deps)
    _add_changing(app, deps)


def _add_reading(app: Bottle, deps: Deps) -> None:
    fleet, feed = deps.web.fleet, deps.web.feed
    rows = Kept(lambda: {cp: json_bytes(fleet.row(cp)) for cp in fleet.ids()})
    shown = Kept(lambda: json_bytes(feed.snapshot()))

    @app.get("/healthz")
    def healthz() -> HTTPResponse:
        up = {name: presence.up for name, presence in fleet.services.items()}
        return json_response({"ok": True, **up})

    @app.get("/api/v1/cps")
    def list_cps() -> HTTPResponse:
        return list_response(rows())

    @app.get("/api/v1/cps/<cp>")
    def show_cp(cp: str) -> HTTPResponse:
        return json_response(known(deps, cp))

    @app.get("/api/v1/snapshot")
    def snapshot() -> HTTPResponse:
        return json_response(shown())

    @app.get("/api/v1/expand")
    def expand_pattern() -> HTTPResponse:
        pattern = request.query.getunicode("pattern")
        if pattern is None:
            raise BadValue("pattern is missing", "such as pattern=CP-{001..020}")
        return json_response(preview(deps, pattern))

    @app.get("/api/v1/events")
    def events() -> Any:
        cp = request.query.get("cp")
        if cp is not None and not is_id(cp):
            raise BadValue("cp is not an id", "give one such as CP-001")
        allowed = (lambda: True) if deps.open_to_all else deps.doors.as_long_as_allowed()
        sees = deps.doors.as_long_as_allowed() if deps.doors.sees_all() else lambda: False
        stream = feed.stream(cp, allowed, sees, deps.doors.is_operator())
        response.content_type = "text/event-stream"
        response.set_header("Cache-Control", "no-store")
        return stream


def _add_changing(app: Bottle, deps: Deps) -> None:
    registry = deps.registry

    @app.post("/api/v1/cps")
    def create() -> HTTPResponse:
        given = body_json()
        if not isinstance(given, list):
            return json_response(registry.create(given), 201)
        check_count(given)
        return json_response(registry.create_many(given), 207)

    @app.route("/api/v1/cps/<cp>", method="PATCH")
    def edit(cp: str) -> HTTPResponse:
        return json_response(registry.edit(cp, body_json()))

    @app.delete("/api/v1/cps/<cp>")
    def delete(cp: str) -> HTTPResponse:
        return json_response(registry.delete(cp), 202)

    @app.post("/api/v1/cps/<cp>/revoke")
    def revoke(cp: str) -> HTTPResponse:
        return json_response(registry.revoke(cp))

    @app.post("/api/v1/cps/<cp>/rekey")
    def rekey(cp: str) -> HTTPResponse:
        return json_response(registry.rekey(cp))


def known(deps: Deps, cp: str) -> dict[str, Any]:
    """A CP's row. Raises NotFound."""
    row = deps.web.fleet.row(cp)
    if row is None:
        raise NotFound(f"no CP {cp[:40]!a}", "list them with: evcs-cp list")
    return row


def preview(deps: Deps, pattern: str) -> dict[str, Any]:
    """What a pattern would create: its ids, which of them exist, which are not allowed.

    And the range that was meant by what is nearly one. Where the first is no id none is: then it is
    the only one, so that no answer is much longer than ids are.
    """
    ids = expand(pattern.strip())
    if not is_id(ids[0]):
        ids = ids[:1]
    taken = {cp.casefold() for cp in deps.web.fleet.ids()}
    return {
        "ids": ids,
        "exist": [cp for cp in ids if cp.casefold() in taken],
        "bad": [cp for cp in ids if not is_cp_id(cp)],
        "meant": range_meant(pattern.strip()),
    }
