"""The web app: its doors first, then pages, the interface and metrics."""

from __future__ import annotations

from bottle import Bottle

from evcs.adapters import http_server
from evcs.services.web import cp_api, fleet_api, metrics, pages, session_api
from evcs.services.web.deps import Deps


def build_app(deps: Deps) -> Bottle:
    """The WSGI app."""
    app = Bottle()
    http_server.install(app, deps.doors.authorise)
    pages.add_routes(app, deps)
    fleet_api.add_routes(app, deps)
    cp_api.add_routes(app, deps)
    session_api.add_routes(app, deps)
    metrics.add_routes(app, deps)
    return app
