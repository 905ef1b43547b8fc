"""`evcs doctor [--fix]`: every check, one line each, with its remedy."""

from __future__ import annotations

from collections.abc import Callable

import click

from evcs.cli.bounds import FAIL, OK, WARN, Finding
from evcs.cli.common import CommandContext, command, table
from evcs.cli.doctor import broker, centre, chargers, home, hosts, live, machine, sessions
from evcs.cli.doctor.context import DoctorContext
from evcs.cli.supervision import require_own
from evcs.cli.terminal import style, typed
from evcs.core.errors import EvcsError, NotFound

#: Of a host that has joined: what it has of its own, and what it needs of its centre.
OF_HOST: tuple[Callable[[DoctorContext], Finding], ...] = (
    *machine.OF_HOST, *home.OF_HOST, *live.OF_HOST, *centre.CHECKS,
)  # fmt: skip
CHECKS: tuple[Callable[[DoctorContext], Finding], ...] = (
    *machine.CHECKS, *home.CHECKS, *live.CHECKS, *sessions.CHECKS,
    *broker.CHECKS, *chargers.CHECKS, *hosts.CHECKS,
)  # fmt: skip
COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}


def add_to(program: click.Group) -> None:
    """Add `doctor` to `evcs`."""

    @command(program)
    @click.option("--fix", is_flag=True, help="Also do what is safe, and look again.")
    def doctor(ctx: CommandContext, fix: bool) -> None:
        """Find out what is wrong, and what to do about it.

        It looks at machine, home and system.

        Examples:
          evcs doctor
          evcs doctor --fix
        """
        if not ctx.settings.home.path.is_dir():
            raise NotFound(f"no home {ctx.settings.home.path}", "evcs up makes it")
        if fix:
            require_own(ctx.settings.home)
        found = examine(ctx)
        fixed = [done for one in found if fix and one.fix for done in _mend(ctx, one, one.fix)]
        if fixed:
            found = examine(ctx)
        rows = [(style(one.level, fg=COLOURS[one.level]), one.check, one.text, one.remedy)
                for one in found]  # fmt: skip
        report = {"checks": [one.to_json() for one in found], "fixed": fixed}
        ctx.out.data(report, table(("", "CHECK", "FOUND", "NEXT STEP"), rows))
        if any(one.level == FAIL for one in found):
            raise SystemExit(1)


def _mend(ctx: CommandContext, one: Finding, fix: Callable[[], str]) -> list[str]:
    try:
        done = fix()
    except (EvcsError, OSError) as error:
        ctx.out.say(f"{one.check}: could not be mended: {error}")
        return []
    ctx.out.say(f"{one.check}: {done}")
    return [f"{one.check}: {done}"]


def examine(ctx: CommandContext) -> list[Finding]:
    """Every check once, on one look."""
    look = DoctorContext(ctx)
    checks = OF_HOST if ctx.settings.is_joined else CHECKS
    found = (_run(check, look) for check in checks)
    return [one._replace(text=typed(one.text), remedy=typed(one.remedy)) for one in found]


def _run(check: Callable[[DoctorContext], Finding], ctx: DoctorContext) -> Finding:
    try:
        return check(ctx)
    except EvcsError as error:
        return Finding(check.__name__, FAIL, error.message, error.hint)
    except OSError as error:
        return Finding(check.__name__, FAIL, str(error), "is the home yours?")
