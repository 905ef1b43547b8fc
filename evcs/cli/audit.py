"""`evcs audit`: who did what, when, with what outcome."""

from __future__ import annotations

import click

from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import names
from evcs.cli.common import CommandContext, command, table
from evcs.cli.options import known_cps, since_time
from evcs.core.ids import check_id

FIELDS = ("at", "who", "what", "cp", "outcome", "detail")


def add_to(program: click.Group) -> None:
    """Add this command to `evcs`."""

    @command(program)
    @click.option("--cp", metavar="NAME", help="Only of this CP.", shell_complete=known_cps)
    @click.option("--since", metavar="TIME", help="At or after 2026-11-22[T09:00:00Z].")
    @click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
    def audit(ctx: CommandContext, cp: str | None, since: str | None, limit: int) -> None:
        """Who did what, when, with what outcome.

        Refused logins, authorisations, changes, commands, faults, tickets; the latest first.

        Examples:
          evcs audit --since 1d
          evcs audit --cp CP-001
        """
        reader = LedgerReader(ctx.settings.home.ledger_db)
        found = reader.audit(check_id("CP", cp) if cp else None, since_time(since), limit)
        rows = [
            [ctx.out.time(one["at"]), *(one[name] or "" for name in FIELDS[1:])] for one in found
        ]
        head = [name.upper() for name in FIELDS]
        ctx.out.data(found, table(head, rows) if found else None)
        if not found:
            wrong = names.missing(ctx.settings.home, cp)
            if wrong and not reader.audit(cp, limit=1):
                ctx.out.say(f"{wrong.message}; {wrong.hint}")
            else:
                ctx.out.say("no entry matches" if cp or since else "no entry yet")
