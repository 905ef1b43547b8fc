"""The gateway: a WebSocket server for chargers, and both roles of each CP that one of them is."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from evcs.adapters import engine_health, heartbeat
from evcs.adapters.connection_gate import CONNECT_AT_ONCE, Gate
from evcs.adapters.log import NamedLog
from evcs.adapters.mqtt import CP_KEEPALIVE_S
from evcs.adapters.ocpp_schemas import OcppSchemas
from evcs.adapters.ocpp_server import Server
from evcs.adapters.pool_files import MemberFile
from evcs.adapters.pool_journal import PoolJournals
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.server_tls import ChargersTls
from evcs.adapters.spool import Spool
from evcs.adapters.steady_clock import SteadyClock
from evcs.adapters.transaction_numbers import TransactionNumbers
from evcs.bootstrap import parts
from evcs.bootstrap.members import member
from evcs.config import Settings
from evcs.core import topics
from evcs.core.health import EngineAnswer
from evcs.core.identities import of_next, of_station
from evcs.core.messages import StationAnswer
from evcs.core.ocpp.ports import AccessRefusal
from evcs.core.placement import MAIN
from evcs.core.pools import GATEWAY
from evcs.runtime import asyncio_host
from evcs.runtime.loop import Loop
from evcs.runtime.pool import CpParts, CpRuntime, Pool, Put, Together
from evcs.services import engine as engine_role
from evcs.services import monitor as monitor_role
from evcs.services.gateway.connector import Connector
from evcs.services.gateway.outside import ConnectorOutside
from evcs.services.gateway.parts import GatewayParts
from evcs.services.gateway.parts import subscriptions as of_gateway
from evcs.services.gateway.service import Gateway
from evcs.services.gateway.voice import FromMonitor, Voice

LOOK_EVERY_S = 1.0


class _Process:
    """All of the gateway's process."""

    def __init__(self, settings: Settings, name: str) -> None:
        home = settings.home
        self._settings, self._log = settings, NamedLog(name)
        self._loop: Loop = parts.loop()
        self._gate = Gate(self._loop, CONNECT_AT_ONCE)
        self._journals = PoolJournals(home.pool_journal(name), self._loop.call_first, self._log)
        self._numbers = TransactionNumbers(home.transaction_number)
        self._steady = SteadyClock()
        self._file = MemberFile(home.member_file(name))
        birth, death = parts.births(f"gateway/{MAIN}")
        self._bus = parts.bus(
            settings, self._loop, f"gateway/{MAIN}", of_gateway(MAIN),
            topics.encode(death, None), put=lambda event: self._gateway.hear(event),
        )  # fmt: skip
        self._pool: Pool[Connector] = Pool(self._loop, self._runtime, self._members)
        secrets = SecretFiles(home)
        self._gateway = Gateway(MAIN, birth, GatewayParts(
            self._bus, lambda cp: self._pool.do(cp, lambda role: role),
            lambda station: _keys(secrets, station), self._pool.look,
            self._numbers.next, _now, Spool.open(home.spool("gateway")).tell,
        ))  # fmt: skip
        engine_health.listen(
            self._loop, home.pool_socket(name, "gateway"), self._answer, self._log, self._pool.end
        )

    async def run(self) -> None:
        """Until told to stop."""
        home = self._settings.home
        server = Server(
            self._gateway.access, self._gateway, lambda: self._gateway.available, OcppSchemas(),
            host=self._settings.ocpp_listen, port=self._settings.ocpp_port,
            ssl=ChargersTls(home).listener(self._refused) if self._settings.ocpp_tls else None,
        )  # fmt: skip
        self._bus.start()
        self._pool.look()
        await server.start()
        await asyncio_host.run(self._loop, self._pool.on_changed, self._tick, heartbeat.beat)
        await server.stop()
        self._pool.leave()
        parts.leave(self._loop, self._bus)
        self._journals.close()

    def _members(self) -> list[str] | None:
        """Whom the file names, once the bus has told which connectors they are."""
        found = self._file.members()
        if found is None:
            return None
        return [cp for cp in found if self._gateway.place(cp) is not None]

    def _runtime(self, cp: str) -> CpRuntime[Connector]:
        def make(log: NamedLog, put: Put, held: ExitStack) -> CpParts[Connector]:
            held.callback(self._journals.give_back, cp, log)
            return self._connector(cp, log, put)

        return member(self._settings, self._loop, cp, "engine", make, "monitor")

    def _connector(self, cp: str, log: NamedLog, put: Put) -> CpParts[Connector]:
        boot, place = parts.boot(), self._gateway.place(cp)
        assert place is not None, "it is a member for that"
        bus = partial(
            parts.bus, self._settings, self._loop, log=log, keepalive_s=CP_KEEPALIVE_S,
            gate=self._gate,
        )  # fmt: skip
        heard = engine_role.subscriptions(cp, StationAnswer)
        engine = bus(f"cp/{cp}/engine", heard, engine_role.will(cp, boot), put=put)
        monitor = bus(
            f"cp/{cp}/monitor", (), monitor_role.will(cp, boot),
            put=lambda event: put(FromMonitor(event)),
        )  # fmt: skip
        voice = Voice(cp, boot, engine, monitor)
        outside = ConnectorOutside(
            voice, self._journals.of(cp), self._numbers.next, _now, self._steady.now, log
        )
        made = Connector(place, outside)
        self._loop.call_soon(self._gateway.joined, cp)
        return CpParts(made, Together(engine, monitor), made.tick, made.close)

    def _answer(self) -> dict[str, EngineAnswer]:
        self._pool.look()
        return self._pool.each(Connector.health)

    def _tick(self, _now: float) -> float:
        self._pool.look()
        self._gateway.look()
        return LOOK_EVERY_S

    def _refused(self) -> None:
        """In a TLS handshake, which does not know whose."""
        self._gateway.refused("unknown", AccessRefusal.CERTIFICATE)


def run_gateway(settings: Settings, name: str) -> None:
    """Be the gateway until told to stop."""
    _lock = parts.hold(settings, f"{name}.gateway")
    heartbeat.begin(settings.home.alive(GATEWAY))
    process = _Process(settings, name)
    asyncio.run(process.run())


def _keys(secrets: SecretFiles, station: str) -> tuple[str, ...]:
    """The station's passwords, the next one last. Raises EvcsError."""
    following = secrets.find(of_next(station))
    return (secrets.read(of_station(station)), *filter(None, [following]))


def _now() -> datetime:
    return datetime.now(UTC)
