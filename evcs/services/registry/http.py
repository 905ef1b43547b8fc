"""The Registry over HTTP: CPs, drivers and circuits, as openapi.yaml describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs.core import desired
from evcs.core.errors import EvcsError, NotFound
from evcs.core.messages import DesiredCp, DesiredDriver
from evcs.services import doors, http
from evcs.services.http import body_json, json_bytes, json_response, list_response
from evcs.services.registry import circuits, drivers, host_api
from evcs.services.registry.changes import Batch
from evcs.services.registry.service import Registry
from evcs.services.turns import made_once


def build_app(
    registry: Registry,
    authorise: doors.Authorise,
    is_operator: Callable[[], bool],
    names: doors.Names = doors.local_names,
    open_to_all: bool = True,
    refuse: host_api.Refuse = lambda _: None,
) -> Bottle:
    """The WSGI app; whom `authorise` lets in may alone look, too, if it is not `open_to_all`.

    `refuse`: see host_api.
    """
    app = Bottle()

    def authorise_others() -> None:
        if request.route.rule not in host_api.OWN_DOORS:
            authorise()

    def authorise_reading() -> None:
        if request.path != "/healthz":
            authorise_others()

    def is_known() -> bool:
        return is_operator() or host_api.shown_host(registry) is not None

    reading = None if open_to_all else authorise_reading
    doors.install(app, authorise_others, is_known, names, reading)

    @app.get("/healthz")
    def healthz() -> HTTPResponse:
        found = {"ok": True, "broker": registry.bus.connected, "at": registry.now()}
        return json_response(found)

    _add_cps(app, registry, is_operator)
    _add_identities(app, registry)
    _add_drivers(app, registry, is_operator)
    _add_circuits(app, registry)
    host_api.add_to(app, registry, refuse)
    return app


def _add_cps(app: Bottle, registry: Registry, is_operator: Callable[[], bool]) -> None:
    # Each commit makes another dict.
    listed = made_once(lambda: registry.cps, lambda of: _all(of, desired.FOR_OPERATOR))
    for_all = made_once(lambda: registry.cps, lambda of: _all(of, desired.FOR_ALL))

    @app.get("/api/v1/cps")
    def list_cps() -> HTTPResponse:
        return list_response(listed() if is_operator() else for_all())

    @app.get("/api/v1/cps/<cp>")
    def show_cp(cp: str) -> HTTPResponse:
        found = registry.cps.get(cp)
        if found is None:
            raise NotFound(f"no CP {cp[:40]!a}", "list them with: evcs-cp list")
        shown = desired.FOR_OPERATOR if is_operator() else desired.FOR_ALL
        return json_response(desired.to_json(found, shown))

    @app.post("/api/v1/cps")
    def create() -> HTTPResponse:
        given = body_json()
        if not isinstance(given, list):
            return json_response(_cp(registry.ask_as(http.who(), Batch.create, given)), 201)
        desired.check_count(given)
        made = registry.ask_as(http.who(), Batch.create_many, given)
        return json_response([_item(one) for one in made], 207)

    @app.route("/api/v1/cps/<cp>", method="PATCH")
    def edit(cp: str) -> HTTPResponse:
        return json_response(_cp(registry.ask_as(http.who(), Batch.edit, cp, body_json())))

    @app.delete("/api/v1/cps/<cp>")
    def delete(cp: str) -> HTTPResponse:
        return json_response(_cp(registry.ask_as(http.who(), Batch.delete, cp)), 202)


def _add_identities(app: Bottle, registry: Registry) -> None:
    @app.post("/api/v1/cps/<cp>/revoke")
    def revoke(cp: str) -> HTTPResponse:
        return json_response(_cp(registry.ask_as(http.who(), Batch.revoke, cp)))

    @app.post("/api/v1/cps/<cp>/rekey")
    def rekey(cp: str) -> HTTPResponse:
        return json_response(_cp(registry.ask_as(http.who(), Batch.rekey, cp)))


def _add_drivers(app: Bottle, registry: Registry, is_operator: Callable[[], bool]) -> None:
    listed = made_once(lambda: registry.drivers, lambda of: _rows(of, _driver))
    # Who knows a card's tag can charge with it.
    without_tags = made_once(
        lambda: registry.drivers, lambda of: _rows(of, lambda one: {"id": one.id})
    )

    @app.get("/api/v1/drivers")
    def list_drivers() -> HTTPResponse:
        return list_response(listed() if is_operator() else without_tags())

    @app.post("/api/v1/drivers")
    def add_driver() -> HTTPResponse:
        return json_response(_driver(registry.ask_as(http.who(), drivers.add, body_json())), 201)

    @app.route("/api/v1/drivers/<driver>", method="PATCH")
    def tag_driver(driver: str) -> HTTPResponse:
        return json_response(_driver(registry.ask_as(http.who(), drivers.tag, driver, body_json())))

    @app.delete("/api/v1/drivers/<driver>")
    def remove_driver(driver: str) -> HTTPResponse:
        registry.ask_as(http.who(), drivers.remove, driver)
        return json_response({"id": driver})


def _add_circuits(app: Bottle, registry: Registry) -> None:
    listed = made_once(
        lambda: registry.circuits,
        lambda of: {name: json_bytes(one._asdict()) for name, one in sorted(of.items())},
    )

    @app.get("/api/v1/circuits")
    def list_circuits() -> HTTPResponse:
        return list_response(listed())

    @app.post("/api/v1/circuits")
    def add_circuit() -> HTTPResponse:
        return json_response(registry.ask_as(http.who(), circuits.add, body_json())._asdict(), 201)

    @app.route("/api/v1/circuits/<name>", method="PATCH")
    def edit_circuit(name: str) -> HTTPResponse:
        return json_response(
            registry.ask_as(http.who(), circuits.edit, name, body_json())._asdict()
        )

    @app.delete("/api/v1/circuits/<name>")
    def remove_circuit(name: str) -> HTTPResponse:
        registry.ask_as(http.who(), circuits.remove, name)
        return json_response({"name": name})


def _rows(
    there: Mapping[str, DesiredDriver], shown: Callable[[DesiredDriver], dict[str, Any]]
) -> dict[str, bytes]:
    return {name: json_bytes(shown(one)) for name, one in sorted(there.items())}


def _driver(driver: DesiredDriver) -> dict[str, Any]:
    return {"id": driver.id, "tags": list(driver.tags)}


def _cp(cp: DesiredCp) -> dict[str, Any]:
    """What comes of a change, for the operator, who alone makes one."""
    return desired.to_json(cp, desired.FOR_OPERATOR)


def _all(cps: Mapping[str, DesiredCp], shown: frozenset[str]) -> dict[str, bytes]:
    return {cp: _row(found, shown) for cp, found in sorted(cps.items()) if not found.deleted}


# Of a large fleet all but a few stay as they were from one list to the next.
@lru_cache(maxsize=20_000)
def _row(cp: DesiredCp, shown: frozenset[str]) -> bytes:
    return json_bytes(desired.to_json(cp, shown))


def _item(one: DesiredCp | EvcsError) -> dict[str, Any]:
    if isinstance(one, EvcsError):
        return {"error": http.error_json(one)}
    return _cp(one)
