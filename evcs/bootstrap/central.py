"""Central."""

from __future__ import annotations

from evcs.adapters import clock, heartbeat
from evcs.adapters.broker_log import STARTS, BrokerLines
from evcs.adapters.ledger import Ledger
from evcs.adapters.log_tailer import LogTailer
from evcs.adapters.spool import SPOOLS, SpoolReader
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.core import ports, topics
from evcs.core.patience import Patience
from evcs.services.central import auditor, listening, service
from evcs.services.central.fair_share import FairShare
from evcs.services.central.retention import Keep, Retention


def run_central(settings: Settings) -> None:
    """Be Central until told to stop."""
    _lock = parts.hold(settings, "central")
    loop = parts.loop()
    birth, death = parts.births("central")
    share = FairShare(clock.monotonic, lambda flood: loop.put(ports.Received(flood, False)))
    bus = parts.bus(
        settings, loop, "central", listening.subscriptions(), topics.encode(death, None), share
    )
    ledger, clocks = Ledger(settings.home.ledger_db), clock.SystemClock()
    log = settings.home.log / "mosquitto.log"
    sources = auditor.Sources(
        lambda cursor: LogTailer(log, lambda whole: BrokerLines(whole).parse_line, cursor, STARTS),
        {name: SpoolReader(settings.home.spool(name)) for name in SPOOLS},
    )
    patience = Patience(
        settings.ocpp_keep_interrupted_h * 3_600.0, float(settings.hosts_keep_interrupted_s)
    )
    keep = Keep(
        settings.keep_sessions_days, settings.keep_audit_days, settings.keep_readings_days
    )  # fmt: skip
    central = service.Central(
        bus, ledger, clocks, birth, sources, share.asked, patience, keep.readings_days > 0
    )
    retention = Retention(ledger, keep, clocks)

    def tick(now: float) -> float:
        retention.look(now)
        return central.tick(now)

    bus.start()
    loop.run(central.handle, tick, heartbeat.beat)
    parts.leave(loop, bus)
    ledger.close()
