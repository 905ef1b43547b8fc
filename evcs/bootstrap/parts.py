"""What every process is wired from: its lock, its loop, its name on the bus, its way out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from evcs import __version__
from evcs.adapters import mqtt
from evcs.adapters.account import Account
from evcs.adapters.connection_gate import Gate
from evcs.adapters.files import hold_lock
from evcs.config import Settings
from evcs.core.messages import ServiceStatus
from evcs.core.ports import Log
from evcs.core.topics import Publication, Subscription, decode
from evcs.runtime.loop import LEAVE_WITHIN_S, Loop


def boot() -> str:
    """The id of this process's start."""
    return os.urandom(8).hex()


def births(service: str) -> tuple[ServiceStatus, ServiceStatus]:
    """What a service says at each connection, and what the broker says at its end."""
    own = boot()
    return ServiceStatus(service, True, own, __version__), ServiceStatus(service, False, own)


def hold(settings: Settings, role: str) -> int:
    """The lock of a role, held as long as the process lives. Raises Conflict."""
    return hold_lock(settings.home.lock(role), role)


def loop() -> Loop:
    """The process's loop; SIGTERM and SIGINT end it."""
    made = Loop()
    made.stop_on_signals()
    return made


def bus(
    settings: Settings, loop: Loop, identity: str, subscriptions: Sequence[Subscription],
    will: Publication, decode: Callable[[str, bytes], Any] = decode, *,
    put: Callable[[Any], None] | None = None, log: Log = mqtt.LOG,
    keepalive_s: int = mqtt.KEEPALIVE_S, gate: Gate | None = None,
) -> mqtt.Bus:  # fmt: skip
    """A connection to the broker; its events go into the process's loop, or to `put`."""
    account = Account.of(settings.home, identity, settings.broker)
    if settings.is_joined:  # no kernel tells of a line that is cut
        keepalive_s = min(keepalive_s, mqtt.KEEPALIVE_S)
    return mqtt.Bus(
        loop, account, put or loop.put, subscriptions, will, decode, log, keepalive_s, gate
    )


def leave(loop: Loop, bus: mqtt.Bus) -> None:
    """Have what was said go out, and the will told."""
    bus.stop()
    loop.until(lambda: bus.left, LEAVE_WITHIN_S)
