"""`evcs circuit`: the cables that CPs share, what they carry, who is on them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from evcs.cli import cp_changes, names
from evcs.cli.bus_probe import circuit_states
from evcs.cli.charge_view import limited, shown_after, waiting
from evcs.cli.common import CommandContext, command, kw, table
from evcs.cli.options import known_circuits
from evcs.core import units
from evcs.core.circuits import LIST, row
from evcs.core.errors import BadValue, NotFound, Unreachable
from evcs.core.identities import of_meter
from evcs.core.ids import check_id

_NAME = click.argument("name", shell_complete=known_circuits)
_PARENT = click.option(
    "--parent", metavar="NAME", help="The circuit that feeds it.", shell_complete=known_circuits
)
_OTHER_LOAD = click.option(
    "--other-load-kw", metavar="D", help="The most that a house behind it takes; else 0."
)
_MAX_POWER_HELP = "What it carries, such as 44; 0 turns it off."
HEAD = ("CIRCUIT", "LIMIT", "FED BY", "CPS", "OTHER LOAD", "CHARGING", "GIVEN", "WAITING")


def add_to(program: click.Group) -> None:
    """Add `circuit` to `evcs`."""

    @program.group()
    def circuit() -> None:
        """Circuits: cables that CPs share."""

    _add_changes(circuit)
    _add_looks(circuit)


def _add_changes(circuit: click.Group) -> None:
    @command(circuit, "add")
    @click.argument("name")
    @click.option("--max-power-kw", metavar="D", required=True, help=_MAX_POWER_HELP)
    @_PARENT
    @_OTHER_LOAD
    def add(
        ctx: CommandContext, name: str, max_power_kw: str, parent: str | None,
        other_load_kw: str | None,
    ) -> None:  # fmt: skip
        """Add a circuit; CPs are put there by their --circuit.

        Examples:
          evcs circuit add GARAGE --max-power-kw 44 --other-load-kw 10
          evcs-cp edit 'CP-*' --circuit GARAGE
        """
        given = _fields(max_power_kw, parent, other_load_kw)
        found = ctx.registry.add_circuit({"name": check_id("circuit", name), **given})
        ctx.out.done(found, f"{name} added")
        ctx.out.say(f"its meter may speak as {of_meter(name)}, by {_secret(ctx, name)}")

    _add_edits(circuit)


def _add_edits(circuit: click.Group) -> None:
    @command(circuit, "edit")
    @_NAME
    @click.option("--max-power-kw", metavar="D", help=_MAX_POWER_HELP)
    @_PARENT
    @click.option("--no-parent", is_flag=True, help="None feeds it.")
    @_OTHER_LOAD
    def edit(
        ctx: CommandContext, name: str, max_power_kw: str | None, parent: str | None,
        no_parent: bool, other_load_kw: str | None,
    ) -> None:  # fmt: skip
        """Change what a circuit carries, or where it hangs.

        Examples:
          evcs circuit edit GARAGE --max-power-kw 63
        """
        if parent is not None and no_parent:
            raise BadValue("--parent and --no-parent at once", "give one of the two")
        given = _fields(max_power_kw, parent, other_load_kw)
        if no_parent:
            given["parent"] = None
        if not given:
            raise BadValue("nothing to change", "see: evcs circuit edit -h")
        found = ctx.registry.edit_circuit(check_id("circuit", name), given)
        ctx.out.done(found, f"{name} changed")

    @command(circuit, "remove")
    @_NAME
    def remove(ctx: CommandContext, name: str) -> None:
        """Remove a circuit that feeds nothing any more.

        Examples:
          evcs circuit remove GARAGE
        """
        ctx.registry.remove_circuit(check_id("circuit", name))
        ctx.out.done({"name": name, "done": "removed"}, f"{name} removed")


def _add_looks(circuit: click.Group) -> None:
    @command(circuit, "list")
    def list_circuits(ctx: CommandContext) -> None:
        """List circuits, with what they carry.

        Examples:
          evcs circuit list
        """
        found, away = _read(ctx)
        cps = Counter(cp["circuit"] for cp in ctx.registry.cps()) if found else Counter[str]()
        rows = [_row(one, cps[one["name"]]) for one in found]
        _tell(ctx, found, table(HEAD, rows) if rows else None, away)
        if not found:
            ctx.out.say("no circuit yet; add one: evcs circuit add GARAGE --max-power-kw 44")

    @command(circuit, "show")
    @_NAME
    def show(ctx: CommandContext, name: str) -> None:
        """Show one circuit: what it carries, what it feeds.

        Examples:
          evcs circuit show GARAGE
        """
        all_, away = _read(ctx)
        found = next((one for one in all_ if one["name"] == check_id("circuit", name)), None)
        if found is None:
            known = [one["name"] for one in all_]
            raise NotFound(f"no circuit {name}", names.hint(name, known, LIST))
        members = [cp["id"] for cp in ctx.registry.cps() if cp["circuit"] == name]
        cps = cp_changes.read(ctx, members) if members else []
        below = [one["name"] for one in all_ if one["parent"] == name]
        facts = dict(zip(HEAD, _row(found, len(members)), strict=True))
        facts |= {"FEEDS": ", ".join(below), "METER": of_meter(name)}
        lines = [f"{key + ':':12}{value or '-'}" for key, value in facts.items()]
        lines += [f"CP {cp['id']}: {_of_member(cp, away)}" for cp in cps]
        live = ("id", "fallback_w", "state", "reason", "session")
        shown = [{key: cp[key] for key in live[: 2 if away else None]} for cp in cps]
        _tell(ctx, {**found, "meter": of_meter(name), "circuits": below, "cps": shown}, lines, away)


def _read(ctx: CommandContext) -> tuple[list[dict[str, Any]], Unreachable | None]:
    """Circuits, each with what Central says that it carries; and that it is away, if it is."""
    found = ctx.registry.circuits()
    told = circuit_states(ctx.settings, {one["name"] for one in found}) if found else {}
    away = None
    if told is None:
        away = Unreachable(
            "Central is not there: what circuits carry now is not known", "see it with: evcs status"
        )
    return [row(one, (told or {}).get(one["name"])) for one in found], away


def _tell(
    ctx: CommandContext, found: Any, lines: list[str] | None, away: Unreachable | None
) -> None:
    """What is known all the same, then what is not."""
    ctx.out.data(found, lines)
    if away is not None:
        ctx.out.fail(away)
        raise SystemExit(away.exit_code)


def _of_member(cp: dict[str, Any], away: object) -> str:
    """What it takes of what it may; without a session, what it may take alone."""
    session = cp["session"]
    if away or session is None:
        alone = f"{cp['fallback_w']} W" if cp["fallback_w"] else "no power"
        return f"{alone} when nobody tells it more"
    waits = waiting(cp["reason"], session["wait_s"])
    limit_w = session["limit_w"]
    takes = f"takes {kw(session['power_w'])} of {kw(limit_w)}" if limit_w else limited(0)
    return f"{waits or takes + shown_after(session)}, {session['driver'] or 'nobody known'}"


def _row(one: dict[str, Any], cps: int) -> tuple[str, ...]:
    power = kw(one["max_power_w"])
    return one["name"], power, one["parent"] or "", str(cps), *_figures(one["state"])


def _figures(state: dict[str, int] | None) -> list[str]:
    if state is None:
        return [""] * 4
    # None is neither off nor a fault: nobody asks for power, or there is none left for who does.
    limit = kw(state["limit_w"]) if state["limit_w"] else "none left" if state["sessions"] else "-"
    figures = kw(state["other_load_w"]), kw(state["power_w"]), limit
    return [*figures, f"{state['waiting']} of {state['sessions']}"]


def _fields(
    max_power_kw: str | None, parent: str | None, other_load_kw: str | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for flag, field, value in (
        ("--max-power-kw", "max_power_w", max_power_kw),
        ("--other-load-kw", "other_load_w", other_load_kw),
    ):
        if value is not None:
            found[field] = units.thousands(flag, value, units.MAX_POWER_W, lowest=0)
    if parent is not None:
        found["parent"] = check_id("circuit", parent)
    return found


def _secret(ctx: CommandContext, name: str) -> str:
    return str(ctx.settings.home.secret(of_meter(name)))
