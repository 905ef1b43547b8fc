"""The Engines of a pool: many CPs, each with its own name on the bus, journal and log."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from evcs.adapters import engine_health
from evcs.adapters.connection_gate import CONNECT_AT_ONCE, Gate
from evcs.adapters.log import NamedLog
from evcs.adapters.pool_files import MemberFile
from evcs.adapters.pool_journal import PoolJournals
from evcs.adapters.start_turn import StartTurn
from evcs.bootstrap import parts
from evcs.bootstrap.engine import AnyEngine, engine
from evcs.bootstrap.members import member
from evcs.config import Settings
from evcs.core.health import EngineAnswer
from evcs.core.pools import ENGINES
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put

LOOK_EVERY_S = 1.0


def run_engines(settings: Settings, name: str) -> None:
    """Be the Engines of that pool until told to stop."""
    _lock = parts.hold(settings, f"{name}.{ENGINES}")
    loop, home, log = parts.loop(), settings.home, NamedLog(f"{name} {ENGINES}")
    gate = Gate(loop, CONNECT_AT_ONCE)
    journals = PoolJournals(home.pool_journal(name), loop.call_first, log)

    def runtime(cp: str) -> CpRuntime[AnyEngine]:
        def make(of_cp: NamedLog, put: Put, held: ExitStack) -> CpParts[Any]:
            held.callback(journals.give_back, cp, of_cp)
            return engine(settings, loop, cp, journals.of(cp), of_cp, put, gate)

        return member(settings, loop, cp, "engine", make)

    members = MemberFile(home.member_file(name)).members
    pool: Pool[AnyEngine] = Pool(loop, runtime, lambda: members() if turn.here else None)
    turn = StartTurn(loop, home, pool.look, lambda: pool.all(lambda one: one.is_ready))

    def answer() -> dict[str, EngineAnswer]:
        pool.look()
        return pool.each(lambda one: one.health())

    def tick(_now: float) -> float:
        pool.look()
        return LOOK_EVERY_S

    engine_health.listen(loop, home.pool_socket(name, ENGINES), answer, log, pool.end)
    pool.run(tick)
    journals.close()
