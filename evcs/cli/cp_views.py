"""`evcs-cp list, show`: CPs as they are, many in a table or one in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from evcs.cli import cp_changes
from evcs.cli.bus_probe import engine_status
from evcs.cli.charge_view import both, shown_after, why
from evcs.cli.common import CommandContext, command, error_json, kw, kwh, table
from evcs.cli.cp_names import is_at, pick
from evcs.cli.operator import ask_operator
from evcs.cli.options import known_cps
from evcs.cli.watch_list import watch_list
from evcs.core.charge_point import State
from evcs.core.cp_row import way_out
from evcs.core.errors import BadValue, Unreachable
from evcs.core.ids import check_id

OUTPUTS = ("table", "wide", "json", "name")
HEAD = ("CP", "STATE", "EUR/KWH", "POWER", "CHARGE", "REASON", "LOCATION")
WIDE_HEAD = (*HEAD, "SINCE", "OCPP", "CIRCUIT", "HOSTING", "HOST")
Cp = dict[str, Any]


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""
    _list(program)
    _show(program)


def _list(program: click.Group) -> None:
    @command(program, "list")
    @click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=known_cps)
    @click.option("--state", "states", multiple=True, help="Only these; repeatable.",
                  type=click.Choice(list(State), case_sensitive=False))  # fmt: skip
    @click.option("--location", metavar="TEXT", help="Only where the location has this in it.")
    @click.option("-o", "--output", type=click.Choice(OUTPUTS), help="Else a table.")
    @click.option("--watch", is_flag=True, help="Go on with each change, until Ctrl-C.")
    def list_cps(
        ctx: CommandContext, names: tuple[str, ...], states: tuple[str, ...],
        location: str | None, output: str | None, watch: bool,
    ) -> None:  # fmt: skip
        """List CPs with their state.

        All, or some by name, state and location.

        Examples:
          evcs-cp list 'CP-{001..040}' --state broken_down --state disconnected
          evcs-cp list --location 'car park' -o wide
          evcs-cp list --state out_of_order -o name | xargs evcs-cp resume
          evcs-cp list --watch
        """
        if ctx.out.json and output not in (None, "json"):
            raise BadValue(f"--json and -o {output} at once", "give one of the two")
        ctx.out.json = ctx.out.json or output == "json"
        wanted = _filter(set(pick(ctx, names)) if names else None, states, location)
        if watch:
            watch_list(ctx, wanted, lambda cps: _drawn(ctx, cps, output))
            return
        found = [cp for cp in cp_changes.read(ctx) if wanted(cp)]
        if found or ctx.out.json:
            ctx.out.data(found, _drawn(ctx, found, output))
        elif names or states or location:
            ctx.out.say(f"no CP is {states[0]}" if len(states) == 1 and not location and not names
                        else "no CP matches")  # fmt: skip
        else:
            ctx.out.say("no CP yet; create one: evcs-cp create CP-001")


def _filter(
    ids: set[str] | None, states: tuple[str, ...], location: str | None
) -> Callable[[Cp], bool]:
    """Whether a CP is one of these, in one of these states, at such a location."""
    allowed = {state.upper() for state in states}
    return lambda cp: (
        (ids is None or cp["id"] in ids)
        and (not allowed or cp["state"] in allowed)
        and is_at(cp, location or "")
    )


def _drawn(ctx: CommandContext, cps: list[Cp], output: str | None) -> list[str]:
    """Lines, the head first."""
    if output == "name":
        return [cp["id"] for cp in cps]
    rows = []
    for cp in cps:
        row = [cp["id"], ctx.out.state(cp["state"]), cp["price_eur_kwh"], kw(cp["max_power_w"]),
               _live(cp), both(cp, why(cp)), cp["location"]]  # fmt: skip
        if output == "wide":
            row += [ctx.out.time(cp["since"]), cp["ocpp_status"] or "", cp["circuit"] or "",
                    cp["hosting"], cp["host"]]  # fmt: skip
        rows.append(row)
    return table(WIDE_HEAD if output == "wide" else HEAD, rows)


def _live(cp: Cp) -> str:
    session = cp["session"]
    if not session:
        return ""
    return f"{kw(session['power_w'])} {kwh(session['energy_wh'])} {session['driver'] or ''}"


def _show(program: click.Group) -> None:
    @command(program)
    @click.argument("name", shell_complete=known_cps)
    def show(ctx: CommandContext, name: str) -> None:
        """Show one CP: what is wanted, judged, running.

        Examples:
          evcs-cp show CP-001
        """
        (cp,) = pick(ctx, [check_id("CP", name)])
        (found,) = cp_changes.read(ctx, [cp])
        # Of an Engine that is not there nobody knows.
        engine = engine_status(ctx.settings, cp) if found["state"] != State.DISCONNECTED else None
        found["plugged"] = engine.plugged if engine and engine.online else None
        lines = _lines(ctx, found)
        if hint := way_out(found):
            ctx.out.say(f"{cp}: {hint}")
        try:
            processes = ask_operator(ctx, "processes", cp)["processes"]
        except Unreachable as unreachable:  # what is known may say why
            shown = {**found, "processes": None, "error": error_json(unreachable)}
            ctx.out.data(shown, lines)
            ctx.out.fail(unreachable)
            raise SystemExit(unreachable.exit_code) from None
        for one in processes:
            error = f" ({one['error']})" if one["error"] else ""
            lines.append(f"{one['name']}: {one['state']} pid {one['pid']}{error}")
        ctx.out.data({**found, "processes": processes}, lines)


def _lines(ctx: CommandContext, cp: Cp) -> list[str]:
    """What there is of a CP, a line each; what it has not is left out."""
    found = {**cp, "since": ctx.out.time(cp["since"]), "session": None}
    found["reason"] = both(cp, cp["reason"] or "")
    words = {None: "unknown", True: "yes", False: "no"}
    found["plugged"] = words[cp["plugged"]]
    lines = [
        f"{key}: {words[value] if isinstance(value, bool) else value}"
        for key, value in found.items()
        if value not in (None, "")
    ]
    session = cp["session"]
    lines.append(f"session: {_live(cp) + ' ' + session['session_id'] if session else 'none'}")
    if why(cp) != (cp["reason"] or ""):
        lines.append(f"power: {why(cp)}{shown_after(session) if session else ''}")
    return lines
