"""What there is beside CPs over HTTP: stations of chargers, hosts, the audit."""

from __future__ import annotations

from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs.core.ids import check_id
from evcs.services.http import asked_limit, json_bytes, json_response, list_response
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps
from evcs.services.web.session_api import DEFAULT_LIMIT, FROM_MIDNIGHT, asked_time


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/stations`, `/api/v1/host-states` and `/api/v1/audit`."""
    fleet = deps.web.fleet
    shown = Kept(lambda: json_bytes(fleet.station_rows()))
    there = Kept(lambda: {name: json_bytes(row) for name, row in fleet.host_rows().items()})

    @app.get("/api/v1/stations")
    def stations() -> HTTPResponse:
        return json_response(shown())

    @app.get("/api/v1/host-states")
    def hosts() -> HTTPResponse:
        return list_response(there())

    @app.get("/api/v1/audit")
    def audit() -> HTTPResponse:
        deps.doors.authorise_seeing()
        cp, limit = request.query.get("cp"), asked_limit(DEFAULT_LIMIT)
        since = asked_time("since", FROM_MIDNIGHT)
        checked = check_id("CP", cp) if cp else None

        def read() -> list[dict[str, Any]]:
            return deps.ledger.audit(checked, since, limit)

        return json_response(deps.threads().run(read))
