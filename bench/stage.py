"""A real broker and a real Central alone; the benchmark speaks as everybody else."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.ours import WITHIN_S, quiet
from evcs.adapters import broker_accounts, mqtt
from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.adapters.secret_files import SecretFiles
from evcs.cli import prepare
from evcs.cli.bus_probe import wait_for_broker
from evcs.cli.temporary_system import temporary_system
from evcs.config import Settings
from evcs.core import identities, ports, topics, units
from evcs.core import messages as m

#: An identity that this home's access list lets say and hear everything.
WHO = "bench"
BOOT = "0123456789abcdef"


class Stage:
    """`cps` charging points as the Registry and their processes would tell them."""

    def __init__(self, settings: Settings, cps: int) -> None:
        self.settings, self.cps = settings, [f"CP-{n:03d}" for n in range(1, cps + 1)]
        home = settings.home
        prepare.prepare(settings, quiet)
        names = (*identities.SERVICES, WHO)
        broker_accounts.write(home, {who: SecretFiles(home).ensure(who) for who in names})
        with home.access.open("a") as file:
            file.write(f"\nuser {WHO}\ntopic readwrite evcs/v1/#\n")
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> int:
        """Start both and tell Central of the fleet; Central's pid."""
        self._run("mosquitto", "-c", "mosquitto.conf")
        wait_for_broker(self.settings.home, WITHIN_S)
        pid = self._run(sys.executable, "-P", "-m", "evcs", "central")
        with self.voice([topics.filter_for(m.CpState)]) as (bus, inbox):
            for number, cp in enumerate(self.cps):
                bus.publish(desired(cp, number + 1))
                bus.publish(m.EngineStatus(cp, True, BOOT))
                bus.publish(m.MonitorStatus(cp, True, BOOT, "ok"))
            bus.publish(m.ServiceStatus("registry", True, BOOT, "bench"))
            missing = set(self.cps)
            while missing:
                event = inbox.get(timeout=WITHIN_S)
                if isinstance(event, ports.Received) and isinstance(event.message, m.CpState):
                    missing.discard(event.message.cp)
        return pid

    @property
    def log(self) -> Path:
        """What both wrote."""
        return self.settings.home.log / "stage.log"

    def _run(self, *words: str) -> int:
        home = self.settings.home
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                words, cwd=home.path, env=prepare.environment(self.settings), stdout=log,
                stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._processes.append(process)
        return process.pid

    @contextmanager
    def voice(
        self, wanted: list[topics.Subscription]
    ) -> Iterator[tuple[mqtt.Bus, queue.SimpleQueue[Any]]]:
        """A connection of who may do everything here, and its inbox, for the length of a block."""
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with BusThread(Account.of(self.settings.home, WHO), inbox.put, wanted) as bus:
            yield bus, inbox

    def close(self) -> None:
        """End what was started."""
        for process in self._processes:
            process.kill()
            process.wait()


def desired(cp: str, revision: int) -> m.DesiredCp:
    """A CP as the Registry tells it."""
    return m.DesiredCp(
        cp, cp, "in", units.DEFAULT_PRICE_EUR_KWH, units.DEFAULT_MAX_POWER_W, "", "main", False,
        False, revision,
    )  # fmt: skip


@contextmanager
def stage(cps: int) -> Iterator[Stage]:
    """A stage that is not started yet, its home ready."""
    with temporary_system(1.0) as settings:
        made = Stage(settings, cps)
        try:
            yield made
        finally:
            made.close()
