"""Settings -> adapters -> service: the only wiring, one function a process.

Imports stand in the functions, so that a CP process loads nothing but the standard
library, paho and what it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evcs import __version__
from evcs.config import Settings, load, under_supervisord
from evcs.core.errors import EvcsError
from evcs.core.ids import check_id
from evcs.core.messages import ServiceStatus
from evcs.core.setting_values import FORK

if TYPE_CHECKING:
    from evcs.adapters.mqtt import Account, Bus
    from evcs.adapters.server_tls import ServerTls
    from evcs.runtime.loop import Loop

LEAVE_WITHIN_S = 2.0


def _boot() -> str:
    return os.urandom(8).hex()


def _account(settings: Settings, identity: str) -> Account:
    from evcs.adapters import mqtt, secret_files

    home = settings.home
    return mqtt.Account(home.broker_socket, identity, lambda: secret_files.read(home, identity))


def _births(service: str) -> tuple[ServiceStatus, ServiceStatus]:
    boot = _boot()
    return ServiceStatus(service, True, boot, __version__), ServiceStatus(service, False, boot)


def _hold(settings: Settings, role: str) -> int:
    from evcs.adapters.files import hold_lock

    return hold_lock(settings.home.lock(role), role)


def _loop() -> Loop:
    from evcs.runtime.loop import Loop

    loop = Loop()
    loop.stop_on_signals()
    return loop


def _leave(loop: Loop, bus: Bus) -> None:
    """Have what was said go out, and the will told."""
    bus.stop()
    ends_at = loop.time() + LEAVE_WITHIN_S
    while not bus.left and loop.time() < ends_at:
        loop.turn(ends_at - loop.time())


def _end_if_orphaned(settings: Settings) -> None:
    """supervisord may have ended before setpriv could tie this process to it."""
    if under_supervisord():
        try:
            parent = int(settings.home.supervisord_pid.read_text())
        except (OSError, ValueError):
            return
        if parent != os.getppid():
            sys.exit("supervisord has ended")


def run_engine(settings: Settings, cp: str) -> None:
    """The Engine of a CP."""
    from evcs.adapters import clock, engine_health, mqtt
    from evcs.adapters.journal import Journal
    from evcs.core.charger import EmulatedCharger
    from evcs.services import engine

    _lock = _hold(settings, f"{cp}.engine")
    loop, boot = _loop(), _boot()
    bus = mqtt.Bus(
        loop, _account(settings, f"cp/{cp}/engine"), loop.put, engine.subscriptions(cp),
        engine.will(cp, boot),
    )  # fmt: skip
    service = engine.Engine(
        cp, boot, bus, Journal(settings.home.journal(cp)),
        EmulatedCharger(settings.time_scale), clock.monotonic(),
    )  # fmt: skip
    engine_health.listen(loop, settings.home.engine_socket(cp))
    bus.start()
    loop.run(service.handle, service.tick)
    _leave(loop, bus)


def run_monitor(settings: Settings, cp: str) -> None:
    """The Monitor of a CP."""
    from evcs.adapters import clock, mqtt
    from evcs.services import monitor

    _lock = _hold(settings, f"{cp}.monitor")
    loop, boot = _loop(), _boot()
    bus = mqtt.Bus(
        loop, _account(settings, f"cp/{cp}/monitor"), loop.put, [], monitor.will(cp, boot)
    )
    service = monitor.Monitor(cp, boot, bus, settings.home.engine_socket(cp), clock.monotonic)
    bus.start()
    loop.run(service.handle, service.tick)
    _leave(loop, bus)


def run_central(settings: Settings) -> None:
    """Central."""
    from evcs.adapters import clock, heartbeat, mqtt
    from evcs.adapters.broker_log import BrokerLines
    from evcs.adapters.ledger import Ledger
    from evcs.adapters.log_tailer import LogTailer
    from evcs.adapters.spool import SpoolReader
    from evcs.core import ports, topics
    from evcs.services.central import auditor, listening, service
    from evcs.services.central.fair_share import FairShare
    from evcs.services.central.retention import Retention

    _lock = _hold(settings, "central")
    loop = _loop()
    birth, death = _births("central")
    bus = mqtt.Bus(
        loop, _account(settings, "central"), loop.put, listening.subscriptions(),
        topics.encode(death, None),
        FairShare(clock.monotonic, lambda flood: loop.put(ports.Received(flood, False))),
    )  # fmt: skip
    ledger = Ledger(settings.home.ledger_db)
    log = settings.home.log / "mosquitto.log"
    sources = auditor.Sources(
        lambda cursor: LogTailer(log, BrokerLines(log).parse_line, cursor),
        {name: SpoolReader(settings.home.spool(name)) for name in ("registry", "web")},
    )
    central = service.Central(bus, ledger, clock.monotonic, birth, sources)
    retention = Retention(ledger, settings.keep_sessions_days, settings.keep_audit_days)

    def tick(now: float) -> float:
        retention.look(now)
        return central.tick(now)

    bus.start()
    loop.run(central.handle, tick, heartbeat.beat)
    _leave(loop, bus)
    ledger.close()


def run_cp_manager(settings: Settings) -> None:
    """The CP Manager of this host."""
    from evcs.adapters import clock, heartbeat, mqtt
    from evcs.adapters.supervisord import Supervisord
    from evcs.core import topics
    from evcs.services import cp_manager

    _lock = _hold(settings, "cp-manager")
    loop = _loop()
    name = f"manager/{settings.host}"
    birth, death = _births(name)
    bus = mqtt.Bus(
        loop,
        _account(settings, name),
        loop.put,
        cp_manager.subscriptions(),
        topics.encode(death, None),
    )
    supervisord = Supervisord(settings.home.supervisor_socket)
    manager = cp_manager.CpManager(
        settings.home, settings.host, bus, supervisord, clock.monotonic, birth
    )
    bus.start()
    loop.run(manager.handle, manager.tick, heartbeat.beat)
    _leave(loop, bus)


def _patch() -> None:
    """Have gevent take over sockets, locks and threads, paho's thread too."""
    from gevent import monkey

    monkey.patch_all()


