"""`evcs-cp apply` and `export`: the whole fleet as one file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from evcs.adapters import capacity
from evcs.adapters.registry_http import error_from
from evcs.cli import cp_changes
from evcs.cli.common import CommandContext, command, error_json
from evcs.cli.options import confirm_deletion, waiting
from evcs.cli.terminal import join, style
from evcs.core import fleet_file
from evcs.core.desired import FIELDS
from evcs.core.errors import BY_CODE, BadValue, Conflict, EvcsError, NotFound, PartFailed
from evcs.core.fleet_file import CIRCUIT, CP, Changes
from evcs.core.fleet_size import FleetSize
from evcs.core.placement import POOL


class FleetPlan(NamedTuple):
    """What leads to the file's fleet."""

    cps: Changes
    circuits: Changes


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""

    @command(program)
    @click.option("-f", "--file", "path", required=True, metavar="FILE", help="- is stdin.")
    @click.option("--prune", is_flag=True, help="Delete CPs that the file doesn't name.")
    @click.option("--dry-run", is_flag=True, help="Only say what would change.")
    @click.option("--yes", is_flag=True, help="Don't ask before deleting.")
    @waiting
    def apply(
        ctx: CommandContext,
        path: str,
        prune: bool,
        dry_run: bool,
        yes: bool,
        wait: bool,
        timeout: float,
    ) -> None:
        """Make the fleet what a file says.

        Create and edit CPs and, with --prune, delete those that it doesn't name.

        Examples:
          evcs-cp export > fleet.toml
          evcs-cp apply -f fleet.toml --dry-run
        """
        plan = _plan(ctx, path, prune)
        if not ctx.out.json:
            lines = [*_lines(plan.circuits, CIRCUIT), *_lines(plan.cps, CP)]
            ctx.out.done(None, lines)
        if dry_run or not (plan.cps or plan.circuits):
            ctx.out.data({**_to_json(plan), "applied": False})
            if not ctx.out.json and not dry_run:
                ctx.out.say(f"nothing to change: {plan.cps.same} CPs are as the file says")
            return
        if plan.cps.remove and not yes:
            confirm_deletion(len(plan.cps.remove), "nothing was applied")
        _check_room(ctx, plan.cps)
        _finish(ctx, plan, _apply(ctx, plan, wait, timeout), wait)

    _add_export(program)


def _add_export(program: click.Group) -> None:
    @command(program)
    def export(ctx: CommandContext) -> None:
        """Print the fleet as a file that `apply` takes.

        Examples:
          evcs-cp export > fleet.toml
        """
        rows = [{key: cp[key] for key in ("id", *FIELDS)} for cp in ctx.registry.cps()]
        circuits = ctx.registry.circuits()
        text = fleet_file.render(rows, ctx.settings.host, circuits).rstrip("\n")
        ctx.out.data({"cp": rows, "circuit": circuits}, text.split("\n"))


def _check_room(ctx: CommandContext, changes: Changes) -> None:
    """Before anything is changed: the Registry would say no only to a part of it."""
    leaving = {cp for cp, one in changes.edit.items() if one.get("hosting", (None,))[0] == POOL}
    if changes.create or leaving:
        here, now = ctx.settings.host, ctx.registry.cps()
        stay = ((cp["host"], cp["hosting"]) for cp in now if cp["id"] not in leaving)
        new = ((cp.get("host", here), cp.get("hosting")) for cp in changes.create)
        more = FleetSize.at(here, new).with_more(FleetSize(own=len(leaving)))
        capacity.check_room(ctx.settings, FleetSize.at(here, stay), more)


def _plan(ctx: CommandContext, path: str, prune: bool) -> FleetPlan:
    shown = "stdin" if path == "-" else path
    try:
        wanted = fleet_file.parse(_read(path))
        cps, circuits = wanted["cp"], wanted["circuit"]
        if prune and not cps:
            raise BadValue("it names no CP, so --prune would delete all", "evcs-cp delete 'CP-*'")
        now, cables = ctx.registry.cps(), ctx.registry.circuits()
        plan = FleetPlan(
            fleet_file.diff(cps, now, prune),
            # A file without circuits says nothing of them.
            fleet_file.diff(circuits, cables, prune and bool(circuits), CIRCUIT.key),
        )
        fleet_file.check_fit(
            plan.cps.applied(now, CP.key), plan.circuits.applied(cables, CIRCUIT.key)
        )
    except (BadValue, Conflict, NotFound) as error:
        raise type(error)(f"{shown}: {error.message}", error.hint) from None
    return plan


def _read(path: str) -> bytes:
    most = fleet_file.MAX_BYTES + 1
    if path == "-":
        return sys.stdin.buffer.read(most)
    try:
        with Path(path).open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise NotFound("there is no such file", "evcs-cp export > fleet.toml makes one") from None
    except OSError as error:
        raise BadValue(f"can't be read: {error.strerror}", "give a TOML file") from None


