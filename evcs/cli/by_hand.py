"""`evcs-cp plug, unplug, fault, clear, kill, logs`: what is done to a CP by hand."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from evcs.adapters.supervisord import Supervisord
from evcs.cli import fleet
from evcs.cli.common import Call, command
from evcs.cli.logs import last_lines, show_logs
from evcs.cli.operator import ask_operator
from evcs.cli.options import named, waiting
from evcs.core import charge_point as cp_states
from evcs.core import messages as m
from evcs.core.errors import Conflict
from evcs.core.sections import ROLES


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""
    _plugging(program)
    _faults(program)
    _processes(program)


def _each(call: Call, ids: list[str], verb: str, reason: str | None = None) -> fleet.Results:
    return fleet.each(ids, lambda cp: ask_operator(call, verb, cp, reason=reason))


def _plugging(program: click.Group) -> None:
    @command(program)
    @named
    def plug(call: Call, names: tuple[str, ...]) -> None:
        """Plug a car in."""
        fleet.tell_done(call, _each(call, fleet.pick(call, names), "plug"), "plugged")

    @command(program)
    @named
    def unplug(call: Call, names: tuple[str, ...]) -> None:
        """Unplug the car; a supply ends with its ticket."""
        fleet.tell_done(call, _each(call, fleet.pick(call, names), "unplug"), "unplugged")


def _faults(program: click.Group) -> None:
    @command(program)
    @named
    @click.option("--reason", default="fault by hand", show_default=True, metavar="T")
    @waiting
    def fault(call: Call, names: tuple[str, ...], reason: str, wait: bool, timeout: float) -> None:
        """Break CPs down; a supply ends at once, with its ticket."""
        results = _each(call, fleet.pick(call, names), "fault", reason)
        _judged(call, results, lambda s: s.state == cp_states.BROKEN_DOWN, wait, timeout)

    @command(program)
    @named
    @waiting
    def clear(call: Call, names: tuple[str, ...], wait: bool, timeout: float) -> None:
        """Clear the fault of CPs."""
        results = _each(call, fleet.pick(call, names), "clear")
        _judged(call, results, lambda s: s.state != cp_states.BROKEN_DOWN, wait, timeout)


def _judged(
    call: Call,
    results: fleet.Results,
    expect: Callable[[m.JudgedState], bool],
    wait: bool,
    timeout: float,
) -> None:
    made = [call.registry.cp(cp) for cp in results.made]

    def goal(cp: dict[str, Any]) -> fleet.Goal:
        return fleet.taken_note(cp)._replace(done=expect)

    fleet.wait_and_finish(call, made, results.errors, goal, wait, timeout, "done")


def _processes(program: click.Group) -> None:
    @command(program)
    @click.argument("name")
    @click.argument("role", type=click.Choice(ROLES))
    @waiting
    def kill(call: Call, name: str, role: str, wait: bool, timeout: float) -> None:
        """Kill a CP's process (SIGKILL), to see it come back."""
        (cp,) = fleet.pick(call, [name])
        before = {one["id"]: one["since"] for one in fleet.read(call, [cp])}
        pid = _pid(call, cp, role)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        call.out.say(f"{cp}:{role} pid {pid} killed")

        def changed(found: dict[str, Any]) -> fleet.Goal:
            return fleet.taken_note(found)._replace(done=lambda s: s.since != before[cp])

        fleet.wait_and_finish(call, [call.registry.cp(cp)], {}, changed, wait, timeout, "killed")

    @command(program)
    @click.argument("name")
    @click.argument("role", type=click.Choice(ROLES), required=False)
    @click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
    @last_lines
    def logs(
        call: Call, name: str, role: str | None, follow: bool, lines: int | None, since: str | None
    ) -> None:
        """Show the logs of a CP's processes."""
        (cp,) = fleet.pick(call, [name])
        show_logs(call, (f"{cp}.{role}" if role else cp,), follow, lines, since)


def _pid(call: Call, cp: str, role: str) -> int:
    for process in Supervisord(call.settings.home.supervisor_socket).processes():
        if (process.group, process.name) == (cp, role) and process.pid:
            return process.pid
    raise Conflict(f"{cp}:{role} does not run now", f"see: evcs-cp show {cp}")
