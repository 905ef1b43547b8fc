"""The Monitors of a pool: many CPs, each with its own name on the bus."""

from __future__ import annotations

from contextlib import ExitStack

from evcs.adapters import clock, engine_health
from evcs.adapters.connection_gate import CONNECT_AT_ONCE, Gate
from evcs.adapters.engine_health import Probe
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_files import MemberFile
from evcs.bootstrap import parts
from evcs.bootstrap.members import member
from evcs.bootstrap.monitor import monitor
from evcs.config import Settings
from evcs.core.health import EngineAnswer
from evcs.core.pools import ENGINES, MONITORS
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put
from evcs.services.monitor import Monitor, Watch


def run_monitors(settings: Settings, name: str) -> None:
    """Be the Monitors of that pool until told to stop."""
    _lock = parts.hold(settings, f"{name}.{MONITORS}")
    loop, home, log = parts.loop(), settings.home, NamedLog(f"{name} {MONITORS}")
    gate = Gate(loop, CONNECT_AT_ONCE)

    def runtime(cp: str) -> CpRuntime[Monitor]:
        def make(of_cp: NamedLog, put: Put, _held: ExitStack) -> CpParts[Monitor]:
            watch.expect(cp)
            return monitor(settings, loop, cp, of_cp, put, gate)

        return member(settings, loop, cp, "monitor", make)

    members = MemberFile(home.member_file(name)).members
    # Behind their Engines, which begin in turn.
    pool = Pool(loop, runtime, lambda: members() if watch.has_heard else None)
    probe = Probe(home.pool_socket(name, ENGINES), watches=True)
    watch = Watch(lambda: pool.cps, probe, pool.put, clock.monotonic, log)

    def answer() -> dict[str, EngineAnswer]:
        pool.look()
        return dict.fromkeys(pool.cps, EngineAnswer())

    def tick(now: float) -> float:
        pool.look()
        return watch.tick(now)

    engine_health.listen(loop, home.pool_socket(name, MONITORS), answer, log, pool.end)
    pool.run(tick)
