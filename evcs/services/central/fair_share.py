"""What one CP or driver may take of Central's time, so that a flood from one starves no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evcs.core import topics

#: An Engine that supplies says about one thing a second, and a dozen as it connects.
A_SECOND = 100.0
AT_ONCE = 2_000.0
LIMITED = (topics.PREFIX + "cp/", topics.PREFIX + "driver/")


class FairShare:
    """Decodes for a bus; more than its share from one sender is dropped before that."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def __call__(self, topic: str, payload: bytes) -> Any:
        """What a publication says. Raises Unreadable."""
        if topic.startswith(LIMITED) and not self._may("/".join(topic.split("/", 4)[2:4])):
            raise topics.Unreadable("too many from one sender")
        return topics.decode(topic, payload)

    def _may(self, sender: str) -> bool:
        now = self._clock()
        left, at = self._left.get(sender, (AT_ONCE, now))
        left = min(left + (now - at) * A_SECOND, AT_ONCE)
        if left < 1.0:
            self._left[sender] = (left, now)
            return False
        self._left[sender] = (left - 1.0, now)
        return True
