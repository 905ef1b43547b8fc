"""How each fault of a trial is done to its machines."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from evcs.cli import supervision
from evcs.cli.check import unit
from evcs.cli.common import CommandContext
from evcs.cli.temporary_system import pid_of
from evcs.cli.trial_circuits import TrialCircuits
from evcs.cli.trial_faults import Round
from evcs.cli.trial_hosts import Machines
from evcs.cli.trial_power import HOLDS_WITHIN_S
from evcs.config import Settings
from evcs.core import sections
from evcs.core.errors import EvcsError, TimedOut
from evcs.core.placement import MAIN

GONE_WITHIN_S = 30.0
PROCESS_BACK_WITHIN_S = 60.0
#: Until then who charges has its ticket, and all that was cut is back.
MOVED_WITHIN_S = 150.0
CP_MANAGER = "cp-manager"


class _Place(NamedTuple):
    """Where a CP runs by the Registry: its host, its group there, and whether it is on its way."""

    host: str
    unit: str
    moving: bool


def wait_until(what: str, done: Callable[[], bool], within_s: float) -> None:
    """Raises TimedOut."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            raise TimedOut(f"not within {within_s:g} s: {what}")
        time.sleep(0.1)


class Injector:
    """`ctx`: of the centre. Each method returns once the worst is over; raises TimedOut."""

    def __init__(self, ctx: CommandContext, machines: Machines, circuits: TrialCircuits) -> None:
        self._ctx, self._machines, self._circuits = ctx, machines, circuits
        self._does: Mapping[str, Callable[[Round], None]] = {
            "everything": lambda _: self._power_cut(*self._machines.hosts),
            "supervisord": lambda _: self._kill_supervisord(),
            "circuit": self._edit,
            "house": self._house,
            "host": lambda one: self._power_cut(one.target),
            "line": lambda one: self._cut(one.target, one.pause_s),
            "cp-manager of": lambda one: self._kill(self._machines.of[one.target], CP_MANAGER),
            "move": lambda one: self._move(one, lambda _: None),
            "move, line": lambda one: self._move(one, lambda host: self._cut(host, one.pause_s)),
            "move, power": lambda one: self._move(one, self._power_cut),
        }

    def inject(self, one: Round) -> None:
        """Do it."""
        self._does.get(one.fault.targets, self._to_process)(one)

    def _edit(self, one: Round) -> None:
        """Another limit; nothing else is done until it is to hold."""
        self._circuits.edit(one.target, one.share)
        time.sleep(HOLDS_WITHIN_S + 2)

    def _house(self, one: Round) -> None:
        self._circuits.house(one.share)
        time.sleep(HOLDS_WITHIN_S + 2)

    def _power_cut(self, *hosts: str) -> None:
        self._machines.kill(hosts)
        self._machines.start(*hosts)

    def _cut(self, host: str, seconds: float) -> None:
        self._machines.cut(host)
        time.sleep(seconds)
        self._machines.mend(host)

    def _move(self, one: Round, meanwhile: Callable[[str], None]) -> None:
        """Have a CP elsewhere, and its old host suffer before that has let go of it."""
        cp, old = one.target, self._place(one.target).host
        self._ctx.registry.edit(cp, {"host": one.goal})
        meanwhile(old)
        self._circuits.full()  # who gets no power never ends its charge
        wait_until("it has moved", lambda: not self._is_moving(cp), MOVED_WITHIN_S)

    def _is_moving(self, cp: str) -> bool:
        with suppress(EvcsError):  # the Registry may be coming back
            return self._place(cp).moving
        return True

    def _place(self, cp: str) -> _Place:
        (found,) = (one for one in self._ctx.registry.cps() if one["id"] == cp)
        return _Place(found["host"], unit(found), found["moving"])

    def _kill_supervisord(self) -> None:
        """The centre's."""
        settings = self._machines.centre
        self._signal(settings, "supervisord", signal.SIGKILL)
        wait_until("it is gone", lambda: supervision.running(settings) is None, GONE_WITHIN_S)
        wait_until("its children are gone", self._starts_again, GONE_WITHIN_S)

    def _starts_again(self) -> bool:
        with suppress(EvcsError):
            self._machines.start(MAIN)
            return True
        return False

    def _to_process(self, one: Round) -> None:
        """The one that plays a CP's role, where that runs, or a service of the centre's."""
        cp, _, role = one.target.partition(":")
        settings, name = self._machines.centre, one.target
        if role:
            place = self._place(cp)
            settings = self._machines.of[place.host]
            name = f"{place.unit}:{sections.process(place.unit, role)}"
        if not one.pause_s:
            self._kill(settings, name)
        elif self._signal(settings, name, signal.SIGSTOP):
            time.sleep(one.pause_s)
            self._signal(settings, name, signal.SIGCONT)

    def _kill(self, settings: Settings, name: str) -> None:
        if pid := self._signal(settings, name, signal.SIGKILL):
            known = (None, pid)
            wait_until(
                "it is back", lambda: pid_of(settings, name) not in known, PROCESS_BACK_WITHIN_S
            )

    def _signal(self, settings: Settings, name: str, number: Any) -> int | None:
        """The pid that got it; None where there is none now."""
        pid = pid_of(settings, name)
        with suppress(ProcessLookupError):
            if pid is not None:
                os.kill(pid, number)
        return pid
