"""The Monitor of a CP."""

from __future__ import annotations

from evcs.adapters import clock
from evcs.adapters.engine_health import Probe
from evcs.adapters.log import NamedLog
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put
from evcs.services.monitor import Monitor, Watch, will


def run_monitor(settings: Settings, cp: str) -> None:
    """Be the Monitor of that CP until told to stop."""
    _lock = parts.hold(settings, f"{cp}.monitor")
    loop, log = parts.loop(), NamedLog(f"{cp} monitor")

    def make(put: Put) -> CpParts[Monitor]:
        boot, identity = parts.boot(), f"cp/{cp}/monitor"
        bus = parts.bus(settings, loop, identity, [], will(cp, boot), put=put, log=log)
        return CpParts(Monitor(cp, boot, bus, log, clock.monotonic()), bus)

    pool = Pool(loop, {cp: CpRuntime(loop, make, log)})
    probe = Probe(settings.home.engine_socket(cp), watches=True)
    pool.run(Watch([cp], probe, pool.put, clock.monotonic, log).tick)
