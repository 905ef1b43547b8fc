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

    def say(self, message: Any) -> bool:
        """Keep a message."""
        self.said.append(message)
        return True

    def publish(self, publication: topics.Publication) -> bool:
        """Keep what a publication says."""
        return self.say(topics.decode(publication.topic, publication.payload))

    def taken(self) -> list[Any]:
        """What was said since the last call."""
        said, self.said = self.said, []
        return said
