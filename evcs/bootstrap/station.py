"""The Engine of a CP that is a charging station of a back end.

Imported where a CP has one: what it needs of WebSockets, TLS and schemas others do not have.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from evcs import __version__
from evcs.adapters import back_end_tls
from evcs.adapters.connection_gate import Gate
from evcs.adapters.log import NamedLog
from evcs.adapters.mqtt import CP_KEEPALIVE_S
from evcs.adapters.ocpp_client import Client
from evcs.adapters.ocpp_link import Target
from evcs.adapters.ocpp_schemas import OcppSchemas
from evcs.adapters.secret_files import SecretFiles
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.core import back_ends
from evcs.core.back_ends import BackEndOf
from evcs.core.charger import EmulatedCharger
from evcs.core.identities import of_backend, of_backend_ca, of_backend_certificate
from evcs.core.messages import StationAnswer
from evcs.core.ocpp.rules import Version
from evcs.core.ocpp.station_16 import Dialect16
from evcs.core.ocpp.station_201 import Dialect201
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Dialect, Identity
from evcs.core.ports import JournalStore
from evcs.home import Home
from evcs.runtime.loop import Loop
from evcs.runtime.pool import CpParts, Put, Together
from evcs.services.engine import subscriptions, will
from evcs.services.station.engine import StationEngine
from evcs.services.station.outside import StationOutside

#: Compiled schemas, for all stations of the process.
_SCHEMAS = OcppSchemas()


def station(
    settings: Settings, loop: Loop, cp: str, journal: JournalStore, log: NamedLog, put: Put,
    gate: Gate | None = None,
) -> CpParts[StationEngine]:  # fmt: skip
    """An Engine that dials its back end, with its own name on the bus."""
    boot, of = parts.boot(), _read(settings.home, cp)
    bus = parts.bus(
        settings, loop, f"cp/{cp}/engine", subscriptions(cp, StationAnswer), will(cp, boot),
        put=put, log=log, keepalive_s=CP_KEEPALIVE_S, gate=gate,
    )  # fmt: skip
    target = _target(settings.home, cp, of)
    client = Client(loop, target, put)
    outside = StationOutside(
        boot, os.urandom(4).hex(), bus, client, journal, EmulatedCharger(settings.time_scale),
        _SCHEMAS, _dialect(of, target), _now,
        lambda: _read(settings.home, cp).max_power_w, log, of.token,
    )  # fmt: skip
    made = StationEngine(cp, outside)
    return CpParts(made, Together(bus, client), made.tick, journal.close)


def _read(home: Home, cp: str) -> BackEndOf:
    return back_ends.parse(home.back_end(cp).read_bytes())


def _dialect(of: BackEndOf, target: Target) -> Dialect:
    who = Identity("evcs", "emulated", of.ocpp_id, __version__, target.security_profile)
    return Dialect201(who) if _version(of) is Version.V201 else Dialect16(who)


def _version(of: BackEndOf) -> Version:
    return Version(f"ocpp{of.ocpp}")


def _target(home: Home, cp: str, of: BackEndOf) -> Target:
    password = SecretFiles(home).find(of_backend(cp)).encode() or None
    tls, ca, mine = None, home.secret(of_backend_ca(cp)), home.secret(of_backend_certificate(cp))
    if of.url.startswith("wss:"):
        tls = back_end_tls.context(
            ca if ca.exists() else None, mine if mine.exists() else None, home.ca
        )
    certified = tls is not None and mine.exists()
    return Target(of.dialled(), [_version(of)], of.ocpp_id, password, tls, certified)


def _now() -> At:
    return At(time.monotonic(), datetime.now(UTC))
