"""What Central listens to, and what the broker must not keep of it.

A request that the broker kept would come again at each of Central's connections, from who is
gone by then, too. So what is kept where the contract retains nothing is not read, and taken away.
"""

from __future__ import annotations

import logging

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.counts import is_reported
from evcs.core.ports import Bus

STATES = (m.EngineStatus, m.MonitorStatus)
NEVER_KEPT = (
    m.Meter, m.SessionEvent, m.Reply, m.StationRequest, m.ManagerReply, m.GatewayReply,
    m.DriverRequest, m.OperatorRequest, m.MeterPower,
)  # fmt: skip

_log = logging.getLogger("evcs")


def subscriptions() -> list[topics.Subscription]:
    """What Central listens to; its own states, to take away those of CPs that are gone."""
    return [
        topics.subtree("registry"),
        topics.filter_for(m.CpState, own=False),
        topics.filter_for(m.CircuitState, own=False),
        topics.filter_for(m.HostState, own=False),
        *(topics.filter_for(kind) for kind in STATES),
        *(topics.never_kept(kind) for kind in NEVER_KEPT),
        topics.central_status(),
        *map(topics.status_of, ("manager", "gateway")),
    ]


class Strays:
    """Topics on which the broker keeps what nobody is to retain."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._count = 0

    def add(self, topic: str) -> None:
        """The broker keeps something on one more topic."""
        self._topics.add(topic)
        self._count += 1
        if is_reported(self._count):
            _log.warning("retained=%d on %s, where nothing is: not read", self._count, topic)

    def clear(self, bus: Bus) -> None:
        """Take away what is known of."""
        for topic in list(self._topics):
            if bus.publish(topics.clear_stray(topic)):
                self._topics.discard(topic)
