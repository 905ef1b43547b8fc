"""What one CP, driver, meter or other host may take of Central's time: no flood starves others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evcs.core import topics
from evcs.core.identities import of_host
from evcs.core.messages import Command, DriverRequest, Flood, ManagerCommand
from evcs.core.placement import MAIN
from evcs.core.said import A_DROPPED, FLOOD_A_SECOND, FLOOD_AT_ONCE, LIMITED, cost, decode_short
from evcs.core.shares import Shares
from evcs.services.central.pages import PAGED

#: An Engine that supplies says about one thing a second, and a dozen as it connects.
A_SECOND = 100.0
AT_ONCE = 2_000.0
#: A page is answered with up to 48 KiB, which takes as long as so many other messages.
A_PAGE = 20.0
#: A longer one counts as several; 60 kB of JSON can take 10 ms.
A_MESSAGE = 512
#: What an Engine says of a charge that is begun and ended at once, whoever asked for that.
A_CHARGE = 10.0
#: The longest that a host's CP Manager is asked for, such as a page of a log.
AN_ANSWER = 1.0 + topics.MAX_PACKET // A_DROPPED
TELL_EVERY_S = 10.0
OURS = of_host(MAIN)


class FairShare:
    """Decodes for a bus; what is more than a sender's share is dropped.

    `on_flood` is called, now and then, for an identity that says more than can be read.
    """

    def __init__(self, clock: Callable[[], float], on_flood: Callable[[Flood], object]) -> None:
        self._shares = Shares(clock, AT_ONCE, A_SECOND)
        self._floods = Shares(clock, FLOOD_AT_ONCE, FLOOD_A_SECOND)
        self._reports = Shares(clock, 1.0, 1.0 / TELL_EVERY_S)
        self._on_flood = on_flood

    def __call__(self, topic: str, payload: bytes) -> Any:
        """What a publication says. Raises Unreadable."""
        levels, _ = topics.sender(topic)
        identity = "/".join(levels)
        if levels[0] not in LIMITED or identity == OURS:
            return topics.decode(topic, payload)
        if not self._floods.take(identity, cost(payload)):
            if self._reports.take(identity):
                self._on_flood(Flood(identity))
            raise topics.Unreadable("a flood")
        if levels[0] == "manager":  # what it sends of logs is long
            return topics.decode(topic, payload)
        sender = "/".join(levels[:2])
        if len(payload) <= topics.MAX_SAID:
            self._take(sender, 1.0 + len(payload) // A_MESSAGE)
        found = decode_short(topic, payload)
        if isinstance(found, DriverRequest) and found.verb in PAGED:
            self._take(sender, A_PAGE - 1.0)
        return found

    def asked(self, command: Command | ManagerCommand) -> None:
        """Central has an Engine begin a charge, or asks a host: what comes of it is no flood."""
        if isinstance(command, ManagerCommand):
            self._floods.give(of_host(command.host), AN_ANSWER)
        else:
            self._shares.give(f"cp/{command.cp}", A_CHARGE)
            self._floods.give(f"cp/{command.cp}/engine", A_CHARGE)

    def _take(self, sender: str, cost: float) -> None:
        if not self._shares.take(sender, cost):
            raise topics.Unreadable("too many from one sender")
