"""The Engine of a CP."""

from __future__ import annotations

from evcs.adapters import clock, engine_health
from evcs.adapters.journal import Journal
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.core.charger import EmulatedCharger
from evcs.services import engine


def run_engine(settings: Settings, cp: str) -> None:
    """Be the Engine of that CP until told to stop."""
    _lock = parts.hold(settings, f"{cp}.engine")
    loop, boot = parts.loop(), parts.boot()
    bus = parts.bus(
        settings, loop, f"cp/{cp}/engine", engine.subscriptions(cp), engine.will(cp, boot)
    )
    service = engine.Engine(
        cp, boot, bus, Journal(settings.home.journal(cp)),
        EmulatedCharger(settings.time_scale), clock.monotonic(),
    )  # fmt: skip
    engine_health.listen(loop, settings.home.engine_socket(cp))
    bus.start()
    loop.run(service.handle, service.tick)
    parts.leave(loop, bus)
