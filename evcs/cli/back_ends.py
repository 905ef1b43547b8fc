"""`evcs-cp present, backend`, and what a creation says of a back end: CPs that dial out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from evcs.adapters import back_end_tls
from evcs.cli.bus_probe import states
from evcs.cli.common import CommandContext, command
from evcs.cli.cp_names import pick
from evcs.cli.operator import ask_operator
from evcs.cli.options import known_cps
from evcs.core import back_ends
from evcs.core.errors import BadValue, Conflict, Denied
from evcs.core.ocpp.back_end import CONNECTED
from evcs.core.ocpp.frame_line import frame_line

#: An Engine asks its back end for a card; it has answered by then, or Central has for it.
ANSWER_WITHIN_S = 30.0


def of_back_end(function: Callable[..., Any]) -> Callable[..., Any]:
    """What can be given of a back end."""
    file: dict[str, Any] = {"metavar": "F", "type": click.Path(dir_okay=False, path_type=Path)}
    version = "The version that it speaks to its back end."
    for flag, kwargs, text in (
        ("--token", {"metavar": "TAG"}, "The card of a car that is plugged in by hand."),
        ("--ocpp-password-file", file, "What it dials its back end with, alone in a file."),
        ("--backend-certificate", file,
         "Its key and certificate for wss://, as PEM (security profile 3)."),
        ("--backend-ca", file,
         "Of which CAs its back end's certificate has to be; else the machine's."),
        ("--ocpp", {"type": click.Choice(back_ends.VERSIONS)}, version),
        ("--backend", {"metavar": "URL"},
         "It is a charger of that: wss://example.org/ocpp/{id}, or without {id}."),
    ):  # fmt: skip
        function = click.option(flag, help=text, **kwargs)(function)
    return function


def fields(given: Mapping[str, str | None], files: Mapping[str, Path | None]) -> dict[str, Any]:
    """What of it is asked for. `files`: whose content fields are. Raises BadValue."""
    found = {name: value for name, value in given.items() if value is not None}
    there = {name: path for name, path in files.items() if path is not None}
    if (found or there) and "backend" not in found:
        raise BadValue("no back end is given", "give one with: --backend URL")
    for name, value in found.items():
        back_ends.FIELDS[name](value)
    return found | {name: _READ[name](path) for name, path in there.items()}


def _password(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(2 * back_ends.MAX_PASSWORD).strip()
    except (OSError, UnicodeError) as error:
        raise BadValue(f"{path} can't be read: {error}", "see: --help") from None
    return back_ends.password(text)


#: Why nothing comes of a card, in the Engine's word and in ours.
HINDERED = {
    "busy": "a charge is under way, or a car is waited for",
    "faulted": "it is broken down",
    "unavailable": "its back end has taken it out of service",
    "offline": "its back end is away, and it does not know the card",
    "no room": "too much waits for its back end",
    "disk_full": "the disk is full; what has ended is told once there is room",
    "too often": "too many charges began in the last minute",
}

_READ: Mapping[str, Callable[[Path], str]] = {
    "ocpp_password": _password,
    "backend_ca": back_end_tls.authorities,
    "backend_certificate": back_end_tls.certificate,
}


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    @click.argument("tag")
    def present(ctx: CommandContext, name: str, tag: str) -> None:
        """Hold a card to a CP with a back end.

        A charge begins, or ends where that card may end it. In OCPP 2.0.1 a card of another type
        than RFID has that before a colon.

        Examples:
          evcs-cp present OUT-1 04A1B2C3
          evcs-cp present OUT-1 KeyCode:1234
        """
        (cp,) = pick(ctx, [name])
        answer = _presented(ctx, cp, back_ends.token(tag))
        ctx.out.done({"id": cp, **answer}, f"{cp}: {answer['card']}")

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    def backend(ctx: CommandContext, name: str) -> None:
        """Show what a CP has of its back end.

        What was exchanged lately, and what waits to be told.

        Examples:
          evcs-cp backend OUT-1
        """
        (cp,) = pick(ctx, [name])
        found = ask_operator(ctx, "backend", cp)
        found.pop("message", None)
        ctx.out.data({"id": cp, **found}, _lines(found))


def _presented(ctx: CommandContext, cp: str, tag: str) -> dict[str, Any]:
    try:
        return ask_operator(ctx, "present", cp, body={"tag": tag}, within_s=ANSWER_WITHIN_S)
    except (Conflict, Denied) as error:
        why = HINDERED.get(error.message)
        if why is not None:
            raise Conflict(f"CP {cp}: {why}", f"see: evcs-cp backend {cp}") from None
        if isinstance(error, Denied):
            raise Denied(f"CP {cp}: to that card its back end says {error.message}", "") from None
        raise


def away(ctx: CommandContext, ids: Iterable[str]) -> list[str]:
    """Those among these CPs whose back end they have not."""
    dialling = {cp["id"] for cp in ctx.registry.cps() if cp["backend"]}.intersection(ids)
    found = states(ctx.settings, dialling) if dialling else {}
    return sorted(cp for cp, state in found.items() if state.backend_state != CONNECTED)


def _lines(found: dict[str, Any]) -> list[str]:
    reason = f" ({found['reason']})" if found["reason"] else ""
    waiting = [
        f"{one['count']} {one['action']}{_failed(one['failed'])}" for one in found["waiting"]
    ]
    return [
        f"back end: {found['backend_state']}{reason}",
        f"registration: {found['registration'] or 'none yet'}",
        f"status: {found['ocpp_status']}",
        f"messages: {found['sent']} sent, {found['received']} received since it began",
        f"waiting: {', '.join(waiting) or 'nothing'}",
        *(f"{one['dir']:3}  {frame_line(one['frame'])}" for one in found["frames"]),
    ]


def _failed(times: int) -> str:
    return f" (refused {times} times)" if times else ""
