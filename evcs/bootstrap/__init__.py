"""Settings -> adapters -> service: the only wiring, a module a process; `main` plays a role.

A module here is imported by the process that it wires, and those of CPs by supervisord, whose
forks they are; so a CP process loads nothing but the standard library, paho and what it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from evcs import __version__
from evcs.config import Settings, load, under_supervisord
from evcs.core.errors import EvcsError, in_a_line
from evcs.core.sections import check_unit


def _engine(settings: Settings, cp: str) -> None:
    from evcs.bootstrap.engine import run_engine

    run_engine(settings, cp)


def _monitor(settings: Settings, cp: str) -> None:
    from evcs.bootstrap.monitor import run_monitor

    run_monitor(settings, cp)


def _engines(settings: Settings, pool: str) -> None:
    from evcs.bootstrap.engines import run_engines

    run_engines(settings, pool)


def _monitors(settings: Settings, pool: str) -> None:
    from evcs.bootstrap.monitors import run_monitors

    run_monitors(settings, pool)


def _gateway(settings: Settings, unit: str) -> None:
    from evcs.bootstrap.gateway import run_gateway

    run_gateway(settings, unit)


def _central(settings: Settings) -> None:
    from evcs.bootstrap.central import run_central

    run_central(settings)


def _cp_manager(settings: Settings) -> None:
    from evcs.bootstrap.cp_manager import run_cp_manager

    run_cp_manager(settings)


def _registry(settings: Settings) -> None:
    from evcs.adapters import gevent_patch

    gevent_patch.patch()
    from evcs.bootstrap.registry import run_registry

    run_registry(settings)


def _web(settings: Settings) -> None:
    from evcs.adapters import gevent_patch

    gevent_patch.patch()
    from evcs.bootstrap.web import run_web

    run_web(settings)


def _supervisord(settings: Settings, args: Sequence[str]) -> None:
    from evcs.bootstrap.supervisord import run_supervisord

    run_supervisord(settings, args, _CP_PROCESSES, lambda words: play(words, settings))


_SERVICES: dict[str, Callable[[Settings], None]] = {
    "registry": _registry,
    "central": _central,
    "cp-manager": _cp_manager,
    "web": _web,
}
_CP_PROCESSES: dict[str, Callable[[Settings, str], None]] = {
    "engine": _engine,
    "monitor": _monitor,
    "engines": _engines,
    "monitors": _monitors,
    "gateway": _gateway,
}


def _run_service(settings: Settings, role: str) -> None:
    from evcs.adapters import heartbeat

    heartbeat.begin(settings.home.alive(role))
    _SERVICES[role](settings)


def _end_if_orphaned(settings: Settings) -> None:
    """supervisord may have ended before setpriv could tie this process to it."""
    if under_supervisord():
        try:
            parent = int(settings.home.supervisord_pid.read_text())
        except (OSError, ValueError):
            return
        if parent != os.getppid():
            sys.exit("supervisord has ended")


def main() -> None:
    """Play the role that the command line names, until told to stop.

    All is in order by then; Python's own tidying up is 0.05 s of CPU and more, for nothing.
    """
    play(sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)


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
            _supervisord(settings, rest)
            return
        _end_if_orphaned(settings)
        if role in _CP_PROCESSES and len(rest) == 1:
            log.NamedLog(who).info("version=%s starts", __version__)
            _CP_PROCESSES[role](settings, check_unit(rest[0]))
        elif role in _SERVICES and not rest:
            logger.info("version=%s starts", __version__)
            _run_service(settings, role)
        else:
            roles = ("supervisord", *_SERVICES, *_CP_PROCESSES)
            sys.exit(f"usage: python -m evcs {'|'.join(roles)} [CP or pool]")
    except (EvcsError, OSError) as error:
        known = in_a_line(error)
        if not known:
            raise
        logger.error("%s", known)
        sys.exit(getattr(error, "exit_code", EvcsError.exit_code))
