"""The Engine of a CP."""

from __future__ import annotations

from evcs.adapters import clock, engine_health
from evcs.adapters.journal import Journal
from evcs.adapters.log import NamedLog
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.core.charger import EmulatedCharger
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put
from evcs.services.engine import Engine, subscriptions, will


def run_engine(settings: Settings, cp: str) -> None:
    """Be the Engine of that CP until told to stop."""
    _lock = parts.hold(settings, f"{cp}.engine")
    loop, log = parts.loop(), NamedLog(f"{cp} engine")

    def make(put: Put) -> CpParts[Engine]:
        boot, identity = parts.boot(), f"cp/{cp}/engine"
        bus = parts.bus(
            settings, loop, identity, subscriptions(cp), will(cp, boot), put=put, log=log
        )
        journal = Journal(settings.home.journal(cp))
        charger = EmulatedCharger(settings.time_scale)
        engine = Engine(cp, boot, bus, journal, charger, log, clock.monotonic())
        return CpParts(engine, bus, engine.tick, journal.close)

    pool = Pool(loop, {cp: CpRuntime(loop, make, log)})
    engine_health.listen(
        loop, settings.home.engine_socket(cp), lambda: pool.each(Engine.health), log
    )
    pool.run()
