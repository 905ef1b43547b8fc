"""`evcs sessions`: sessions and tickets, listed and closed."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta

import click

from evcs.adapters.ledger import LedgerReader
from evcs.cli.common import CommandContext, command, kwh, table, with_call
from evcs.cli.operator import ask_operator
from evcs.core import session_csv
from evcs.core.errors import BadValue, NotFound
from evcs.core.ids import is_word


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs`."""

    @program.group(invoke_without_command=True)
    @click.option("--cp", metavar="NAME", help="Only of this CP.")
    @click.option("--driver", metavar="NAME", help="Only of this driver.")
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
        """Sessions and tickets, the latest first."""
        if click.get_current_context().invoked_subcommand is not None:
            return
        reader = LedgerReader(ctx.settings.home.ledger_db)
        found = reader.sessions(cp, driver, since_time(since), limit=limit)
        if as_csv:
            sys.stdout.write(session_csv.render(found))
            return
        rows = [
            (
                one["session_id"], one["cp"], one["driver"] or "", one["state"], one["started_at"],
                kwh(one["energy_wh"]), f"{one['cost_eur']} EUR", one["reason"] or "",
            )
            for one in found
        ]  # fmt: skip
        head = ("SESSION", "CP", "DRIVER", "STATE", "STARTED", "ENERGY", "COST", "REASON")
        ctx.out.data(found, table(head, rows) if found else None)
        if not found:
            ctx.out.say("no session matches" if cp or driver or since else "no session yet")

    @command(sessions, "close")
    @click.argument("session_id", metavar="ID")
    def sessions_close(ctx: CommandContext, session_id: str) -> None:
        """Settle a session at its last metered Wh: the way out where its Engine never returns."""
        if not is_word(session_id):
            raise NotFound(f"no session {session_id[:40]!a}", "list them with: evcs sessions")
        answer = ask_operator(ctx, "close", session_id=session_id)
        session = answer["session"]
        text = f"{session_id} settled: {kwh(session['energy_wh'])}, {session['cost_eur']} EUR"
        ctx.out.data(session, text)


_AGO = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def since_time(text: str | None) -> str | None:
    """A time as the ledger compares it; a date is its midnight, UTC; 10m is ten minutes ago."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            at = datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        else:
            at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadValue(
            f"--since: {text[:40]!a} is not a time", "such as 2026-11-22T09:00Z, or 10m"
        ) from None
    at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
