"""`evcs audit`: who did what, when, with what outcome."""

from __future__ import annotations

import click

from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import names
from evcs.cli.common import CommandContext, command, table
from evcs.cli.options import known_cps, since_time, until_time
from evcs.core.ids import check_id

FIELDS = ("at", "who", "what", "cp", "outcome", "detail")


def add_to(program: click.Group) -> None:
    """Add this command to `evcs`."""

    @command(program)
    @click.option("--cp", metavar="NAME", help="Only of this CP.", shell_complete=known_cps)
    @click.option("--who", metavar="TEXT", help="Only by who has this in it: alice, web, driver/.")
    @click.option("--what", metavar="TEXT", help="Only what has this in it, or in its detail.")
    @click.option("--since", metavar="TIME", help="At or after 2026-11-22[T09:00:00Z], or 7d ago.")
    @click.option("--until", metavar="TIME", help="Until then; a date is its whole day.")
    @click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
    def audit(
        ctx: CommandContext, cp: str | None, who: str | None, what: str | None, since: str | None,
        until: str | None, limit: int,
    ) -> None:  # fmt: skip
        """Who did what, when, with what outcome.

        Refused logins, authorisations, changes, commands, faults, tickets; the latest first. Who
        changed something was a user at a terminal (operator/root) or at the page (web/ADDRESS).

        Examples:
          evcs audit --what price
          evcs audit --what 'driver tag'
          evcs audit --who operator/ --since 1d
          evcs audit --cp CP-001 --since 2026-11-22 --until 2026-11-28
        """
        reader = LedgerReader(ctx.settings.home.ledger_db)
        found = reader.audit(
            check_id("CP", cp) if cp else None, since_time(since), limit, until_time(until), who,
            what,
        )  # fmt: skip
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
                filtered = cp or who or what or since or until
                ctx.out.say("no entry matches" if filtered else "no entry yet")
