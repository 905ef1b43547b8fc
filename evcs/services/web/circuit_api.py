"""Circuits over HTTP: what they carry, and changes, which are the Registry's to make."""

from __future__ import annotations

import time

from bottle import Bottle, HTTPResponse

from evcs.core.circuits import LIST
from evcs.core.errors import NotFound
from evcs.services.http import body_json, json_bytes, json_response, list_response
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/circuits` and `/api/v1/circuits/<name>`."""
    _add_reading(app, deps)
    _add_changing(app, deps)


def _add_reading(app: Bottle, deps: Deps) -> None:
    circuits = deps.web.fleet.circuits
    rows = Kept(lambda: {name: json_bytes(circuits.row(name)) for name in circuits.names()})

    @app.get("/api/v1/circuits")
    def list_circuits() -> HTTPResponse:
        return list_response(rows())

    @app.get("/api/v1/circuits/<name>/detail")
    def detail(name: str) -> HTTPResponse:
        row = circuits.row(name)
        if row is None:
            raise NotFound(f"no circuit {name[:40]!a}", LIST)
        trace = deps.web.history.circuit_trace(name, int(time.time()))
        return json_response({"circuit": row, "trace": trace})


def _add_changing(app: Bottle, deps: Deps) -> None:
    registry = deps.registry

    @app.post("/api/v1/circuits")
    def add() -> HTTPResponse:
        return json_response(registry.add_circuit(body_json()), 201)

    @app.route("/api/v1/circuits/<name>", method="PATCH")
    def edit(name: str) -> HTTPResponse:
        return json_response(registry.edit_circuit(name, body_json()))

    @app.delete("/api/v1/circuits/<name>")
    def remove(name: str) -> HTTPResponse:
        return json_response(registry.remove_circuit(name))
