"""Flags and arguments that several commands share, and what they may be."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from evcs.cli import names
from evcs.cli.terminal import shown
from evcs.config import load
from evcs.core.desired import HOSTINGS
from evcs.core.errors import BadValue, EvcsError
from evcs.core.stored import Stored


class Seconds(click.FloatRange):
    """A number of seconds within bounds; click lets nan through, which is beyond none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return found


def _known(of: Callable[[Stored], Iterable[str]], begun: str) -> list[str]:
    """For a shell's completion: straight from the store, so that it is quick and needs nothing."""
    with suppress(EvcsError):
        stored = names.stored(load().home)
        return [name for name in of(stored) if name.startswith(begun)] if stored else []
    return []


def known_cps(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The CPs whose names begin so."""
    return _known(lambda stored: stored.cps, begun)


def known_drivers(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The drivers whose names begin so."""
    return _known(lambda stored: stored.drivers, begun)


def known_circuits(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """The circuits whose names begin so."""
    return _known(lambda stored: stored.circuits, begun)


def waiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of commands that wait for Central's judgement."""
    function = click.option(
        "--timeout", type=Seconds(0.1, 86_400), default=60.0, show_default=True,
        help="Seconds to wait.",
    )(function)  # fmt: skip
    return click.option(
        "--wait/--no-wait", "wait", default=True, help="Wait until the change is confirmed."
    )(function)


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """CPs by id, range or glob."""
    return click.argument(
        "names", nargs=-1, required=True, metavar="NAME...", shell_complete=known_cps
    )(function)


def named_or_all(function: Callable[..., Any]) -> Callable[..., Any]:
    """CPs by id, range or glob, or --all."""
    function = click.argument("names", nargs=-1, metavar="NAME...|--all", shell_complete=known_cps)(
        function
    )
    return click.option("--all", "everyone", is_flag=True, help="Every CP.")(function)


def at_location(function: Callable[..., Any]) -> Callable[..., Any]:
    """CPs by where they stand."""
    return click.option("--location", metavar="TEXT", help="Those whose location has this in it.")(
        function
    )


def of_cp(function: Callable[..., Any]) -> Callable[..., Any]:
    """What can be set of a CP."""
    circuit: dict[str, Any] = {"metavar": "NAME", "shell_complete": known_circuits}
    for flag, kwargs, text in (
        ("--hosting", {"type": click.Choice(HOSTINGS)},
         "Processes of its own, a pool's, or a real charger."),
        ("--host", {"metavar": "NAME"}, "The machine that it runs on: see evcs host."),
        ("--circuit", circuit, "The cable that it shares: see evcs circuit."),
        ("--location", {}, "Where it stands; any text."),
        ("--price-eur-kwh", {"metavar": "D"}, "Price, such as 0.30."),
        ("--max-power-kw", {"metavar": "D"}, "Highest power, such as 22."),
    ):  # fmt: skip
        function = click.option(flag, help=text, **kwargs)(function)
    return function


def when_free(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flag of commands that move CPs to another host."""
    return click.option(
        "--when-free", is_flag=True, help="Move after a charge under way; else it ends."
    )(function)


def of_charger(function: Callable[..., Any]) -> Callable[..., Any]:
    """What can be given of a real charger."""
    for flag, kwargs in (
        ("--ocpp-id", {"metavar": "ID", "help": "What it calls itself; else its station's name."}),
        ("--connector", {"type": int, "help": "Of its station; else 1.", "metavar": "N"}),
        ("--station", {"metavar": "NAME", "help": "Of a real charger; else the CP's name."}),
    ):
        function = click.option(flag, **kwargs)(function)
    return function


_AGO = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def since_time(text: str | None, flag: str = "--since") -> str | None:
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
            f"{flag}: {text[:40]!a} is not a time", "such as 2026-11-22T09:00Z, 7d or 10m"
        ) from None
    at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def until_time(text: str | None) -> str | None:
    """The same; a date is the whole of its day."""
    whole_day = text is not None and _DATE.fullmatch(text) is not None
    return since_time(f"{text}T23:59:59.999Z" if whole_day else text, "--until")


def confirm_deletion(count: int, otherwise: str) -> None:
    """Ask before CPs are deleted; see `confirm`."""
    confirm(f"Delete {count} CPs?", f"{count} CPs would be deleted", otherwise)


def confirm(question: str, what: str, otherwise: str) -> None:
    """Ask; without a yes the command ends, and `otherwise` says what has not been done.

    Nobody is asked where there is no terminal: `what` would be done is an error there.
    """
    if not sys.stdin.isatty():
        raise BadValue(f"{what}; {otherwise}", "say --yes")
    try:
        sure = click.confirm(question, err=True)
    except click.Abort:
        click.echo("\n" + shown(otherwise), err=True)
        sys.exit(130)
    if not sure:
        raise EvcsError(otherwise, "answer y, or say --yes")
