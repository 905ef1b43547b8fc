"""Stand-ins that tests pass as arguments: they record what they are told."""

from __future__ import annotations

from typing import Any

from evcs.core import topics


class FakeBus:
    """A bus that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.dropped = 0
        self.connected = True

    def publish(self, what: Any) -> bool:
        """Keep a message, or what a publication says."""
        if isinstance(what, topics.Publication):
            what = topics.decode(what.topic, what.payload)
        self.said.append(what)
        return True

    def taken(self) -> list[Any]:
        """What was said since the last call."""
        said, self.said = self.said, []
        return said
