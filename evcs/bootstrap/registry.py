"""The Registry. gevent's patches come before this is imported."""

from __future__ import annotations

import time
from functools import partial

from evcs.adapters import (
    broker_accounts,
    broker_connections,
    broker_memory,
    broker_sessions,
    capacity,
    clock,
    heartbeat,
    wsgi_server,
)
from evcs.adapters.account import Account
from evcs.adapters.broker_clients import FloodWatch
from evcs.adapters.registry_db import open_store
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.spool import Spool
from evcs.adapters.supervisord import Supervisord
from evcs.bootstrap import parts
from evcs.bootstrap.tls import names, server_tls
from evcs.config import Settings
from evcs.core import topics
from evcs.services.doors import bearer_only
from evcs.services.http import Pause, Refusals, shows
from evcs.services.registry import http
from evcs.services.registry.outside import RegistryPorts, subscriptions
from evcs.services.registry.service import Registry
from evcs.services.registry.unread import Unread

#: The Registry's loop must not hang with a hung supervisord: a HUP is tried again.
HUP_WITHIN_S = 2.0


def run_registry(settings: Settings) -> None:
    """Be the Registry until told to stop."""
    _lock = parts.hold(settings, "registry")
    loop, home = parts.loop(), settings.home
    birth, death = parts.births("registry")
    supervisord = Supervisord(home.supervisor_socket, HUP_WITHIN_S)
    broker = broker_accounts.PasswordFile(
        home, lambda: supervisord.signal("mosquitto", "HUP"), clock.monotonic
    )
    unread = Unread(clock.monotonic, loop.put)
    bus = parts.bus(settings, loop, "registry", subscriptions(), topics.encode(death, None), unread)
    secrets, spool = SecretFiles(home), Spool.open(home.spool("registry"))
    floods = FloodWatch(
        home.log / "mosquitto.log", partial(broker_sessions.end, Account.of(home, "registry"))
    )
    outside = RegistryPorts(
        bus, open_store(home), secrets, broker, spool, clock.SystemClock(),
        lambda cps: broker_memory.hold(home, cps, partial(supervisord.signal, "mosquitto", "KILL")),
        parts.boot,
        partial(capacity.check_room, settings), lambda: floods.look() | unread.floods(),
    )  # fmt: skip
    registry = Registry(outside, loop.put, settings.host, birth)
    tls = server_tls(settings)
    # Each that waits holds a connection, so few may, and not for long.
    refusals = Refusals(spool, clock.monotonic, time.sleep, Pause(0.25, 1.0))

    def token() -> str:
        return secrets.read("operator.token")

    app = http.build_app(
        registry, bearer_only(token, refusals), lambda: shows(token), names(tls),
        not settings.http_is_open, refusals.refuse,
    )  # fmt: skip
    broker_connections.watch(home)
    server = wsgi_server.start(app, settings.http_listen, settings.registry_port, tls)
    bus.start()
    loop.run(registry.handle, registry.tick, heartbeat.beat)
    server.stop(timeout=1)
    parts.leave(loop, bus)
