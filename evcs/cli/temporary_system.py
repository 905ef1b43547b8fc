"""A system for one trial: a home and ports of its own, taken down and removed afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evcs.adapters import processes
from evcs.adapters.supervisord import Supervisord
from evcs.cli import supervision, tcp_ports
from evcs.cli.common import CommandContext
from evcs.config import Settings
from evcs.core.errors import EvcsError, Unreachable
from evcs.core.fleet_size import NO_CPS, FleetSize
from evcs.home import Home, check_home

BEGINS_WITHIN_S = 60.0


@contextmanager
def temporary_system(time_scale: float) -> Iterator[Settings]:
    """Settings of a home that isn't started yet; whatever runs there at the end is ended."""
    folder = Path(tempfile.mkdtemp(prefix="evcs-"))
    mqtt, web, registry, ocpp = tcp_ports.free(4)
    settings = Settings(
        Home(check_home(folder / "home")), mqtt, web, registry, time_scale, ocpp_port=ocpp
    )
    # SIGTERM too must leave nothing running behind.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield settings
    finally:
        signal.signal(signal.SIGTERM, before)
        _end(settings)
        shutil.rmtree(folder, ignore_errors=True)


def begin(ctx: CommandContext, room_for: FleetSize = NO_CPS) -> None:
    """Start it; on a busy machine it takes longer until the Registry answers than commands wait.

    Raises Unreachable.
    """
    supervision.start(ctx.settings, lambda _: None, room_for=room_for)
    deadline = time.monotonic() + BEGINS_WITHIN_S
    while True:
        try:
            ctx.registry.cps()
        except Unreachable:
            if time.monotonic() > deadline:
                raise
        else:
            return


def _end(settings: Settings) -> None:
    with suppress(EvcsError):
        supervision.stop(settings)
    for pid in processes.of_home(settings.home.path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pid_of(settings: Settings, name: str) -> int | None:
    """The pid of a program ("central", "CP-001:engine", "supervisord"), if it runs now."""
    with suppress(EvcsError):
        supervisord = Supervisord(settings.home.supervisor_socket)
        if name == "supervisord":
            return supervisord.pid()
        for process in supervisord.processes():
            if name in (process.name, f"{process.group}:{process.name}") and process.pid:
                return process.pid
    return None
