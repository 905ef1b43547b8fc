"""`evcs driver`: who may charge, added, removed, forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from shlex import quote as shell_word

import click

from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import cp_changes, names
from evcs.cli.common import CommandContext, command, table
from evcs.cli.operator import ask_operator
from evcs.cli.options import known_drivers
from evcs.core.errors import BadValue, Conflict, NotFound
from evcs.core.ids import check_id
from evcs.core.session import OPEN_STATES

_LIST = "list them with: evcs driver list"
TAG_VERBS = ("add", "remove", "list")


def add_to(program: click.Group) -> None:
    """Add `driver` to `evcs`."""

    @program.group()
    def driver() -> None:
        """Drivers: who may charge."""

    @command(driver, "add")
    @click.argument("drivers", nargs=-1, required=True, metavar="NAME...")
    def driver_add(ctx: CommandContext, drivers: tuple[str, ...]) -> None:
        """Add drivers, each with a secret of its own.

        Examples:
          evcs driver add ALICE BOB
        """
        checked = [check_id("driver", name) for name in drivers]
        cp_changes.tell_done(
            ctx, cp_changes.each(checked, ctx.registry.add_driver), "added", "drivers"
        )

    _add_remove(driver)
    _add_list(driver)
    _add_tag(driver)


def _add_remove(driver: click.Group) -> None:
    @command(driver, "remove")
    @click.argument(
        "drivers", nargs=-1, required=True, metavar="NAME...", shell_complete=known_drivers
    )
    @click.option(
        "--forget", is_flag=True, help="Also put a pseudonym in the place of their names."
    )
    def driver_remove(ctx: CommandContext, drivers: tuple[str, ...], forget: bool) -> None:
        """Remove drivers with their secrets; their tickets stay.

        With --forget these stay without the name.

        Examples:
          evcs driver remove BOB
          evcs driver remove ALICE --forget
        """
        checked = [check_id("driver", name) for name in drivers]
        do = partial(_forget if forget else _remove, ctx)
        cp_changes.tell_done(
            ctx,
            cp_changes.each(checked, do),
            "removed and forgotten" if forget else "removed",
            "drivers",
        )


def _add_list(driver: click.Group) -> None:
    @command(driver, "list")
    def driver_list(ctx: CommandContext) -> None:
        """List drivers with their cards.

        Examples:
          evcs driver list
        """
        found = ctx.registry.drivers()
        rows = [(one["id"], " ".join(map(shell_word, one["tags"]))) for one in found]
        ctx.out.data(found, table(("DRIVER", "CARDS"), rows) if found else None)
        if not found:
            ctx.out.say("no driver yet; add one: evcs driver add ALICE")


def _add_tag(driver: click.Group) -> None:
    """Add `driver tag`."""

    @command(driver, "tag")
    @click.argument("name", shell_complete=known_drivers)
    @click.argument("what", metavar="add|remove|list", shell_complete=_begun)
    @click.argument("tags", nargs=-1, metavar="[TAG...]")
    def driver_tag(ctx: CommandContext, name: str, what: str, tags: tuple[str, ...]) -> None:
        """Add, remove or list a driver's RFID cards.

        Other tokens too; they are compared whatever their case.

        Examples:
          evcs driver tag ALICE add 04A1B2C3
          evcs driver tag ALICE list
        """
        if name in TAG_VERBS and what not in TAG_VERBS:
            name, what = what, name  # the verb first, as elsewhere: nothing else can be meant
        name = check_id("driver", name)
        if what not in TAG_VERBS:
            meant = " ".join([name, "add", *map(shell_word, (what, *tags))])
            text = f"{what[:40]!a} is none of {', '.join(TAG_VERBS)}"
            raise BadValue(text, f"did you mean: evcs driver tag {meant}")
        if (what == "list") != (not tags):
            raise BadValue("list has no tag, add and remove need one", "see: evcs driver tag -h")
        if what == "list":
            found = next((one for one in ctx.registry.drivers() if one["id"] == name), None)
            if found is None:
                raise names.no_driver(name, names.drivers(ctx.settings.home), _LIST)
        else:
            with _meant(ctx, name):
                found = ctx.registry.tag_driver(name, **{f"{what}_tags": list(tags)})
        ctx.out.data(found, found["tags"] if what == "list" else [])
        if what != "list":
            ctx.out.say(f"{name}: {', '.join(tags)} {what.removesuffix('e')}ed")


def _begun(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """For a shell's completion."""
    return [verb for verb in TAG_VERBS if verb.startswith(begun)]


@contextmanager
def _meant(ctx: CommandContext, name: str) -> Iterator[None]:
    """Where there is no such driver, the nearest name is told."""
    try:
        yield
    except NotFound as error:
        error.message = error.message.partition(";")[0]  # the Registry's next step stands in it
        error.hint = names.hint(name, names.drivers(ctx.settings.home), error.hint or _LIST)
        raise


def _remove(ctx: CommandContext, name: str) -> None:
    with _meant(ctx, name):
        ctx.registry.remove_driver(name)


def _forget(ctx: CommandContext, name: str) -> None:
    """Remove a driver, where that wasn't done before, and have Central forget the name."""
    reader = LedgerReader(ctx.settings.home.ledger_db)
    if any(reader.sessions(driver=name, state=state, limit=1) for state in OPEN_STATES):
        raise Conflict(
            f"driver {name} has a session that is not settled", f"evcs-driver stop --driver {name}"
        )
    missing = None
    try:
        _remove(ctx, name)
    except NotFound as error:
        missing = error
    try:
        ask_operator(ctx, "forget", driver=name)
    except NotFound:
        if missing is not None:
            raise missing from None
