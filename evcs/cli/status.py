"""`evcs status`: the whole in a line, then services and CPs; with --check, what isn't as wanted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from evcs.adapters import processes
from evcs.adapters.supervisord import LOOK_TIMEOUT_S, Supervisord, supervisord_pid
from evcs.cli import cp_changes, versions
from evcs.cli.charge_view import why
from evcs.cli.check import differences, steady_processes, unit
from evcs.cli.common import CommandContext, command, kw, span, table
from evcs.cli.terminal import join, style
from evcs.core.charge_point import State
from evcs.core.cp_manager_ports import Process
from evcs.core.errors import EvcsError
from evcs.core.ids import RESERVED


def add_to(program: click.Group) -> None:
    """Add `status` to `evcs`."""

    @command(program)
    @click.option("--check", is_flag=True, help="Exit 3 where actual is not desired.")
    def status(ctx: CommandContext, check: bool) -> None:
        """Services and CPs, with their states and processes.

        Examples:
          evcs status
          evcs status --check || echo 'something is not as it should be'
        """
        supervisord = Supervisord(ctx.settings.home.supervisor_socket, LOOK_TIMEOUT_S)
        found = steady_processes(supervisord) if check else supervisord.processes()
        if ctx.settings.is_joined:
            _print_host(ctx, found, check)
            versions.warn(ctx)
            return
        try:
            cps = cp_changes.read(ctx)
        except EvcsError:
            # What runs and what doesn't is what one wants to know just then.
            if not ctx.out.json:
                _print(ctx, found, None)
            raise
        if check:
            _check(ctx, cps, found)
            return
        _print(ctx, found, cps)
        versions.warn(ctx)
        if not cps:
            ctx.out.say("no CP yet; create one: evcs-cp create CP-001")


def _print(ctx: CommandContext, found: list[Process], cps: list[dict[str, Any]] | None) -> None:
    services = [p._asdict() for p in found if p.group in RESERVED]
    summary = _summary(ctx, cps or [])
    rows = [(p["name"], _process_word(p["state"]), str(p["pid"] or "")) for p in services]
    lines = [_line(ctx, summary, cps is not None), "", *table(("SERVICE", "PROCESS", "PID"), rows)]
    if cps:
        pids: dict[str, list[str]] = {}
        for p in found:
            pids.setdefault(p.group, []).append(f"{p.name}:{p.pid or p.state}")
        cp_rows = [
            (cp["id"], ctx.out.state(cp["state"]), why(cp), " ".join(pids.get(unit(cp), [])))
            for cp in cps
        ]
        lines += ["", *table(("CP", "STATE", "REASON", "PROCESSES"), cp_rows)]
    report = {"home": str(ctx.settings.home.path), "summary": summary}
    ctx.out.data({**report, "services": services, "cps": cps or []}, lines)


def _print_host(ctx: CommandContext, found: list[Process], check: bool) -> None:
    """What there is to say of a host: its CPs' states are known at its centre alone."""
    rows = [(p.group, p.name, _process_word(p.state), str(p.pid or "")) for p in found]
    own = {"home": str(ctx.settings.home.path), "host": ctx.settings.host,
           "centre": ctx.settings.centre}  # fmt: skip
    head = f"host {own['host']} of the centre at {own['centre']}, where its CPs are listed"
    lines = [head, "", *table(("GROUP", "NAME", "PROCESS", "PID"), rows)]
    ctx.out.data({**own, "processes": [p._asdict() for p in found]}, lines)
    if check and any(p.state != "RUNNING" for p in found):
        raise SystemExit(3)


def _summary(ctx: CommandContext, cps: list[dict[str, Any]]) -> dict[str, Any]:
    """How many CPs are in each state, W that flow now, seconds since the start, the page."""
    counts = Counter(cp["state"] or "UNKNOWN" for cp in cps)
    pid = supervisord_pid(ctx.settings.home)
    return {
        "cps": len(cps),
        "states": {state: counts[state] for state in (*State, "UNKNOWN") if counts[state]},
        "power_w": sum(cp["session"]["power_w"] for cp in cps if cp["session"]),
        "up_s": None if pid is None else int(processes.age_s(pid)),
        "web": f"{ctx.settings.page.url}/",
    }


def _line(ctx: CommandContext, summary: dict[str, Any], known: bool) -> str:
    states = [join(str(count), ctx.out.state(state)) for state, count in summary["states"].items()]
    count = summary["cps"]
    head = f"{count} CP{'s' if count > 1 else ''}:"
    parts = [join(head, join(*states, by=", ")) if states else "no CP yet",
             f"{kw(summary['power_w'])} now"] if known else ["CPs are not known now"]  # fmt: skip
    if summary["up_s"] is not None:
        parts.append(f"up for {span(summary['up_s'])}")
    return join(*parts, summary["web"], by="; ")


def _check(ctx: CommandContext, cps: list[dict[str, Any]], processes: list[Process]) -> None:
    found = differences(ctx.settings.home, cps, processes, ctx.settings.host)
    rows = [(one["id"], one["difference"], one["remedy"]) for one in found]
    ctx.out.data(found, table(("WHO", "DIFFERENCE", "NEXT STEP"), rows) if rows else None)
    if found:
        raise SystemExit(3)
    ctx.out.say(f"all as desired: {len(cps)} CPs")


def _process_word(state: str) -> str:
    return style(state, fg="green" if state == "RUNNING" else "red")
