"""What hosts report that can't be read: it is not kept, and who goes on with it is shut out.

A host reports below `manager/<host>/cp/`, where the broker takes any name and length from it and
keeps them.
"""

from __future__ import annotations

from collections.abc import Callable

from evcs.core import said, topics
from evcs.core.identities import of_host
from evcs.core.messages import Cleared, Message
from evcs.core.placement import MAIN
from evcs.core.ports import Stray
from evcs.core.shares import Shares


class Unread:
    """Decodes for the Registry's bus; `put` has its loop take a Stray away."""

    def __init__(self, monotonic: Callable[[], float], put: Callable[[Stray], object]) -> None:
        self._put = put
        self._shares = Shares(monotonic, said.FLOOD_AT_ONCE, said.FLOOD_A_SECOND)
        self._floods: dict[str, str] = {}

    def __call__(self, topic: str, payload: bytes) -> Message | Cleared:
        """What a publication says. Raises Unreadable."""
        try:
            return said.decode_short(topic, payload)
        except topics.Unreadable:
            who, of = topics.sender(topic)
            if who[0] == "manager" and of[0] == "cp":
                self._dropped("/".join(who), topic, payload)
            raise

    def floods(self) -> dict[str, str]:
        """Who has said too much of it since the last look -> of what."""
        found, self._floods = self._floods, {}
        return found

    def _dropped(self, identity: str, topic: str, payload: bytes) -> None:
        if payload:  # ours, that takes one away, is none
            self._put(Stray(topic))
        if identity != of_host(MAIN) and not self._shares.take(identity, said.cost(payload)):
            self._floods[identity] = "reports"
