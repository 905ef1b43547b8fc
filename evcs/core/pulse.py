"""Whether a service hangs: what it shows of itself at each look of the watchdog, every 5 s.

A late sign alone says nothing: on a busy machine, or while supervisord itself was held up, all
are late. A service hangs if it gave none at three looks in a row that came in time, and is
stopped, or sleeps, or has turned all the while. One that waits for the disk, or for its turn at
a processor, does not.
"""

from __future__ import annotations

from typing import NamedTuple

LOOK_EVERY_S = 5.0
MISSES_TO_END = 3
#: A CP's process that is stopped is ended by its other one, if not by then.
STOPPED_LOOKS = 6
#: In a loop without end so much is soon used; as much work without a sign nobody has.
LOOPS_AFTER_CPU_S = 2.0
STOPPED, SLEEPS, RUNS = "T", "S", "R"


class Seen(NamedTuple):
    """A process at a look: its state as the kernel has it, and the CPU time that it has used.

    `sign`: what changes with each sign of life; None where it gives none yet.
    """

    pid: int
    sign: int | None
    state: str
    cpu_s: float


class Pulse(NamedTuple):
    """What is known of it: its last sign, and the looks since then that found no other."""

    pid: int
    sign: int | None
    misses: int
    cpu_s: float


def in_time(since_last_look_s: float) -> bool:
    """Whether a look says something: it came neither after a pause nor by a change of clock."""
    return 0.8 * LOOK_EVERY_S <= since_last_look_s <= 1.5 * LOOK_EVERY_S


def look(pulse: Pulse | None, seen: Seen) -> Pulse:
    """What is known after a look that came in time."""
    if pulse is None or (pulse.pid, pulse.sign) != (seen.pid, seen.sign):
        return Pulse(seen.pid, seen.sign, 0, seen.cpu_s)
    return pulse._replace(misses=pulse.misses + 1)


def hangs(pulse: Pulse, seen: Seen) -> str:
    """Why the process has to be ended; "" where it hasn't."""
    if pulse.misses < MISSES_TO_END:
        return ""
    if seen.state == STOPPED:
        return "it was stopped"
    if seen.sign is None:
        return ""
    if seen.state == SLEEPS:
        return "it sleeps and gives no sign"
    if seen.state == RUNS and seen.cpu_s - pulse.cpu_s >= LOOPS_AFTER_CPU_S:
        return "it turns and gives no sign"
    return ""
