"""A real mosquitto in a home, started, stopped and read by its log."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evcs.adapters import broker_accounts, broker_listeners, mqtt
from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.config import Settings
from evcs.core import ports, topics
from evcs.home import Home
from tests.ports import free
from tests.system_under_test import ROOT, eventually


class Broker:
    """mosquitto on a free port, with the repo's own settings and the home's accounts."""

    def __init__(self, home: Home) -> None:
        self.home = self._home = home
        for folder in (home.path / "conf", home.run / "mosquitto.d", home.log, home.data):
            folder.mkdir(parents=True, exist_ok=True)
        for name in ("mosquitto.conf", "conf/mosquitto.acl"):
            shutil.copyfile(ROOT / name, home.path / name)
        self.port = free(1)[0]
        self._log = home.log / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        broker_listeners.write(Settings(home, mqtt_port=self.port), 4096, 0)

    @property
    def pid(self) -> int:
        """The running broker's pid."""
        assert self._process is not None
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """Where it writes its log."""
        return self._log

    @property
    def socket(self) -> Path:
        """Where our own processes reach it."""
        return self._home.broker_socket

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", "mosquitto.conf"], cwd=self._home.path, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        eventually("the broker listens", self._listens, 10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def accounts(self, accounts: dict[str, str]) -> None:
        """Put these in place of the accounts that it knows."""
        broker_accounts.write(self._home, accounts)
        self.hup()

    def hup(self) -> None:
        """Have it read its accounts."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    stop = kill

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text(errors="replace")

    def publish(self, identity: str, password: str, topic: str, payload: bytes) -> None:
        """Say something as that identity."""
        subprocess.run(
            ["mosquitto_pub", "-p", str(self.port), "-u", identity, "-P", password, "-t", topic,
             "-q", "1", "-s"],
            input=payload, check=True, capture_output=True, timeout=10,
        )  # fmt: skip


class Events:
    """An inbox that can be asked what came."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def put(self, event: Any) -> None:
        """What a bus calls."""
        self.all.append(event)

    def of(self, kind: type) -> list[Any]:
        """Events of that kind so far."""
        return [event for event in self.all if isinstance(event, kind)]

    def wait(self, kind: type, count: int = 1) -> list[Any]:
        """Until so many of that kind came."""
        return list(
            eventually(
                f"{count} {kind.__name__}",
                lambda: found if len(found := self.of(kind)) >= count else None,
                20,
                every_s=0.01,
            )
        )

    def messages(self) -> list[Any]:
        """What was received."""
        return [event.message for event in self.of(ports.Received)]


class Listeners:
    """Buses of several identities, and who of them was dropped."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._events: dict[str, Events] = {}
        self._buses: list[mqtt.Bus] = []

    def add(
        self, identity: str, password: str, subscriptions: Sequence[topics.Subscription] = (),
        will: topics.Publication | None = None,
    ) -> tuple[BusThread, Events]:  # fmt: skip
        """Connect one more, and wait until it is."""
        events = self._events[identity] = Events()
        account = Account(self._broker.socket, identity, lambda: password)
        bus = BusThread(account, events.put, subscriptions, will)
        self._buses.append(bus)
        bus.start()
        events.wait(ports.Connected)
        return bus, events

    def lost(self) -> set[str]:
        """Who was disconnected."""
        return {who for who, events in self._events.items() if events.of(ports.Disconnected)}

    def stop(self) -> None:
        """End all connections."""
        for bus in self._buses:
            bus.stop()
