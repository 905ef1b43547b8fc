"""Inside supervisord, at its ticks: ends a service that hangs, so that it is started anew.

So it does a CP's process that is stopped, where its other one can't, being stopped as well.

It never waits, and what goes wrong in it is logged: supervisord has to go on. systemd is told
that supervisord turns, where that has started it.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from functools import partial

from evcs.adapters import processes
from evcs.adapters.broker_pulse import IDENTITY, BrokerPulse
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.supervisord_inside import Inside
from evcs.config import notify_socket
from evcs.core import pulse
from evcs.core.errors import EvcsError
from evcs.core.ids import RESERVED
from evcs.core.pools import GATEWAY, OCPP
from evcs.home import Home

BROKER = "mosquitto"
#: Whose sign is the watchdog's.
OWN = "watchdog"
#: Service -> its group and process of supervisord's.
WATCHED = {**{name: (name, name) for name in RESERVED}, GATEWAY: (OCPP, GATEWAY)}
_GROUPS = frozenset(unit for unit, _ in WATCHED.values())


class Watchdog:
    """`clock`: monotonic seconds."""

    def __init__(self, inside: Inside, home: Home, clock: Callable[[], float]) -> None:
        self._inside, self._home, self._clock = inside, home, clock
        self._broker = BrokerPulse(home.broker_socket, lambda: SecretFiles(home).read(IDENTITY))
        self._pulses: dict[str, pulse.Pulse] = {}
        #: Pid -> at how many looks in a row it was stopped, of CPs' processes.
        self._stopped: dict[int, int] = {}
        self._looked_at = 0.0

    def tick(self) -> None:
        """Look at each service."""
        now = self._clock()
        telling = pulse.in_time(now - self._looked_at)
        self._looked_at = now
        _notify_systemd()
        for name in sorted(WATCHED):
            self._try(name, partial(self._look, name, telling))
        if telling:
            self._try("a CP", self._end_stopped)

    def _try(self, name: str, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as error:  # noqa: BLE001
            self._inside.log(f"watchdog: {name} can't be looked at: {error!r}")

    def _end_stopped(self) -> None:
        before, self._stopped = self._stopped, {}
        for name, members in self._inside.groups():
            for process in members if name not in _GROUPS else ():
                pid = process.pid
                if not pid or not processes.is_stopped(pid):
                    continue
                self._stopped[pid] = before.get(pid, 0) + 1
                if self._stopped[pid] >= pulse.STOPPED_LOOKS:
                    self._inside.log(
                        f"watchdog: {name} (pid {pid}) was stopped; it is started anew"
                    )
                    process.signal(signal.SIGKILL)

    def _look(self, name: str, telling: bool) -> None:
        process = self._inside.running(*WATCHED[name])
        if process is None:
            self._pulses.pop(name, None)
            return
        seen = self._see(name, process.pid)
        if not telling:
            return
        found = self._pulses[name] = pulse.look(self._pulses.get(name), seen)
        if why := pulse.hangs(found, seen):
            self._inside.log(
                f"watchdog: {name} (pid {process.pid}) hangs: {why}; it is started anew"
            )
            process.signal(signal.SIGKILL)

    def _see(self, name: str, pid: int) -> pulse.Seen:
        found = processes.stat(pid)
        return pulse.Seen(pid, self._sign(name), found.state, found.cpu_s)

    def _sign(self, name: str) -> int | None:
        try:
            if name == BROKER:
                # Without its settings, as where run/ was moved away, it could not be started anew.
                return self._broker.sign() if self._home.broker_listeners.exists() else None
            # Where the disk takes no sign of ours there is none of anybody.
            self._home.alive(OWN).touch(0o600)
            return self._home.alive(name).stat().st_mtime_ns
        except (OSError, EvcsError):
            return None


def _notify_systemd() -> None:
    address = notify_socket()
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        try:
            sender.sendto(b"WATCHDOG=1", address.replace("@", "\0", 1))
        except OSError:
            return  # told again at the next tick


def begin(inside: Inside) -> None:
    """Look at the services of this supervisord from now on; none of them has begun yet."""
    notify_socket()
    inside.at_ticks(Watchdog(inside, Home(inside.home), time.monotonic).tick)
