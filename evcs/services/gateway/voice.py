"""What a CP's Engine and Monitor say on the bus of a charger's connector."""

from __future__ import annotations

from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core.health import EngineHealth
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.readings import ChargerReading
from evcs.core.ports import Bus
from evcs.core.supply import SupplyPhase

#: Words of a connector with a car.
PLUGGED = frozenset(
    {"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Occupied"}
)
_PHASES = {
    t.Phase.REMOTE: SupplyPhase.IDLE,
    t.Phase.ASKED: SupplyPhase.SUPPLYING,
    t.Phase.SUPPLYING: SupplyPhase.SUPPLYING,
    t.Phase.ENDED: SupplyPhase.ENDED,
}


class ConnectorSeen(NamedTuple):
    """What is known of a connector. `online`: its charger is there; `status`: its own word.

    `service`: "in" or "out", as it has confirmed it in this connection; so are `limit_w`, the most
    that it takes now, and `fallback_w`. `limit_error`: why it has not taken the last one.
    """

    online: bool = False
    status: str | None = None
    fault: str | None = None
    central: bool | None = None
    service: str | None = None
    limit_w: int | None = None
    fallback_w: int | None = None
    limit_error: str | None = None


class FromMonitor(NamedTuple):
    """What the Monitor's connection has to say."""

    event: Any


class Voice:
    """The two connections of a CP, and what goes over them."""

    def __init__(self, cp: str, boot: str, engine: Bus, monitor: Bus) -> None:
        self._cp, self._boot, self._engine, self._monitor = cp, boot, engine, monitor

    def ask(self, asked: m.StationRequest) -> None:
        """Ask Central."""
        self._engine.publish(asked)

    def reply(self, cmd: m.Command, error: str | None) -> None:
        """The answer to a command."""
        self._engine.publish(m.Reply(self._cp, cmd.id, error is None, error))

    def begun(self, one: t.Transaction) -> None:
        """A charge goes on, as far as is known."""
        if one.phase == t.Phase.SUPPLYING and one.live and one.session_id is not None:
            self._engine.publish(
                m.SessionEvent(self._cp, "started", one.session_id, one.seq, one.energy_wh)
            )

    def ended(self, one: t.Transaction) -> None:
        """A charge has ended, whose session is known."""
        assert one.session_id is not None
        self._engine.publish(
            m.SessionEvent(self._cp, "ended", one.session_id, one.seq, one.energy_wh, one.reason)
        )

    def reading(self, one: t.Transaction, reading: ChargerReading, limit_w: int | None) -> None:
        """A reading of the charge under way, unless it says neither energy nor power."""
        unknown = reading.power_w is None and reading.register_wh is None
        if one.session_id is None or not one.live or unknown:
            return
        volts, amps, power_w = (
            reading.voltage_v or 0.0,
            reading.current_a or 0.0,
            reading.power_w or 0,
        )
        self._engine.publish(
            m.Meter(
                self._cp, one.session_id, one.seq, one.energy_wh, power_w, volts, amps, limit_w
            )
        )  # fmt: skip

    def engine(self, seen: ConnectorSeen, one: t.Transaction | None) -> None:
        """The Engine's status; `one`: the charge that it holds."""
        self._engine.publish(
            m.EngineStatus(
                self._cp, seen.online, self._boot,
                SupplyPhase.IDLE if one is None else _PHASES[t.Phase(one.phase)],
                seen.status in PLUGGED, one and one.session_id, seen.fault, seen.central,
                seen.limit_w, seen.fallback_w, limit_error=seen.limit_error,
            )
        )  # fmt: skip

    def monitor(self, seen: ConnectorSeen) -> None:
        """The Monitor's status."""
        engine = EngineHealth.KO if seen.fault is not None else EngineHealth.OK
        self._monitor.publish(
            m.MonitorStatus(
                self._cp,
                seen.online,
                self._boot,
                engine,
                None,
                seen.fault,
                seen.status,
                seen.service,
            )
        )
