"""Drivers over HTTP: the Registry's list, with the tags of their cards for the operator alone."""

from __future__ import annotations

from typing import Any

from bottle import Bottle, HTTPResponse

from evcs.core import desired
from evcs.core.errors import BadValue
from evcs.services.http import body_json, json_bytes, json_response, list_response
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/drivers` and `/api/v1/drivers/<id>`."""
    registry = deps.registry
    # Who knows a card's tag can charge with it.
    names = Kept(lambda: _rows([{"id": one["id"]} for one in registry.drivers()]))

    @app.get("/api/v1/drivers")
    def list_drivers() -> HTTPResponse:
        return list_response(_rows(registry.drivers()) if deps.doors.sees_all() else names())

    @app.post("/api/v1/drivers")
    def add_driver() -> HTTPResponse:
        given = body_json()
        if not isinstance(given, dict) or set(given) != {"id"}:
            raise BadValue("a JSON object is needed", 'such as {"id": "ALICE"}')
        return json_response(registry.add_driver(given["id"]), 201)

    @app.route("/api/v1/drivers/<driver>", method="PATCH")
    def tag_driver(driver: str) -> HTTPResponse:
        change = desired.tag_change(body_json())
        changed = {"add_tags": list(change.add), "remove_tags": list(change.remove)}
        return json_response(registry.tag_driver(driver, **changed))

    @app.delete("/api/v1/drivers/<driver>")
    def remove_driver(driver: str) -> HTTPResponse:
        return json_response(registry.remove_driver(driver))


def _rows(drivers: list[dict[str, Any]]) -> dict[str, bytes]:
    return {one["id"]: json_bytes(one) for one in drivers}
