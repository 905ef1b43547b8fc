"""How often a station begins a charge: whoever asks for it, it is one of many in its process."""

from __future__ import annotations

from collections import deque

#: So many charges begin in so many seconds.
MOST_BEGINS, WITHIN_S = 20, 60.0
#: What waits is kept whole at each change, and begins and ends are never dropped.
MOST_WAITING = 400
NO_ROOM, TOO_OFTEN = "no room", "too often"


class Begins:
    """The latest of one station, by the monotonic clock."""

    def __init__(self) -> None:
        self._at: deque[float] = deque(maxlen=MOST_BEGINS)

    def add(self, now: float) -> None:
        """One has begun."""
        self._at.append(now)

    def hinder(self, waiting: int, now: float) -> str:
        """Why none may begin, "" where one may. `waiting`: messages that the back end has not."""
        if waiting >= MOST_WAITING:
            return NO_ROOM
        often = len(self._at) == MOST_BEGINS and now - self._at[0] < WITHIN_S
        return TOO_OFTEN if often else ""