def _lines(changes: Changes, kind: fleet_file.Kind) -> list[str]:
    plus, minus, tilde = (
        style(sign, fg=colour)
        for sign, colour in zip("+-~", ("green", "red", "yellow"), strict=True)
    )
    what = "" if kind is CP else f"{kind.what} "
    lines: list[str] = []
    for one in changes.create:
        given = "  ".join(f"{k}={_value(v)}" for k, v in one.items() if k != kind.key)
        lines.append(join(plus, f"{what}{one[kind.key]}  {given}".rstrip()))
    for name, fields in changes.edit.items():
        changed = "  ".join(f"{k}: {_value(a)} -> {_value(b)}" for k, (a, b) in fields.items())
        lines.append(join(tilde, f"{what}{name}  {changed}"))
    return lines + [join(minus, f"{what}{name}") for name in changes.remove]


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() and value else repr(value)


def _to_json(plan: FleetPlan) -> dict[str, Any]:
    return {**_changes_json(plan.cps, CP), "circuits": _changes_json(plan.circuits, CIRCUIT)}


def _changes_json(changes: Changes, kind: fleet_file.Kind) -> dict[str, Any]:
    edit = [
        {kind.key: name, "changes": {k: {"from": a, "to": b} for k, (a, b) in fields.items()}}
        for name, fields in changes.edit.items()
    ]
    return {
        "create": changes.create, "edit": edit, "remove": changes.remove,
        "unchanged": changes.same,
    }  # fmt: skip


def _apply(
    ctx: CommandContext, plan: FleetPlan, wait: bool, timeout: float
) -> dict[str, EvcsError]:
    """Do it: circuits that can be, CPs, what is left of the circuits; the errors by id."""
    later = _each_as_it_can_be(_circuit_changes(ctx, plan.circuits))
    errors = _apply_to_cps(ctx, plan.cps, wait, timeout)
    for name in plan.circuits.remove:
        later[f"circuit {name}"] = partial(ctx.registry.remove_circuit, name)
    for what, do in _each_as_it_can_be(later).items():
        try:
            do()
        except EvcsError as error:
            errors[what] = error
    return errors


def _circuit_changes(ctx: CommandContext, changes: Changes) -> dict[str, Callable[[], Any]]:
    doing: dict[str, Callable[[], Any]] = {}
    for one in changes.create:
        doing[f"circuit {one['name']}"] = partial(ctx.registry.add_circuit, one)
    for name, fields in changes.edit.items():
        given = {field: then for field, (_, then) in fields.items()}
        doing[f"circuit {name}"] = partial(ctx.registry.edit_circuit, name, given)
    return doing


def _each_as_it_can_be(doing: dict[str, Callable[[], Any]]) -> dict[str, Callable[[], Any]]:
    """Do what is not refused, until all that is left is: one may need another before it."""
    left: dict[str, Callable[[], Any]] = {}
    for what, do in doing.items():
        try:
            do()
        except (Conflict, NotFound):
            left[what] = do
    return _each_as_it_can_be(left) if len(left) < len(doing) else left


def _apply_to_cps(
    ctx: CommandContext, changes: Changes, wait: bool, timeout: float
) -> dict[str, EvcsError]:
    """Creations in one commit, then edits, then deletions; the errors by id."""
    errors: dict[str, EvcsError] = {}
    expected: dict[str, cp_changes.Goal] = {}
    if changes.create:
        answers = ctx.registry.create_many(changes.create)
        for asked, answer in zip(changes.create, answers, strict=True):
            if "error" in answer:
                errors[asked["id"]] = error_from(answer)
            else:
                expected[asked["id"]] = cp_changes.judged(answer)
    given = {cp: {k: then for k, (_, then) in f.items()} for cp, f in changes.edit.items()}
    edited = cp_changes.each(list(given), lambda cp: ctx.registry.edit(cp, given[cp]))
    for cp, answer in edited.made.items():
        turned = "service" in given[cp]
        expected[cp] = cp_changes.judged(answer) if turned else cp_changes.taken_note(answer)
    removed = cp_changes.each(changes.remove, ctx.registry.delete)
    errors.update({**edited.errors, **removed.errors})
    if wait and expected:
        errors.update(cp_changes.await_states(ctx, expected, timeout)[1])
    if wait and removed.made:
        errors.update(cp_changes.await_gone(ctx, list(removed.made), timeout))
    return errors


def _finish(ctx: CommandContext, plan: FleetPlan, errors: dict[str, EvcsError], wait: bool) -> None:
    failed = {name: error_json(error) for name, error in sorted(errors.items())}
    ctx.out.data({**_to_json(plan), "applied": True, "errors": failed})
    ctx.out.fail_all(errors)
    cps, circuits = (len(c.create) + len(c.edit) + len(c.remove) for c in plan)
    if not errors:
        more = f", {circuits} circuits" if circuits else ""
        ctx.out.say(f"{'applied' if wait else 'being applied'}: {cps} CPs changed{more}")
        if dialling := sum("backend" in one for one in plan.cps.create):
            ctx.out.say(
                f"{dialling} of them dial a back end, without a password: a file has none; "
                "see: evcs-cp create -h"
            )
        return
    codes = {error.code for error in errors.values()}
    alike = len(errors) == cps + circuits and len(codes) == 1
    raise SystemExit(BY_CODE[codes.pop()].exit_code if alike else PartFailed.exit_code)
