"""`evcs-cp certificate`: what a charger dials in with instead of a password."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from evcs.adapters import certificates
from evcs.adapters.files import write_new
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.spool import Spool
from evcs.cli.chargers import charger, newest_key
from evcs.cli.common import CommandContext, command, user
from evcs.cli.options import known_cps
from evcs.cli.supervision import require_own
from evcs.core.errors import Conflict
from evcs.core.stations import key_id

_BEGIN = "-----BEGIN CERTIFICATE"


def add_to(program: click.Group) -> None:
    """Add `certificate` to `evcs-cp`."""

    @command(program)
    @click.argument("name", shell_complete=known_cps)
    @click.option(
        "--out", type=click.Path(path_type=Path), metavar="FILE",
        help="Write key and certificate there, for you alone; else on stdout.",
    )  # fmt: skip
    @click.option("--rsa", is_flag=True, help="For a charger that does not know ECDSA.")
    def certificate(ctx: CommandContext, name: str, out: Path | None, rsa: bool) -> None:
        """Make a charger's client certificate.

        It takes the password's place.

        It counts for three years, or until the charger has taken the key of a rekey. Others made
        before go on counting.

        Examples:
          evcs-cp certificate WALLBOX --out wallbox.pem
        """
        require_own(ctx.settings.home)
        cp = charger(ctx, name)
        pem = _made(ctx, cp["station"], cp["ocpp_id"], rsa)
        key, _, rest = pem.decode().partition(_BEGIN)
        ca = str(ctx.settings.home.ca)
        found = {"common_name": cp["ocpp_id"], "ca": ca}
        found["ends_at"] = f"{certificates.ends_at(pem):%Y-%m-%dT%H:%M:%SZ}"
        told = f"{cp['station']} until {found['ends_at'][:10]}"
        Spool(ctx.settings.home.spool("cli")).tell(f"operator/{user()}", "certificate", "ok", told)
        if out is None:
            ctx.out.data({**found, "key": key, "certificate": _BEGIN + rest},
                         pem.decode().splitlines())  # fmt: skip
        else:
            _write(out, pem)
            text = f"certificate of {cp['ocpp_id']}, until {found['ends_at'][:10]}, in {out}"
            ctx.out.done({**found, "file": str(out)}, text)
        ctx.out.say(f"the charger verifies the server by {ca}")
        if not ctx.settings.ocpp_tls:
            ctx.out.say("it counts over wss:// alone, which [ocpp] listen brings: docs/ocpp.md")


def _made(ctx: CommandContext, station: str, identity: str, rsa: bool) -> bytes:
    home = ctx.settings.home
    if certificates.server(home).exists() and not certificates.authority(home).exists():
        raise Conflict(
            "the certificate comes from a CA whose key is not here",
            "certificates of chargers have to be of our own: evcs tls init",
        )
    number = key_id(newest_key(SecretFiles(home), station))
    return certificates.make_charger(home, identity, number, rsa)


def _write(out: Path, pem: bytes) -> None:
    def write(file: BinaryIO) -> None:
        file.write(pem)

    try:
        write_new(out.absolute(), write)
    except FileExistsError:
        raise Conflict(f"{out} exists already", "give another name") from None
