"""`evcs-cp plug, unplug, fault, clear, kill, logs`: what is done to a CP by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from evcs.cli import cp_changes
from evcs.cli.common import CommandContext, command
from evcs.cli.cp_names import pick
from evcs.cli.logs import last_lines, show_logs
from evcs.cli.operator import ask_of_each, ask_operator
from evcs.cli.options import known_cps, named, waiting
from evcs.core import charge_point as cp_states
from evcs.core import messages as m
from evcs.core.sections import ROLES


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""
    _plugging(program)
    _faults(program)
    _processes(program)


def _each(
    ctx: CommandContext, ids: list[str], verb: str, reason: str | None = None
) -> cp_changes.Results:
    return cp_changes.outcome(ask_of_each(ctx, verb, ids, reason))


def _plugging(program: click.Group) -> None:
    @command(program)
    @named
    def plug(ctx: CommandContext, names: tuple[str, ...]) -> None:
        """Plug a car in.

        Examples:
          evcs-cp plug CP-001
        """
        cp_changes.tell_done(ctx, _each(ctx, pick(ctx, names), "plug"), "plugged")

    @command(program)
    @named
    def unplug(ctx: CommandContext, names: tuple[str, ...]) -> None:
        """Unplug the car; a charge ends with its ticket.

        Examples:
          evcs-cp unplug CP-001
        """
        cp_changes.tell_done(ctx, _each(ctx, pick(ctx, names), "unplug"), "unplugged")


def _faults(program: click.Group) -> None:
    @command(program)
    @named
    @click.option("--reason", default="fault by hand", show_default=True, metavar="T")
    @waiting
    def fault(
        ctx: CommandContext, names: tuple[str, ...], reason: str, wait: bool, timeout: float
    ) -> None:
        """Break CPs down; a charge ends at once, with its ticket.

        Examples:
          evcs-cp fault CP-001 --reason 'cable torn'
        """
        results = _each(ctx, pick(ctx, names), "fault", reason)
        _judged(ctx, results, lambda s: s.state == cp_states.State.BROKEN_DOWN, wait, timeout)

    @command(program)
    @named
    @waiting
    def clear(ctx: CommandContext, names: tuple[str, ...], wait: bool, timeout: float) -> None:
        """Clear the fault of CPs.

        Examples:
          evcs-cp clear CP-001
        """
        ids = pick(ctx, names)
        for cp in cp_changes.read(ctx, ids):
            if cp["state"] and not cp_states.needs_a_hand(cp["state"], cp["reason"]):
                ctx.out.say(f"{cp['id']} has no fault")
        results = _each(ctx, ids, "clear")
        _judged(ctx, results, lambda s: s.state != cp_states.State.BROKEN_DOWN, wait, timeout)


def _judged(
    ctx: CommandContext,
    results: cp_changes.Results,
    expect: Callable[[m.CpState], bool],
    wait: bool,
    timeout: float,
) -> None:
    made = [ctx.registry.cp(cp) for cp in results.made]

    def goal(cp: dict[str, Any]) -> cp_changes.Goal:
        return cp_changes.taken_note(cp)._replace(done=expect)

    cp_changes.wait_and_finish(ctx, made, results.errors, goal, wait, timeout, "done")


def _processes(program: click.Group) -> None:
    @command(program)
    @click.argument("name", shell_complete=known_cps)
    @click.argument("role", type=click.Choice(ROLES))
    @waiting
    def kill(ctx: CommandContext, name: str, role: str, wait: bool, timeout: float) -> None:
        """Kill a CP's process (SIGKILL), to see it come back.

        Examples:
          evcs-cp kill CP-001 engine
        """
        (cp,) = pick(ctx, [name])
        before = {one["id"]: one["since"] for one in cp_changes.read(ctx, [cp])}
        pid = ask_operator(ctx, "kill", cp, role=role)["pid"]
        ctx.out.say(f"{cp}:{role} pid {pid} killed")

        def changed(found: dict[str, Any]) -> cp_changes.Goal:
            return cp_changes.taken_note(found)._replace(done=lambda s: s.since != before[cp])

        cp_changes.wait_and_finish(ctx, [ctx.registry.cp(cp)], {}, changed, wait, timeout, "killed")

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    @click.argument("role", type=click.Choice(ROLES), required=False)
    @click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
    @last_lines
    def logs(
        ctx: CommandContext,
        name: str,
        role: str | None,
        follow: bool,
        lines: int | None,
        since: str | None,
    ) -> None:
        """Show the logs of a CP's processes.

        Examples:
          evcs-cp logs CP-001 -f
          evcs-cp logs CP-001 engine --since 1h
        """
        (cp,) = pick(ctx, [name])
        show_logs(ctx, (f"{cp}.{role}" if role else cp,), follow, lines, since)
