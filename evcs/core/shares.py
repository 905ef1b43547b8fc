"""Shares: so much at once for each sender, and so much more each second."""

from __future__ import annotations

from collections.abc import Callable


class Shares:
    """What each sender has left. `clock`: monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], at_once: float, a_second: float) -> None:
        self._clock, self._at_once, self._a_second = clock, at_once, a_second
        self._left: dict[str, tuple[float, float]] = {}

    def left(self, sender: str) -> float:
        """How much that is now."""
        return self._look(sender)[0]

    def give(self, sender: str, amount: float) -> None:
        """Let the sender have so much more."""
        left, now = self._look(sender)
        self._left[sender] = min(left + amount, self._at_once), now

    def take(self, sender: str, cost: float = 1.0) -> bool:
        """Whether the sender had that much left; then it is gone."""
        left, now = self._look(sender)
        enough = left >= cost
        self._left[sender] = (left - cost if enough else left), now
        return enough

    def _look(self, sender: str) -> tuple[float, float]:
        """What is left, and when that is."""
        now = self._clock()
        left, at = self._left.get(sender, (self._at_once, now))
        return min(left + (now - at) * self._a_second, self._at_once), now
