"""What the operator has done to the processes of this host's CPs, and what he is shown of them.

Commands come from Central. None of them waits: a restart is begun, and gone on with at later
looks, since the loop that reconciles must not stand still for a process that takes its time.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from evcs.core import messages as m
from evcs.core import pools
from evcs.core.cp_manager_ports import LogPage, ProcessHost
from evcs.core.errors import BadValue, Conflict, EvcsError, Unreachable
from evcs.core.placement import concerns, unit, wanted_here
from evcs.core.sections import ROLES, process
from evcs.services.cp_manager.pools import Pools

#: Each look is one call, and it is at a call that supervisord notices an end.
LOOK_EVERY_S = 0.05
AFTER_ERROR_S = 1.0
#: supervisord forks all that one call names before it answers, some 10 ms each.
START_AT_ONCE = 4
#: supervisord kills what hasn't ended after 10 s.
ENDED_WITHIN_S = 30.0
#: Answers to commands that were carried out, for those that come again; the oldest give way.
MOST_REMEMBERED = 1_000

_log = logging.getLogger("evcs")


class Actuator:
    """Carries commands out. `desired(cp)`: as the Registry has it now, None where it told of none.

    `log_page(cp, role, after)`: the last lines before those of the page whose `next` that was.
    `machine()`: what is told of the host itself, `at` (its time, RFC 3339) and `address`.
    """

    def __init__(
        self, host: str, desired: Callable[[str], m.DesiredCp | None], supervisord: ProcessHost,
        places: Pools, log_page: Callable[[str, str, str | None], LogPage],
        machine: Callable[[], Mapping[str, str]], monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        self._host, self._desired, self._supervisord = host, desired, supervisord
        self._pools = places
        self._log_page, self._machine, self._clock = log_page, machine, monotonic
        #: CP -> until when its processes may take to end.
        self._ending: dict[str, float] = {}
        self._not_begun: EvcsError | None = None
        self._look_at = 0.0
        self._done: dict[str, m.ManagerReply] = {}
        self._does: dict[str, Callable[[m.ManagerCommand, m.DesiredCp], dict[str, Any]]] = {
            "restart": self._restart,
            "kill": self._kill,
            "processes": self._processes,
            "log": self._log_lines,
        }

    def carry_out(self, commands: Sequence[m.ManagerCommand]) -> list[m.ManagerReply]:
        """The answers; the first one's, where a command comes again.

        Restarts of one batch are begun by one call: between two calls supervisord starts others.
        """
        fresh = [one for one in commands if one.id not in self._done]
        self._not_begun = self._begin_restarts({one.cp for one in fresh if one.verb == "restart"})
        return [self._answer(one) for one in commands]

    def _begin_restarts(self, cps: Set[str]) -> EvcsError | None:
        """Have all of those that may be restarted end; why not, where that failed."""
        units = {
            cp: unit(desired)
            for cp in cps
            if (desired := self._desired(cp)) and wanted_here(desired, self._host)
        }
        own = [cp for cp in units if units[cp] == cp]
        try:
            if own:
                self._supervisord.begin_stop(own)
        except EvcsError as error:
            return error
        self._ending.update(dict.fromkeys(own, self._clock() + ENDED_WITHIN_S))
        for pool in {str(place) for cp, place in units.items() if place not in (cp, None)}:
            self._pools.end(pool, [cp for cp, place in units.items() if place == pool])
        return None

    def _answer(self, command: m.ManagerCommand) -> m.ManagerReply:
        if command.id in self._done:
            return self._done[command.id]
        try:
            reply = m.ManagerReply(self._host, command.id, True, None, self._do(command))
        except EvcsError as error:
            reply = m.ManagerReply(self._host, command.id, False, error.code, error.body)
        if command.verb in ("restart", "kill"):
            if len(self._done) >= MOST_REMEMBERED:
                del self._done[next(iter(self._done))]
            self._done[command.id] = reply
        return reply

    @property
    def due_at(self) -> float:
        """When to look next."""
        return self._look_at if self._ending else math.inf

    def look(self, now: float) -> None:
        """Start what has ended of what is being restarted."""
        if now < self.due_at:
            return
        try:
            self._start_ended(now)
            self._look_at = now + LOOK_EVERY_S
        except EvcsError as error:
            _log.error("cps=%s being restarted: %s", ",".join(self._ending), error)
            self._look_at = now + AFTER_ERROR_S

    def _start_ended(self, now: float) -> None:
        running = {one.group for one in self._supervisord.processes() if one.pid}
        ended = [cp for cp in self._ending if cp not in running][:START_AT_ONCE]
        if ended:
            self._supervisord.start(ended)
            _log.info("cps=%s restarted", ",".join(ended))
        late = [cp for cp, until in self._ending.items() if cp in running and until < now]
        for cp in (*ended, *late):
            del self._ending[cp]
        if late:
            _log.error("cps=%s do not end; see: evcs status", ",".join(late))

    def _do(self, command: m.ManagerCommand) -> dict[str, Any]:
        if command.verb == "host":
            return {**self._machine()}
        does = self._does.get(command.verb)
        if does is None:
            raise BadValue(f"unknown verb {command.verb[:40]!a}")
        desired = self._desired(command.cp)
        if desired is None or not concerns(desired, self._host):
            text = f"the CP Manager of host {self._host} does not know {command.cp} yet"
            raise Unreachable(text, "try again in a moment")
        return does(command, desired)

    def _restart(self, command: m.ManagerCommand, desired: m.DesiredCp) -> dict[str, Any]:
        cp = command.cp
        if desired.revoked:
            raise Conflict(f"{cp} is revoked: nothing of it runs", f"evcs-cp rekey {cp}")
        if not wanted_here(desired, self._host):
            raise Conflict(f"{cp} is not to run now", f"see: evcs-cp show {cp}")
        if self._not_begun is not None:
            raise self._not_begun
        return {}

    def _kill(self, command: m.ManagerCommand, desired: m.DesiredCp) -> dict[str, Any]:
        cp, role = command.cp, _role(command)
        place = unit(desired) or cp
        name = process(place, role)
        for one in self._supervisord.processes():
            if (one.group, one.name) == (place, name) and one.pid:
                if place == cp:
                    self._supervisord.kill(f"{place}:{name}")
                else:
                    self._pools.end(place, [cp], [name])
                _log.info("cp=%s role=%s pid=%d ended", cp, role, one.pid)
                return {"pid": one.pid}
        raise Conflict(f"{place}:{name} does not run now", f"see: evcs-cp show {cp}")

    def _processes(self, _: m.ManagerCommand, desired: m.DesiredCp) -> dict[str, Any]:
        place = unit(desired)
        rows = [one._asdict() for one in self._supervisord.processes() if one.group == place]
        if place is not None and pools.is_shared(place):
            rows = [{**row, **self._pools.figures(place, row["name"])} for row in rows]
        return {"processes": rows}

    def _log_lines(self, command: m.ManagerCommand, _: m.DesiredCp) -> dict[str, Any]:
        page = self._log_page(command.cp, _role(command), command.after)
        return {"lines": page.lines, "more": page.next is not None, "next": page.next}


def _role(command: m.ManagerCommand) -> str:
    if command.role not in ROLES:
        raise BadValue("no such role", f"one of {', '.join(ROLES)}")
    return command.role