def _server_tls(settings: Settings) -> ServerTls | None:
    if settings.web.ca is None:
        return None
    from evcs.adapters import certificates
    from evcs.adapters.server_tls import ServerTls

    return ServerTls(certificates.server(settings.home))


def _names(tls: ServerTls | None) -> Callable[[], frozenset[str]]:
    """What the HTTP servers may be asked for as: with TLS, what the certificate is for."""
    from evcs.adapters import http_server

    return http_server.local_names if tls is None else lambda: tls.names


def run_registry(settings: Settings) -> None:
    """The Registry. gevent's patches come first: its HTTP and its loop take turns."""
    _patch()
    from evcs.adapters import (
        broker_accounts,
        broker_connections,
        clock,
        heartbeat,
        mqtt,
        secret_files,
        wsgi_server,
    )
    from evcs.adapters.spool import Spool
    from evcs.adapters.supervisord import Supervisord
    from evcs.core import topics
    from evcs.services.registry import http, service

    _lock = _hold(settings, "registry")
    loop = _loop()
    birth, death = _births("registry")
    # The Registry's loop must not hang with a hung supervisord: a HUP is tried again.
    hup = Supervisord(settings.home.supervisor_socket, timeout_s=2.0)
    broker = broker_accounts.PasswordFile(
        settings.home, lambda: hup.signal("mosquitto", "HUP"), clock.monotonic
    )
    spool = Spool.open(settings.home.spool("registry"))
    registry = service.Registry(
        settings.home,
        service.open_store(settings.home),
        loop.put,
        broker,
        settings.host,
        birth,
        spool,
    )
    registry.bus = mqtt.Bus(
        loop, _account(settings, "registry"), loop.put, service.subscriptions(),
        topics.encode(death, None),
    )  # fmt: skip
    tls = _server_tls(settings)
    app = http.build_app(
        registry, lambda: secret_files.read(settings.home, "operator.token"), spool,
        _names(tls), not settings.http_is_open,
    )  # fmt: skip
    broker_connections.watch(settings.home)
    server = wsgi_server.start(app, settings.http_listen, settings.registry_port, tls)
    registry.bus.start()
    loop.run(registry.handle, registry.tick, heartbeat.beat)
    server.stop(timeout=1)
    _leave(loop, registry.bus)


