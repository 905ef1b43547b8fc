"""What there is beside CPs over HTTP: stations of chargers, the audit, the power of all."""

from __future__ import annotations

import time
from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs.core.ids import check_id
from evcs.services.http import asked_limit, json_bytes, json_response
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps
from evcs.services.web.session_api import asked_time

DEFAULT_LIMIT = 1_000


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/stations`, `/api/v1/audit` and `/api/v1/power`."""
    power = Kept(lambda: json_bytes(deps.web.history.power.until(int(time.time()))))

    @app.get("/api/v1/power")
    def total_power() -> HTTPResponse:
        return json_response(power())

    @app.get("/api/v1/stations")
    def stations() -> HTTPResponse:
        return json_response(deps.web.fleet.station_rows())

    @app.get("/api/v1/audit")
    def audit() -> HTTPResponse:
        deps.doors.authorise_seeing()
        cp, limit = request.query.get("cp"), asked_limit(DEFAULT_LIMIT)
        since = asked_time("since", "T00:00:00.000Z")
        checked = check_id("CP", cp) if cp else None

        def read() -> list[dict[str, Any]]:
            return deps.ledger.audit(checked, since, limit)

        return json_response(deps.threads().run(read))
