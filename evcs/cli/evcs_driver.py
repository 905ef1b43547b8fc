"""`evcs-driver`: charge, stop, see what is free and what was charged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from evcs.cli import entry
from evcs.cli.charge_view import eur, show, view_of
from evcs.cli.common import CommandContext, command, kw, kwh, table
from evcs.cli.driver_client import Body, DriverClient, denial
from evcs.cli.options import Seconds, known_cps, known_drivers
from evcs.core import units
from evcs.core.end_reasons import EndReason, in_words
from evcs.core.errors import BadValue, EvcsError, NotFound, PartFailed
from evcs.core.ids import check_id

#: An Engine that is there ends a charge sooner.
AT_ONCE_S = 1.0
#: Of a file of services, in characters.
MAX_SERVICES = 1_000_000
ENDED_WELL = frozenset({
    EndReason.COMPLETED, EndReason.UNPLUGGED, EndReason.DRIVER, EndReason.OPERATOR,
    EndReason.CLOSED, EndReason.OUT_OF_ORDER, EndReason.DELETED,
})  # fmt: skip

program = entry.group(
    "evcs-driver",
    """Charge as a driver: at a CP, or through a file of services.

    Who drives may be in the environment, too: export EVCS_DRIVER=ALICE

    Examples:
      evcs-driver charge CP-001 --driver ALICE --kwh 5
      evcs-driver history --driver ALICE
    """,
    also={"start": "charge"},
)


def as_driver(function: Callable[..., Any]) -> Callable[..., Any]:
    """Who charges."""
    return click.option(
        "--driver", required=True, envvar="EVCS_DRIVER", metavar="D", help="Who charges.",
        shell_complete=known_drivers,
    )(function)  # fmt: skip


@command(program)
@click.argument("cp", shell_complete=known_cps)
@as_driver
@click.option("--kwh", "energy", metavar="N", help="How much to take; 20 if not said.")
@click.option("--watch/--no-watch", default=True, help="Stay until the ticket.")
def charge(ctx: CommandContext, cp: str, driver: str, energy: str | None, watch: bool) -> None:
    """Charge at a CP and get a ticket.

    Examples:
      evcs-driver charge CP-001 --driver ALICE --kwh 5
    """
    ticket = _charge(ctx, check_id("CP", cp), driver, _energy(energy), watch)
    if ticket.get("state") == "settled" and ticket["reason"] not in ENDED_WELL:
        raise SystemExit(1)


def _energy(text: str | None) -> int | None:
    return None if text is None else units.thousands("--kwh", text, units.MAX_ENERGY_WH)


def _charge(ctx: CommandContext, cp: str, driver: str, energy_wh: int | None, watch: bool) -> Body:
    with DriverClient(ctx, driver) as talk:
        first = talk.ask("charge", cp, energy_wh)
        show(ctx, first)
        if not watch or first.event == "ticket":
            return {"session_id": first.session_id, **first.body} if watch else {}
        view = view_of(ctx, first)
        try:
            with view:
                for event in talk.follow(str(first.session_id)):
                    if event.event == "denied":
                        raise denial(event)
                    view.show(event)
        except KeyboardInterrupt:
            ctx.out.say("left; the charge goes on. Stop it: evcs-driver stop --driver " + driver)
            raise SystemExit(130) from None
        return {"session_id": event.session_id, **event.body}


@command(program)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_driver
@click.option("--pause", type=Seconds(0, 3600), default=4.0, show_default=True)
def run(ctx: CommandContext, file: Path, driver: str, pause: float) -> None:
    """Charge at each CP of a file, one after the other.

    One CP a line, optional kWh after it; # for comments.

    Examples:
      evcs-driver run services.txt --driver BOB --pause 1
    """
    services = _services(file)
    codes: list[int] = []
    for number, (cp, energy_wh) in enumerate(services):
        if number:
            time.sleep(pause)
        ctx.out.say(f"service {number + 1} of {len(services)}: {cp}")
        try:
            ticket = _charge(ctx, cp, driver, energy_wh, watch=True)
            codes.append(0 if ticket["reason"] in ENDED_WELL else 1)
        except EvcsError as error:
            if isinstance(error, NotFound) and "driver" in error.message:
                raise
            ctx.out.fail(error)
            ctx.out.data({"event": "denied", "cp": cp, "code": error.code,
                           "reason": error.message})  # fmt: skip
            codes.append(error.exit_code)
    done = sum(code == 0 for code in codes)
    ctx.out.say(f"{done} of {len(services)} services done")
    if done < len(services):
        raise SystemExit(codes[0] if len(set(codes)) == 1 else PartFailed.exit_code)


def _services(file: Path) -> list[tuple[str, int | None]]:
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(MAX_SERVICES + 1)
    except (OSError, ValueError):
        raise BadValue(f"{file} can't be read as text", "one CP id a line") from None
    if len(text) > MAX_SERVICES:
        raise BadValue(f"{file} is too large", f"allowed: {MAX_SERVICES} characters")
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if len(words) > 2:
                raise BadValue(f"{line.strip()[:60]!a} has more than an id and kWh", "")
            energy = _energy(words[1]) if len(words) == 2 else None
            found.append((check_id("CP", words[0]), energy))
        except EvcsError as error:
            raise BadValue(f"{file}, line {number}: {error.message}", error.hint) from None
    if not found:
        raise BadValue(f"{file} names no CP", "one CP id a line, optional kWh after it")
    return found


@command(program, "stop")
@as_driver
def stop_charge(ctx: CommandContext, driver: str) -> None:
    """Stop the charge that is under way; the ticket follows.

    Examples:
      evcs-driver stop --driver ALICE
    """
    with DriverClient(ctx, driver) as talk:
        answer = talk.ask("stop")
        session = answer.body["session"]
        waits = f"{session['cp']} is told to end it; its ticket comes once it has"
        patient = threading.Timer(AT_ONCE_S, ctx.out.say, [waits])
        patient.start()
        try:
            for event in talk.follow(str(session["session_id"])):
                if event.event == "ticket":
                    show(ctx, event)
        except KeyboardInterrupt:
            ctx.out.say("left; it ends all the same. See: evcs-driver history --driver " + driver)
            raise SystemExit(130) from None
        finally:
            patient.cancel()


@command(program, "list")
@as_driver
def list_offers(ctx: CommandContext, driver: str) -> None:
    """List CPs with state and price, as Central offers them.

    Examples:
      evcs-driver list --driver ALICE
    """
    with DriverClient(ctx, driver) as talk:
        found = talk.pages("list", "cps")
    rows = [
        (
            cp["id"], ctx.out.state(cp["state"]), cp["price_eur_kwh"], kw(cp["max_power_w"]),
            cp["location"],
        )
        for cp in found
    ]  # fmt: skip
    ctx.out.data(found, table(("CP", "STATE", "EUR/KWH", "POWER", "LOCATION"), rows))


@command(program)
@as_driver
def history(ctx: CommandContext, driver: str) -> None:
    """List your sessions and tickets, the latest first.

    Examples:
      evcs-driver history --driver ALICE
    """
    with DriverClient(ctx, driver) as talk:
        found = talk.pages("history", "sessions")
    rows = []
    for ticket in found:
        rows.append(_row(ctx, ticket, ticket["state"]))
        if correction := ticket.get("correction"):
            rows.append(_row(ctx, {**ticket, **correction}, "correction"))
    head = ("SESSION", "CP", "STATE", "STARTED", "ENERGY", "COST", "REASON")
    ctx.out.data(found, table(head, rows))


def _row(ctx: CommandContext, session: Mapping[str, Any], state: str) -> tuple[str, ...]:
    """A line of a history."""
    return (
        session["session_id"], session["cp"], state, ctx.out.time(session["started_at"]),
        kwh(session["energy_wh"]), eur(session["cost_eur"]), in_words(session["reason"]),
    )  # fmt: skip


def main() -> None:
    """The program."""
    entry.main(program)


if __name__ == "__main__":
    main()
