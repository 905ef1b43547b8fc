"""The web process. gevent's patches come before this is imported."""

from __future__ import annotations

import time
from functools import partial

import gevent

from evcs.adapters import clock, cp_logs, heartbeat, wsgi_server
from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.server_tls import ServerTls
from evcs.adapters.session_file import SessionFile
from evcs.adapters.spool import Spool
from evcs.adapters.worker_threads import WorkerThreads
from evcs.bootstrap import parts
from evcs.bootstrap.tls import names, server_tls
from evcs.config import Settings
from evcs.core import topics
from evcs.core.said import decode_short
from evcs.services.http import address
from evcs.services.web.app import build_app
from evcs.services.web.deps import Deps
from evcs.services.web.login_auth import LoginAuth
from evcs.services.web.service import Web, subscriptions

#: Two threads read the ledger for all but the operator, some ms each time; where that is large a
#: sum takes a second, and so many make ten.
MOST_WAITING = 24


def run_web(settings: Settings) -> None:
    """Be the web process until told to stop."""
    _lock = parts.hold(settings, "web")
    loop = parts.loop()
    birth, death = parts.births("web")
    bus = parts.bus(
        settings, loop, "web", subscriptions(), topics.encode(death, None), decode_short
    )
    web = Web(bus, birth, clock.timestamp)
    tls = server_tls(settings)
    app = build_app(_deps(settings, web, tls))
    http = wsgi_server.start(app, settings.http_listen, settings.web_port, tls)
    bus.start()
    loop.run(web.handle, web.tick, heartbeat.beat)
    web.feed.close()
    http.stop(timeout=1)
    parts.leave(loop, bus)


def _deps(settings: Settings, web: Web, tls: ServerTls | None) -> Deps:
    home = settings.home

    def token() -> str:
        return SecretFiles(home).read("operator.token")

    sessions, spool = SessionFile(home.run / "web-sessions.json"), Spool.open(home.spool("web"))
    doors = LoginAuth(
        token, settings.web_port, sessions, spool, clock.monotonic, time.time, gevent.sleep,
        bool(tls),
    )  # fmt: skip
    own, others = WorkerThreads(2, 1_000), WorkerThreads(2, MOST_WAITING)
    return Deps(
        web=web,
        doors=doors,
        registry=RegistryClient(settings.registry, token, who=lambda: f"web/{address()}"),
        ledger=LedgerReader(home.ledger_db),
        host=settings.host,
        last_lines=partial(cp_logs.last, home),
        url=settings.page.url,
        ocpp_url=settings.ocpp_url,
        names=names(tls),
        open_to_all=not settings.http_is_open,
        threads=lambda: own if doors.is_operator() else others,
    )
