"""The Registry over HTTP: CPs and drivers, as openapi.yaml describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs.adapters import http_server
from evcs.adapters.http_server import body_json, json_response
from evcs.adapters.spool import Spool
from evcs.core import desired
from evcs.core.errors import BadValue, EvcsError, NotFound
from evcs.services.registry.service import Registry

MAX_AT_ONCE = 10_000


def build_app(
    registry: Registry,
    token: Callable[[], str],
    spool: Spool,
    names: http_server.Names = http_server.local_names,
    open_to_all: bool = True,
) -> Bottle:
    """The WSGI app; `token` reads the operator's, who alone may look if not `open_to_all`."""
    app = Bottle()
    authorise = http_server.bearer_only(token, spool)

    def authorise_reading() -> None:
        if request.path != "/healthz":
            authorise()

    http_server.install(app, authorise, names, None if open_to_all else authorise_reading)

    @app.get("/healthz")
    def healthz() -> HTTPResponse:
        return json_response({"ok": True, "broker": registry.bus.connected})

    @app.get("/api/v1/cps")
    def list_cps() -> HTTPResponse:
        found = [desired.to_json(cp) for cp in registry.cps.values() if not cp.deleted]
        return json_response(sorted(found, key=lambda cp: cp["id"]))

    @app.get("/api/v1/cps/<cp>")
    def show_cp(cp: str) -> HTTPResponse:
        found = registry.cps.get(cp)
        if found is None:
            raise NotFound(f"no CP {cp[:40]!a}", "list them with: evcs-cp list")
        return json_response(desired.to_json(found))

    @app.post("/api/v1/cps")
    def create() -> HTTPResponse:
        given = body_json()
        if not isinstance(given, list):
            return json_response(desired.to_json(registry.ask("create", given)), 201)
        if len(given) > MAX_AT_ONCE:
            raise BadValue("too many CPs at once", f"at most {MAX_AT_ONCE}")
        return json_response([_item(one) for one in registry.ask("create_many", given)], 207)

    @app.route("/api/v1/cps/<cp>", method="PATCH")
    def edit(cp: str) -> HTTPResponse:
        return json_response(desired.to_json(registry.ask("edit", cp, body_json())))

    @app.delete("/api/v1/cps/<cp>")
    def delete(cp: str) -> HTTPResponse:
        return json_response(desired.to_json(registry.ask("delete", cp)), 202)

    @app.post("/api/v1/cps/<cp>/revoke")
    def revoke(cp: str) -> HTTPResponse:
        return json_response(desired.to_json(registry.ask("revoke", cp)))

    @app.post("/api/v1/cps/<cp>/rekey")
    def rekey(cp: str) -> HTTPResponse:
        return json_response(desired.to_json(registry.ask("rekey", cp)))

    @app.get("/api/v1/drivers")
    def list_drivers() -> HTTPResponse:
        return json_response([{"id": driver} for driver in sorted(registry.drivers)])

    @app.post("/api/v1/drivers")
    def add_driver() -> HTTPResponse:
        return json_response(registry.ask("add_driver", body_json()), 201)

    @app.delete("/api/v1/drivers/<driver>")
    def remove_driver(driver: str) -> HTTPResponse:
        registry.ask("remove_driver", driver)
        return json_response({"id": driver})

    return app


def _item(one: Any) -> dict[str, Any]:
    if isinstance(one, EvcsError):
        return {"error": http_server.error_json(one)}
    return desired.to_json(one)
