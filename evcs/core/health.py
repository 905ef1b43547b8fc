"""What a Monitor makes of its Engine's answers, and of their absence.

An Engine that misses two questions in a row (one a second, one second to answer) is
silent, so a hang shows within 4 s; after 15 s of silence it is to be ended, so that
supervisord starts it anew. An Engine ends a Monitor that asks no more in the same way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class EngineHealth(StrEnum):
    """What a Monitor says of its Engine: well, at fault, without an answer."""

    OK = "ok"
    KO = "ko"
    SILENT = "silent"


PERIOD_S = 1.0
ANSWER_WITHIN_S = 1.0
MISSES_TO_SILENT = 2
END_AFTER_S = 15.0
START_GRACE_S = 6.0
#: Of a pool's Engines, which wait for their turn.
FIRST_WORD_WITHIN_S = 25.0
#: So often an Engine looks whether its Monitor asks, and so many looks in a row end that.
LOOK_EVERY_S = 5.0
MISSES_TO_END = 3


class EngineAnswer(NamedTuple):
    """What an Engine says of itself. `ready`: it has told its state on the bus at least once.

    `session_id`: what it holds and is not settled.
    """

    fault: str | None = None
    ready: bool = False
    session_id: str | None = None
    supplying: bool = False


class ProcessFigures(NamedTuple):
    """What a pool's process says of itself: its memory (PSS), and how late its loop runs."""

    memory_bytes: int
    late_p99_ms: float


class ProbeResult(NamedTuple):
    """An Engine was asked: its answer, or None, at monotonic second `at`."""

    answer: EngineAnswer | None
    latency_ms: float
    at: float


class Health(NamedTuple):
    """A Monitor's present view; `engine` is None until there is something to say."""

    engine: str | None = None
    fault: str | None = None
    latency_ms: float | None = None
    misses: int = 0


def observe(health: Health, result: ProbeResult, started: float) -> Health:
    """Take one answer, or its absence; `started` is a monotonic second, too.

    Before an Engine was ever ready, its absence is not told for START_GRACE_S: a CP that
    is just being started isn't broken.
    """
    answer, starting = result.answer, health.engine is None and result.at - started < START_GRACE_S
    if answer is not None:
        if starting and not answer.ready:
            return health
        kind = EngineHealth.KO if answer.fault else EngineHealth.OK
        return Health(kind, answer.fault, result.latency_ms)
    misses = health.misses + 1
    if starting or misses < MISSES_TO_SILENT:
        return health._replace(misses=misses)
    return Health(EngineHealth.SILENT, None, None, misses)


def silence(since: float | None, answered: bool, now: float) -> float | None:
    """Since when no Engine of a process has answered; None while one does."""
    if answered:
        return None
    return now if since is None else since


def to_be_ended(since: float | None, now: float) -> bool:
    """Whether that process has been silent for so long that only a new start helps."""
    return since is not None and now - since >= END_AFTER_S


def unasked(misses: int, asked: bool, since_last_look_s: float) -> int:
    """At how many looks in a row an Engine had not been asked since the one before.

    One that came late says nothing: the Engine itself may have been stopped, or asleep.
    """
    late = since_last_look_s > 1.5 * LOOK_EVERY_S
    return 0 if asked or late else misses + 1