def run_web(settings: Settings) -> None:
    """The web process. gevent's patches come first, so that paho's thread is a greenlet."""
    _patch()
    import time

    import gevent

    from evcs.adapters import clock, heartbeat, mqtt, secret_files, wsgi_server
    from evcs.adapters.ledger import LedgerReader
    from evcs.adapters.registry_http import RegistryClient
    from evcs.adapters.session_file import SessionFile
    from evcs.adapters.spool import Spool
    from evcs.adapters.supervisord import Supervisord
    from evcs.core import topics
    from evcs.services.web.app import build_app
    from evcs.services.web.deps import Deps
    from evcs.services.web.login_auth import LoginAuth
    from evcs.services.web.service import Web, subscriptions

    _lock = _hold(settings, "web")
    loop = _loop()
    birth, death = _births("web")
    home = settings.home

    def token() -> str:
        return secret_files.read(home, "operator.token")

    web = Web(birth)
    web.bus = mqtt.Bus(
        loop, _account(settings, "web"), loop.put, subscriptions(), topics.encode(death, None)
    )
    sessions, spool = SessionFile(home.run / "web-sessions.json"), Spool.open(home.spool("web"))
    tls = _server_tls(settings)
    doors = LoginAuth(
        token, settings.web_port, sessions, spool, clock.monotonic, time.time, gevent.sleep,
        bool(tls),
    )  # fmt: skip
    deps = Deps(
        web=web,
        doors=doors,
        registry=RegistryClient(settings.registry, token),
        supervisord=Supervisord(home.supervisor_socket),
        ledger=LedgerReader(home.ledger_db),
        logs=home.log,
        url=settings.page.url,
        names=_names(tls),
        open_to_all=not settings.http_is_open,
        in_thread=lambda work: gevent.get_hub().threadpool.apply(work),
    )
    http = wsgi_server.start(build_app(deps), settings.http_listen, settings.web_port, tls)
    web.bus.start()
    loop.run(web.handle, web.tick, heartbeat.beat)
    web.feed.close()
    http.stop(timeout=1)
    _leave(loop, web.bus)


def run_supervisord(settings: Settings, args: Sequence[str]) -> None:
    """supervisord, which forks the CPs' processes: what they import is loaded here, once."""
    import encodings.ascii  # noqa: F401

    import evcs.adapters.clock
    import evcs.adapters.engine_health
    import evcs.adapters.journal
    import evcs.adapters.log
    import evcs.adapters.mqtt
    import evcs.adapters.secret_files
    import evcs.core.charger
    import evcs.runtime.loop
    import evcs.services.engine
    import evcs.services.monitor  # noqa: F401
    from evcs.adapters import supervisord_server

    roles = _CP_PROCESSES.keys() if settings.cp_start == FORK else ()
    supervisord_server.main(
        args, supervisord_server.Forked(roles, lambda words: play(words, settings))
    )


_SERVICES: dict[str, Callable[[Settings], None]] = {
    "registry": run_registry,
    "central": run_central,
    "cp-manager": run_cp_manager,
    "web": run_web,
}
_CP_PROCESSES: dict[str, Callable[[Settings, str], None]] = {
    "engine": run_engine,
    "monitor": run_monitor,
}


def _run_service(settings: Settings, role: str) -> None:
    from evcs.adapters import heartbeat

    heartbeat.begin(settings.home.alive(role))
    _SERVICES[role](settings)


def main() -> None:
    """Play the role that the command line names, until told to stop."""
    play(sys.argv[1:])


def play(words: Sequence[str], settings: Settings | None = None) -> None:
    """Play a role: `central`, `engine CP-001`. Raises SystemExit for one that there isn't.

    A fork is given the settings of supervisord, which has the same environment.
    """
    from evcs.adapters import log

    role, *rest = words or ["?"]
    who = f"{rest[0]} {role}" if rest and role in _CP_PROCESSES else role
    logger = log.setup(who)
    try:
        settings = settings or load()
        if role == "supervisord":
            run_supervisord(settings, rest)
            return
        _end_if_orphaned(settings)
        if role in _CP_PROCESSES and len(rest) == 1:
            logger.info("version=%s starts", __version__)
            _CP_PROCESSES[role](settings, check_id("CP", rest[0]))
        elif role in _SERVICES and not rest:
            logger.info("version=%s starts", __version__)
            _run_service(settings, role)
        else:
            roles = ("supervisord", *_SERVICES, *_CP_PROCESSES)
            sys.exit(f"usage: python -m evcs {'|'.join(roles)} [CP]")
    except EvcsError as error:
        logger.error("%s; %s", error, error.hint)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        logger.error("%s: %s; see: evcs doctor", error.filename, error.strerror)
        sys.exit(EvcsError.exit_code)
