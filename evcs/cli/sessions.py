"""`evcs sessions`: sessions and tickets, listed, shown, ended and closed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import names
from evcs.cli.charge_view import eur, limited
from evcs.cli.common import CommandContext, command, kwh, span, table, with_call
from evcs.cli.operator import ask_operator
from evcs.cli.options import known_cps, known_drivers, since_time, until_time
from evcs.cli.terminal import typed
from evcs.core import session_csv
from evcs.core.end_reasons import in_words
from evcs.core.errors import BadValue, Conflict, NotFound
from evcs.core.ids import is_session_id
from evcs.core.session import OPEN_STATES, STATES, in_full

HEAD = ("SESSION", "CP", "DRIVER", "STATE", "STARTED", "DURATION", "ENERGY", "COST", "REASON")


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which sessions."""
    for flag, kwargs in (
        ("--limit", {"type": click.IntRange(1, 1_000_000), "default": 1000, "show_default": True}),
        ("--until", {"metavar": "TIME", "help": "Started until then; a date is its whole day."}),
        ("--since", {"metavar": "TIME", "help": "Started from 2026-11-22[T09:00Z] on, or 7d."}),
        ("--state", {"type": click.Choice(STATES), "help": "Only these."}),
        ("--driver", {"metavar": "NAME", "shell_complete": known_drivers, "help": "Only theirs."}),
        ("--cp", {"metavar": "NAME", "shell_complete": known_cps, "help": "Only of this CP."}),
    ):
        function = click.option(flag, **kwargs)(function)
    return function


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs`."""

    @program.group(invoke_without_command=True)
    @_filters
    @click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
    @with_call
    def sessions(ctx: CommandContext, limit: int, as_csv: bool, **given: str | None) -> None:
        """Sessions and tickets, the latest first.

        Examples:
          evcs sessions --driver ALICE --since 2026-11-22 --until 2026-11-28
          evcs sessions --state active
          evcs sessions --since 7d --csv > week.csv
        """
        if click.get_current_context().invoked_subcommand is not None:
            return
        if as_csv and ctx.out.json:
            raise BadValue("--csv and --json at once", "give one of the two")
        found = _read(ctx, limit, **given)
        if as_csv:
            sys.stdout.write(session_csv.render(found))
            return
        ctx.out.data(found, _table(ctx, found) if found else None)
        if not found:
            ctx.out.say(_nothing(ctx, **given))

    _add_one(sessions)


def _add_one(sessions: click.Group) -> None:
    """What is done with one session."""

    @command(sessions, "show")
    @click.argument("session_id", metavar="ID")
    def sessions_show(ctx: CommandContext, session_id: str) -> None:
        """Show one session: who, where, when, how much, its ticket.

        Examples:
          evcs sessions show 261122-0123456789ab
        """
        found = LedgerReader(ctx.settings.home.ledger_db).session(session_id)
        if found is None:
            raise _unknown(session_id)
        shown = in_full(found)
        ctx.out.data(shown, _lines(ctx, shown))

    @command(sessions, "end")
    @click.argument("which", metavar="ID|CP|DRIVER")
    def sessions_end(ctx: CommandContext, which: str) -> None:
        """End a charge that is under way; its ticket follows.

        Examples:
          evcs sessions end CP-001
          evcs sessions end 261122-0123456789ab
        """
        session_id = _under_way(ctx, which)
        session = _ask(ctx, "end", session_id)
        whose = f"of {session['driver'] or 'nobody known'} at {session['cp']}"
        text = f"the charge {whose} is told to end; its ticket: evcs sessions show {session_id}"
        ctx.out.done(session, typed(text))

    @command(sessions, "close")
    @click.argument("session_id", metavar="ID")
    def sessions_close(ctx: CommandContext, session_id: str) -> None:
        """Settle a session at its last metered Wh.

        The way out where its Engine never returns.

        Examples:
          evcs sessions close 261122-0123456789ab
        """
        session = _ask(ctx, "close", session_id)
        text = f"{session_id} settled: {kwh(session['energy_wh'])}, {eur(session['cost_eur'])}"
        ctx.out.done(session, text)


def _under_way(ctx: CommandContext, which: str) -> str:
    """The id of the one charge at that CP, or of that driver; else what was given as an id."""
    reader = LedgerReader(ctx.settings.home.ledger_db)
    found = {
        one["session_id"]
        for state in OPEN_STATES
        for one in (
            *reader.sessions(cp=which, state=state), *reader.sessions(driver=which, state=state)
        )
    }  # fmt: skip
    if len(found) > 1:
        hint = f"name one: {' or '.join(sorted(found)[:5])}"
        raise Conflict(f"{which} has {len(found)} charges under way", hint)
    return found.pop() if found else which


def _ask(ctx: CommandContext, verb: str, session_id: str) -> dict[str, Any]:
    """Have Central do it; the session as it was then."""
    if not is_session_id(session_id):
        raise _unknown(session_id)
    found: dict[str, Any] = ask_operator(ctx, verb, session_id=session_id)["session"]
    return found


def _unknown(session_id: str) -> NotFound:
    return NotFound(f"no session {session_id[:40]!a}", "list them with: evcs sessions")


def _read(
    ctx: CommandContext, limit: int, cp: str | None, driver: str | None, state: str | None,
    since: str | None, until: str | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The sessions of a filter."""
    reader = LedgerReader(ctx.settings.home.ledger_db)
    return reader.sessions(
        cp=cp, driver=driver, since=since_time(since), until=until_time(until), state=state,
        limit=limit,
    )  # fmt: skip


def _nothing(
    ctx: CommandContext, cp: str | None, driver: str | None, **others: str | None
) -> str:  # fmt: skip
    """Why there is nothing to list."""
    home = ctx.settings.home
    if not home.registry_json.exists():
        return f"no system was ever started in {home.path}; is EVCS_HOME the right one?"
    wrong = names.missing(home, cp, driver)
    if wrong and not LedgerReader(home.ledger_db).sessions(cp=cp, driver=driver, limit=1):
        return wrong.line
    return "no session matches" if cp or driver or any(others.values()) else "no session yet"


def _table(ctx: CommandContext, found: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            one.get("corrects", one["session_id"]), one["cp"], one["driver"] or "",
            "correction" if "corrects" in one else one["state"], ctx.out.time(one["started_at"]),
            _duration(one), kwh(one["energy_wh"]), eur(one["cost_eur"]), in_words(one["reason"]),
        )
        for one in found
    ]  # fmt: skip
    return table(HEAD, rows)


def _duration(session: Mapping[str, Any]) -> str:
    """How long it took, or takes until now."""
    began, ended = session["started_at"], session["ended_at"]
    end = datetime.fromisoformat(ended) if ended else datetime.now(UTC)
    return span(max(int((end - datetime.fromisoformat(began)).total_seconds()), 0))


def _lines(ctx: CommandContext, one: dict[str, Any]) -> list[str]:
    """A session for people; what it has not is left out."""
    correction = one.get("correction")
    lines = {
        "session": one["session_id"],
        "cp": one["cp"],
        "driver": one["driver"] or "nobody known",
        "state": one["state"],
        "started": f"{ctx.out.time(one['started_at'])}, by the {one['origin']}",
        "ended": ctx.out.time(one["ended_at"]),
        "duration": _duration(one),
        "energy": kwh(one["energy_wh"]),
        "asked for": kwh(one["requested_wh"]) if one["requested_wh"] else "",
        "price": one["price_eur_kwh"] and f"{one['price_eur_kwh']} EUR/kWh",
        "cost": eur(one["cost_eur"]),
        "limit": "" if one["limit_w"] is None else limited(one["limit_w"]),
        "reason": in_words(one["reason"]),
        "correction": correction and ", ".join(filter(None, (
            kwh(correction["energy_wh"]), eur(correction["cost_eur"]),
            ctx.out.time(correction["at"]),
        ))),
    }  # fmt: skip
    return [f"{name}: {value}" for name, value in lines.items() if value]
