"""The Engine of a CP: which one it is, and its process."""

from __future__ import annotations

from typing import Any, Protocol

from evcs.adapters import engine_health
from evcs.adapters.connection_gate import Gate
from evcs.adapters.journal import Journal
from evcs.adapters.log import NamedLog
from evcs.bootstrap import parts
from evcs.bootstrap.plain_engine import plain_engine
from evcs.config import Settings
from evcs.core.errors import EvcsError
from evcs.core.health import EngineAnswer
from evcs.core.ports import JournalStore
from evcs.runtime.loop import Loop
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put, Role


class AnyEngine(Role, Protocol):
    """What a process of Engines needs of each, whatever its authority is."""

    def health(self) -> EngineAnswer:
        """What its Monitor wants to know."""

    @property
    def is_ready(self) -> bool:
        """Whether it has told its state on the bus."""


def engine(
    settings: Settings,
    loop: Loop,
    cp: str,
    journal: JournalStore,
    log: NamedLog,
    put: Put,
    gate: Gate | None = None,
) -> CpParts[Any]:
    """The Engine of a CP; where it has a back end, one that dials it."""
    if settings.home.back_end(cp).exists():
        from evcs.bootstrap.station import station

        return station(settings, loop, cp, journal, log, put, gate)
    if "station" in (journal.last(lambda _: True) or {}):
        # As another it would forget its charge, and what its back end has to be told.
        path = settings.home.back_end(cp)
        raise EvcsError(f"{path} is missing", "the CP Manager writes it; see: evcs status")
    return plain_engine(settings, loop, cp, journal, log, put, gate)


def run_engine(settings: Settings, cp: str) -> None:
    """Be the Engine of that CP until told to stop."""
    _lock = parts.hold(settings, f"{cp}.engine")
    loop, home, log = parts.loop(), settings.home, NamedLog(f"{cp} engine")

    def make(put: Put) -> CpParts[Any]:
        return engine(settings, loop, cp, Journal(home.journal(cp)), log, put)

    cps: Pool[AnyEngine] = Pool(
        loop, lambda _: CpRuntime(loop, make, log), lambda: [cp], alone=True
    )

    def answer() -> dict[str, EngineAnswer]:
        return cps.each(lambda one: one.health())

    engine_health.listen(loop, home.engine_socket(cp), answer, log)
    cps.run()
