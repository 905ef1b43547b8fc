"""The Monitor of a CP."""

from __future__ import annotations

from evcs.adapters import clock
from evcs.adapters.connection_gate import Gate
from evcs.adapters.engine_health import Probe
from evcs.adapters.log import NamedLog
from evcs.adapters.mqtt import CP_KEEPALIVE_S
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.runtime.loop import Loop
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put
from evcs.services.monitor import Monitor, Watch, will


def monitor(
    settings: Settings, loop: Loop, cp: str, log: NamedLog, put: Put, gate: Gate | None = None
) -> CpParts[Monitor]:
    """A Monitor, with its own name on the bus."""
    boot = parts.boot()
    bus = parts.bus(
        settings, loop, f"cp/{cp}/monitor", [], will(cp, boot), put=put, log=log,
        keepalive_s=CP_KEEPALIVE_S, gate=gate,
    )  # fmt: skip
    return CpParts(Monitor(cp, boot, bus, log, clock.monotonic()), bus)


def run_monitor(settings: Settings, cp: str) -> None:
    """Be the Monitor of that CP until told to stop."""
    _lock = parts.hold(settings, f"{cp}.monitor")
    loop, log = parts.loop(), NamedLog(f"{cp} monitor")

    def make(put: Put) -> CpParts[Monitor]:
        return monitor(settings, loop, cp, log, put)

    pool = Pool(loop, lambda _: CpRuntime(loop, make, log), lambda: [cp], alone=True)
    probe = Probe(settings.home.engine_socket(cp), watches=True)
    pool.run(Watch(lambda: [cp], probe, pool.put, clock.monotonic, log).tick)
