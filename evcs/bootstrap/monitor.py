"""The Monitor of a CP."""

from __future__ import annotations

from evcs.adapters import clock
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.services import monitor


def run_monitor(settings: Settings, cp: str) -> None:
    """Be the Monitor of that CP until told to stop."""
    _lock = parts.hold(settings, f"{cp}.monitor")
    loop, boot = parts.loop(), parts.boot()
    bus = parts.bus(settings, loop, f"cp/{cp}/monitor", [], monitor.will(cp, boot))
    service = monitor.Monitor(cp, boot, bus, settings.home.engine_socket(cp), clock.monotonic)
    bus.start()
    loop.run(service.handle, service.tick)
    parts.leave(loop, bus)
