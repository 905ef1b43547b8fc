"""The CP Manager of this host."""

from __future__ import annotations

from evcs.adapters import clock, cp_logs, cp_traces, heartbeat
from evcs.adapters.engine_health import Probe
from evcs.adapters.section_files import SectionFiles
from evcs.adapters.supervisord import Supervisord
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.core import topics
from evcs.services import cp_manager


def run_cp_manager(settings: Settings) -> None:
    """Be the CP Manager until told to stop."""
    _lock = parts.hold(settings, "cp-manager")
    loop, home = parts.loop(), settings.home
    name = f"manager/{settings.host}"
    birth, death = parts.births(name)
    heard = cp_manager.subscriptions(settings.host)
    bus = parts.bus(settings, loop, name, heard, topics.encode(death, None))
    outside = cp_manager.ManagerPorts(
        bus, Supervisord(home.supervisor_socket), SectionFiles(home.sections),
        lambda cp: Probe(home.engine_socket(cp)), lambda cp: cp_traces.remove(home, cp),
        lambda cp, role, end: cp_logs.page(home, cp, role, end), clock.monotonic,
    )  # fmt: skip
    manager = cp_manager.CpManager(outside, settings.host, birth)
    bus.start()
    loop.run(manager.handle, manager.tick, heartbeat.beat)
    parts.leave(loop, bus)
