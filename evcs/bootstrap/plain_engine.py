"""The Engine of a CP without a back end: what it is made of stays light (setup.cfg)."""

from __future__ import annotations

from evcs.adapters.connection_gate import Gate
from evcs.adapters.log import NamedLog
from evcs.adapters.mqtt import CP_KEEPALIVE_S
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.core.charger import EmulatedCharger
from evcs.core.ports import JournalStore
from evcs.runtime.loop import Loop
from evcs.runtime.pool import CpParts, Put
from evcs.services.engine import Engine, subscriptions, will


def plain_engine(
    settings: Settings, loop: Loop, cp: str, journal: JournalStore, log: NamedLog, put: Put,
    gate: Gate | None = None,
) -> CpParts[Engine]:  # fmt: skip
    """An Engine, with its own name on the bus."""
    boot = parts.boot()
    bus = parts.bus(
        settings, loop, f"cp/{cp}/engine", subscriptions(cp), will(cp, boot), put=put, log=log,
        keepalive_s=CP_KEEPALIVE_S, gate=gate,
    )  # fmt: skip
    charger = EmulatedCharger(settings.time_scale)
    made = Engine(cp, boot, bus, journal, charger, log)
    return CpParts(made, bus, made.tick, journal.close)
