"""`evcs-cp apply` and `export`: the whole fleet as one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from evcs.adapters import capacity
from evcs.adapters.registry_http import error_from
from evcs.cli import cp_changes
from evcs.cli.common import CommandContext, command
from evcs.cli.options import confirm_deletion, waiting
from evcs.cli.terminal import join, style
from evcs.core import fleet_file
from evcs.core.desired import FIELDS
from evcs.core.errors import BY_CODE, BadValue, Conflict, EvcsError, NotFound, PartFailed
from evcs.core.fleet_file import Changes
from evcs.core.fleet_size import FleetSize
from evcs.core.placement import POOL


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
        """Make the fleet what a file says: create, edit and, with --prune, delete CPs."""
        changes = _changes(ctx, path, prune)
        if not ctx.out.json:
            ctx.out.data(None, _lines(changes))
        if dry_run or not (changes.create or changes.edit or changes.remove):
            ctx.out.data({**_to_json(changes), "applied": False})
            if not ctx.out.json and not dry_run:
                ctx.out.say(f"nothing to change: {changes.same} CPs are as the file says")
            return
        if changes.remove and not yes:
            confirm_deletion(len(changes.remove), "nothing was applied")
        _check_room(ctx, changes)
        _finish(ctx, changes, _apply(ctx, changes, wait, timeout), wait)

    @command(program)
    def export(ctx: CommandContext) -> None:
        """Print the fleet as a file that `apply` takes."""
        rows = [{key: cp[key] for key in ("id", *FIELDS)} for cp in ctx.registry.cps()]
        text = fleet_file.render(rows, ctx.settings.host).rstrip("\n")
        ctx.out.data({"cp": rows}, text.split("\n"))


def _check_room(ctx: CommandContext, changes: Changes) -> None:
    """Before anything is changed: the Registry would say no only to a part of it."""
    leaving = {cp for cp, one in changes.edit.items() if one.get("hosting", (None,))[0] == POOL}
    if changes.create or leaving:
        now = ctx.registry.cps()
        there = FleetSize.of(cp["hosting"] for cp in now if cp["id"] not in leaving)
        new = FleetSize.of(cp.get("hosting") for cp in changes.create)
        capacity.check_room(ctx.settings.home, there, new.with_more(FleetSize(own=len(leaving))))


def _changes(ctx: CommandContext, path: str, prune: bool) -> Changes:
    shown = "stdin" if path == "-" else path
    try:
        wanted = fleet_file.parse(_read(path))
        if prune and not wanted:
            raise BadValue("it names no CP, so --prune would delete all", "evcs-cp delete 'CP-*'")
        return fleet_file.diff(wanted, ctx.registry.cps(), prune)
    except (BadValue, Conflict) as error:
        raise type(error)(f"{shown}: {error.message}", error.hint) from None


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


def _lines(changes: Changes) -> list[str]:
    plus, minus, tilde = (
        style(sign, fg=colour)
        for sign, colour in zip("+-~", ("green", "red", "yellow"), strict=True)
    )
    lines: list[str] = []
    for cp in changes.create:
        given = "  ".join(f"{k}={_value(v)}" for k, v in cp.items() if k != "id")
        lines.append(join(plus, f"{cp['id']}  {given}".rstrip()))
    for name, fields in changes.edit.items():
        changed = "  ".join(f"{k}: {_value(a)} -> {_value(b)}" for k, (a, b) in fields.items())
        lines.append(join(tilde, f"{name}  {changed}"))
    return lines + [join(minus, name) for name in changes.remove]


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() and value else repr(value)


def _to_json(changes: Changes) -> dict[str, Any]:
    edit = [
        {"id": name, "changes": {k: {"from": a, "to": b} for k, (a, b) in fields.items()}}
        for name, fields in changes.edit.items()
    ]
    return {
        "create": changes.create, "edit": edit, "remove": changes.remove,
        "unchanged": changes.same,
    }  # fmt: skip


def _apply(
    ctx: CommandContext, changes: Changes, wait: bool, timeout: float
) -> dict[str, EvcsError]:
    """Do it: creations in one commit, then edits, then deletions; the errors by id."""
    errors: dict[str, EvcsError] = {}
    expected: dict[str, cp_changes.Goal] = {}
    if changes.create:
        answers = ctx.registry.create_many(changes.create)
        for asked, answer in zip(changes.create, answers, strict=True):
            if "error" in answer:
                errors[asked["id"]] = error_from(answer)
            else:
                expected[asked["id"]] = cp_changes.settled(answer)
    given = {cp: {k: then for k, (_, then) in f.items()} for cp, f in changes.edit.items()}
    edited = cp_changes.each(list(given), lambda cp: ctx.registry.edit(cp, given[cp]))
    for cp, answer in edited.made.items():
        turned = "service" in given[cp]
        expected[cp] = cp_changes.settled(answer) if turned else cp_changes.taken_note(answer)
    removed = cp_changes.each(changes.remove, ctx.registry.delete)
    errors.update({**edited.errors, **removed.errors})
    if wait and expected:
        errors.update(cp_changes.await_states(ctx, expected, timeout)[1])
    if wait and removed.made:
        errors.update(cp_changes.await_gone(ctx, list(removed.made), timeout))
    return errors


def _finish(
    ctx: CommandContext, changes: Changes, errors: dict[str, EvcsError], wait: bool
) -> None:
    failed = {name: cp_changes.error_json(error) for name, error in sorted(errors.items())}
    ctx.out.data({**_to_json(changes), "applied": True, "errors": failed})
    for error in list(errors.values())[:20]:
        ctx.out.fail(error)
    count = len(changes.create) + len(changes.edit) + len(changes.remove)
    if not errors:
        ctx.out.say(f"{'applied' if wait else 'being applied'}: {count} CPs changed")
        return
    codes = {error.code for error in errors.values()}
    alike = len(errors) == count and len(codes) == 1
    raise SystemExit(BY_CODE[codes.pop()].exit_code if alike else PartFailed.exit_code)
