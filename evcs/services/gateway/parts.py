"""What the gateway works with, and what it listens to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.ports import Bus
from evcs.services.gateway.connector import Connector


class GatewayParts(NamedTuple):
    """What it works with.

    `connector(cp)`: the CP's role, None while it is not there. `keys(station)`: its passwords,
    which may raise EvcsError. `look`: members may be others. `number()`, `now()`: as a
    ConnectorOutside has them. `audit(who, what, outcome, detail)`.
    """

    bus: Bus
    connector: Callable[[str], Connector | None]
    keys: Callable[[str], tuple[str, ...]]
    look: Callable[[], object]
    number: Callable[[], int]
    now: Callable[[], datetime]
    audit: Callable[[str, str, str, str], object]


def subscriptions(host: str) -> list[topics.Subscription]:
    """What the gateway listens to."""
    return [
        topics.filter_for(m.DesiredCp),
        topics.filter_for(m.DesiredStation),
        topics.filter_for(m.GatewayCommand, host=host),
        topics.filter_for(m.ServiceStatus, service="registry"),
        topics.filter_for(m.ServiceStatus, service=f"gateway/{host}"),
    ]
