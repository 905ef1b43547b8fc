"""The web app: its doors first, then pages, the interface and metrics."""

from __future__ import annotations

from bottle import Bottle, request

from evcs.core.errors import Denied
from evcs.services import doors
from evcs.services.web import (
    circuit_api,
    cp_api,
    driver_api,
    fleet_api,
    metrics,
    pages,
    power_api,
    session_api,
    system_api,
)
from evcs.services.web.deps import Deps


def build_app(deps: Deps) -> Bottle:
    """The WSGI app."""
    app = Bottle()
    reading = None if deps.open_to_all else lambda: _authorise_reading(deps)
    doors.install(app, deps.doors.authorise, deps.doors.is_operator, deps.names, reading)
    pages.add_routes(app, deps)
    fleet_api.add_routes(app, deps)
    cp_api.add_routes(app, deps)
    session_api.add_routes(app, deps)
    circuit_api.add_routes(app, deps)
    driver_api.add_routes(app, deps)
    system_api.add_routes(app, deps)
    power_api.add_routes(app, deps)
    metrics.add_routes(app, deps)
    return app


def _authorise_reading(deps: Deps) -> None:
    """Whoever may not look is told how to sign in: people by a page, programs by an error."""
    try:
        deps.doors.authorise_reading()
    except Denied:
        if request.path.startswith("/api/"):
            raise
        raise pages.page("sign_in.html", 401) from None
