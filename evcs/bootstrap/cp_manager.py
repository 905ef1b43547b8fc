"""The CP Manager of this host."""

from __future__ import annotations

from pathlib import Path

from evcs.adapters import clock, cp_logs, heartbeat
from evcs.adapters.cp_keys import AtCentre, Fetched
from evcs.adapters.cp_traces import CpTraces
from evcs.adapters.engine_health import Probe
from evcs.adapters.pool_files import PoolFiles
from evcs.adapters.section_files import SectionFiles
from evcs.adapters.supervisord import Supervisord
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.core import pools, topics
from evcs.home import Home
from evcs.services.cp_manager import service


def run_cp_manager(settings: Settings) -> None:
    """Be the CP Manager until told to stop."""
    _lock = parts.hold(settings, "cp-manager")
    loop, home = parts.loop(), settings.home
    name = f"manager/{settings.host}"
    birth, death = parts.births(name)
    heard = service.subscriptions(settings.host)
    bus = parts.bus(settings, loop, name, heard, topics.encode(death, None))
    outside = service.ManagerPorts(
        bus, Supervisord(home.supervisor_socket), SectionFiles(home.sections),
        PoolFiles(home.pools), lambda unit, role: Probe(_socket(home, unit, role)), CpTraces(home),
        Fetched(settings) if settings.is_joined else AtCentre(),
        lambda cp, role, after: cp_logs.page(home, cp, role, after),
        lambda: {"at": clock.timestamp(), "address": settings.own_address}, clock.monotonic,
    )  # fmt: skip
    manager = service.CpManager(outside, settings.host, birth)
    bus.start()
    loop.run(manager.handle, manager.tick, heartbeat.beat)
    parts.leave(loop, bus)


def _socket(home: Home, unit: str, role: str) -> Path:
    """Where that process of a unit answers."""
    if pools.is_shared(unit):
        return home.pool_socket(unit, role)
    return home.engine_socket(unit)
