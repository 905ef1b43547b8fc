"""What the Registry works with, and what it listens to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.ports import AuditSpool, Bus, Clock
from evcs.core.registry_ports import BrokerAccounts, DesiredStore, SecretStore
from evcs.services.registry.room import CheckRoom
from evcs.services.registry.senders import STATUS_KINDS


class RegistryPorts(NamedTuple):
    """What the Registry works on.

    `hold_broker` keeps the broker to what so many CPs need; `new_token` names a placement;
    `check_room(there, more)` raises NoRoom where the machine doesn't carry so many more CPs;
    `floods()`: of whom there has just come to be too much on the bus -> too much of what.
    """

    bus: Bus
    store: DesiredStore
    secrets: SecretStore
    broker: BrokerAccounts
    spool: AuditSpool
    clock: Clock
    hold_broker: Callable[[int], object]
    new_token: Callable[[], str]
    check_room: CheckRoom
    floods: Callable[[], Mapping[str, str]]


def subscriptions() -> list[topics.Subscription]:
    """What the Registry listens to."""
    return [
        *(topics.filter_for(kind) for kind in STATUS_KINDS),
        topics.filter_for(m.ReconcileReport),
        topics.status_of("manager"),
        topics.filter_for(m.DesiredHost, own=False),
        topics.filter_for(m.StationStatus),
        topics.filter_for(m.Flood),
    ]
