"""Stand-ins that tests pass as arguments: they record what they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from evcs.adapters.clock import timestamp
from evcs.core import topics
from evcs.core.health import EngineAnswer, ProcessFigures


class FakeClock:
    """A clock that a test sets; `wall` is the time of day where it is given."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.wall: str | None = None

    def monotonic(self) -> float:
        """What the test says."""
        return self.now

    def timestamp(self) -> str:
        """What the test says, or now."""
        return self.wall or timestamp()


class FakeBus:
    """A bus that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.flushed: list[Any] = []
        self.dropped = 0
        self.connected = True

    def publish(self, what: Any) -> bool:
        """Keep a message, or what a publication says, if that is the contract's."""
        if isinstance(what, topics.Publication):
            with suppress(topics.Unreadable):
                what = topics.decode(what.topic, what.payload)
        self.said.append(what)
        return True

    def flush(self) -> None:
        """Note what is out now."""
        self.flushed = list(self.said)

    def subscribe(self, more: Sequence[topics.Subscription]) -> None:
        """Nothing comes by itself here."""

    def unsubscribe(self, these: Sequence[topics.Subscription]) -> None:
        """Nor goes."""

    def taken(self) -> list[Any]:
        """What was said since the last call."""
        said, self.said = self.said, []
        return said


class FakeJournal:
    """A journal in memory; who is given the lines of another goes on with them."""

    def __init__(self, lines: list[str] | None = None) -> None:
        self.lines = [] if lines is None else lines
        self.full = self.closed = False

    def last(self, is_record: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """The last line that is a record."""
        found: list[dict[str, Any]] = [json.loads(line) for line in self.lines]
        return next((one for one in reversed(found) if is_record(one)), None)

    def append(self, record: dict[str, Any], sync: bool) -> None:
        """Add a line, if there is room."""
        if self.full or self.closed:
            raise OSError(28, "No space left on device", "journal")
        self.lines.append(json.dumps(record))

    def close(self) -> None:
        """Append no more."""
        self.closed = True


class FakeProbe:
    """A process of Engines that answers what it is given, or hangs."""

    def __init__(self, answers: Mapping[str, EngineAnswer]) -> None:
        self.answers, self.hangs = answers, False
        self.ended = 0
        self.ended_ones: list[str] = []

    def ask(self, within_s: float) -> Mapping[str, EngineAnswer] | None:
        """The answers, at once."""
        return None if self.hangs else self.answers

    def figures(self, within_s: float) -> ProcessFigures | None:
        """Of one that takes a MiB."""
        return None if self.hangs else ProcessFigures(2**20, 1.5)

    def end_one(self, cp: str) -> bool:
        """Note it."""
        self.ended_ones.append(cp)
        return not self.hangs

    def end(self) -> int | None:
        """Count it; it is gone then, as a killed process is."""
        self.ended += 1
        self.hangs = True
        return 4_711
