"""What a station does beside charging, by its states: firmware that it takes, files that it sends.

Nothing is fetched and nothing sent: no address is opened. A job's states come one after the other,
each in its time, and are told in their order. None outlives the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from evcs.core.ocpp.station_calls import At

#: How long a file takes to come or go, and to be installed.
TRANSFER_S, INSTALL_S = 10.0, 20.0
FIRMWARE, LOG = "firmware", "log"
IDLE = "Idle"


class JobStep(NamedTuple):
    """A state. It lasts for so long; `at`: not before then; `free`: not while it charges; `event`:
    the security event that it is, if it is one."""

    status: str
    lasts_s: float = 0.0
    at: datetime | None = None
    free: bool = False
    event: str = ""


class Job(NamedTuple):
    """`action` tells its states, each with `payload`."""

    action: str
    payload: dict[str, Any]
    steps: Sequence[JobStep]


class Jobs:
    """One station's, one of each kind at a time. `untold`: messages, the oldest first."""

    def __init__(self) -> None:
        self._now: dict[str, _Running] = {}
        self.untold: deque[tuple[str, dict[str, Any]]] = deque()

    def begin(self, kind: str, job: Job, at: At) -> bool:
        """Do it; whether another of its kind is given up for it."""
        before = kind in self._now
        self._now[kind] = _Running(job, at.clock)
        return before

    def status(self, kind: str) -> str:
        """The state of a kind now."""
        return self._now[kind].status if kind in self._now else IDLE

    def request(self, kind: str) -> dict[str, Any]:
        """What is told with the state of a kind besides."""
        return self._now[kind].job.payload if kind in self._now else {}

    def tick(self, at: At, charging: bool) -> list[str]:
        """Go on; the security events that come of it."""
        events = []
        for kind, one in list(self._now.items()):
            for step in one.tick(at, charging):
                self.untold.append((one.job.action, {"status": step.status, **one.job.payload}))
                events += [step.event] if step.event else []
            if one.is_over:
                del self._now[kind]
        return events

    def told(self) -> None:
        """The oldest message is answered."""
        self.untold.popleft()

    @property
    def due(self) -> float | None:
        """When to tick, by the monotonic clock."""
        return min((one.due for one in self._now.values()), default=None)


class _Running:
    def __init__(self, job: Job, now: float) -> None:
        self.job, self.status, self.due = job, IDLE, now
        self._left = deque(job.steps)

    def tick(self, at: At, charging: bool) -> list[JobStep]:
        """The states that it is in since."""
        found = []
        while self._left and at.clock >= self.due:
            step = self._left[0]
            late_s = 0.0 if step.at is None else (step.at - at.wall).total_seconds()
            if late_s > 0 or (step.free and charging):
                # A clock may be set, and a charge may end, at any moment.
                self.due = at.clock + (min(max(late_s, 0.05), 60.0) if late_s > 0 else 1.0)
                break
            found.append(self._left.popleft())
            self.status, self.due = step.status, at.clock + step.lasts_s
        return found

    @property
    def is_over(self) -> bool:
        """Whether no state follows."""
        return not self._left
