"""The Engines of a pool: many CPs, each with its own name on the bus, journal and log."""

from __future__ import annotations

import os
from contextlib import ExitStack

from evcs.adapters import engine_health
from evcs.adapters.connection_gate import CONNECT_AT_ONCE, Gate
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_files import MemberFile
from evcs.adapters.pool_journal import PoolJournals
from evcs.bootstrap import parts
from evcs.bootstrap.engine import engine
from evcs.config import Settings
from evcs.core import pools
from evcs.core.health import EngineAnswer
from evcs.core.pools import ENGINES
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put
from evcs.services.engine import Engine

LOOK_EVERY_S = 1.0


def run_engines(settings: Settings, name: str) -> None:
    """Be the Engines of that pool until told to stop."""
    _lock = parts.hold(settings, f"{name}.{ENGINES}")
    loop, home, log = parts.loop(), settings.home, NamedLog(f"{name} {ENGINES}")

    journals = PoolJournals(home.pool_journal(pools.number_of(name)), loop.call_first, log)

    def release(cp: str, of_cp: NamedLog) -> None:
        try:
            journals.release(cp)
        except OSError as error:
            of_cp.error("its last readings can't be written (%s); make room", error.strerror)

    gate = Gate(loop, CONNECT_AT_ONCE)

    def runtime(cp: str) -> CpRuntime[Engine]:
        of_cp = NamedLog(f"{cp} engine")

        def make(put: Put) -> CpParts[Engine]:
            with ExitStack() as held:
                held.callback(os.close, parts.hold(settings, f"{cp}.engine"))
                held.callback(release, cp, of_cp)
                made = engine(settings, loop, cp, journals.of(cp), of_cp, put, gate)
                held.callback(made.close)
                return made._replace(close=held.pop_all().close)

        return CpRuntime(loop, make, of_cp)

    pool = Pool(loop, runtime, MemberFile(home.member_file(name)).members)

    def answer() -> dict[str, EngineAnswer]:
        pool.look()
        return pool.each(Engine.health)

    def tick(_now: float) -> float:
        pool.look()
        return LOOK_EVERY_S

    engine_health.listen(loop, home.pool_socket(name, ENGINES), answer, log, pool.end)
    pool.run(tick)
    journals.close()
