"""`evcs sessions`: sessions and tickets, listed and closed."""

from __future__ import annotations

import sys
from typing import Any

import click

from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import names
from evcs.cli.common import CommandContext, command, kwh, table, with_call
from evcs.cli.operator import ask_operator
from evcs.cli.options import known_cps, known_drivers, since_time
from evcs.core import session_csv
from evcs.core.errors import NotFound
from evcs.core.ids import is_word


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs`."""

    @program.group(invoke_without_command=True)
    @click.option("--cp", metavar="NAME", help="Only of this CP.", shell_complete=known_cps)
    @click.option(
        "--driver", metavar="NAME", help="Only of this driver.", shell_complete=known_drivers
    )
    @click.option("--since", metavar="TIME", help="Started at or after 2026-11-22[T09:00:00Z].")
    @click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
    @click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
    @with_call
    def sessions(
        ctx: CommandContext,
        cp: str | None,
        driver: str | None,
        since: str | None,
        limit: int,
        as_csv: bool,
    ) -> None:
        """Sessions and tickets, the latest first.

        Examples:
          evcs sessions --driver ALICE --since 2026-11-22
          evcs sessions --since 7d --csv > week.csv
        """
        if click.get_current_context().invoked_subcommand is not None:
            return
        reader = LedgerReader(ctx.settings.home.ledger_db)
        found = reader.sessions(cp, driver, since_time(since), limit=limit)
        wrong = None if found else names.missing(ctx.settings.home, cp, driver)
        if wrong and not reader.sessions(cp, driver, limit=1):
            raise wrong
        if as_csv:
            sys.stdout.write(session_csv.render(found))
            return
        ctx.out.data(found, _table(found) if found else None)
        if not found:
            ctx.out.say(_nothing(ctx, bool(cp or driver or since)))

    @command(sessions, "close")
    @click.argument("session_id", metavar="ID")
    def sessions_close(ctx: CommandContext, session_id: str) -> None:
        """Settle a session at its last metered Wh.

        The way out where its Engine never returns.

        Examples:
          evcs sessions close 261122-0123456789ab
        """
        if not is_word(session_id):
            raise NotFound(f"no session {session_id[:40]!a}", "list them with: evcs sessions")
        answer = ask_operator(ctx, "close", session_id=session_id)
        session = answer["session"]
        text = f"{session_id} settled: {kwh(session['energy_wh'])}, {session['cost_eur']} EUR"
        ctx.out.data(session, text)


def _nothing(ctx: CommandContext, filtered: bool) -> str:
    """Why there is nothing to list."""
    home = ctx.settings.home
    if not home.registry_json.exists():
        return f"no system was ever started in {home.path}; is EVCS_HOME the right one?"
    return "no session matches" if filtered else "no session yet"


def _table(found: list[dict[str, Any]]) -> list[str]:
    head = ("SESSION", "CP", "DRIVER", "STATE", "STARTED", "ENERGY", "COST", "REASON")
    rows = [
        (
            one.get("corrects", one["session_id"]), one["cp"], one["driver"] or "",
            "correction" if "corrects" in one else one["state"], one["started_at"],
            kwh(one["energy_wh"]), f"{one['cost_eur']} EUR", one["reason"] or "",
        )
        for one in found
    ]  # fmt: skip
    return table(head, rows)
