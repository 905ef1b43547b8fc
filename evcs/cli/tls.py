"""`evcs tls init`: a CA and a server's certificate, made and renewed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import click

from evcs.adapters import certificates
from evcs.adapters.certificates import Certificate
from evcs.adapters.supervisord import Supervisord, supervisord_pid
from evcs.cli.common import CommandContext, command
from evcs.cli.supervision import require_own
from evcs.config import Settings
from evcs.core.errors import Conflict, EvcsError
from evcs.core.setting_values import check_name

ALWAYS_OURS = frozenset({"localhost", "127.0.0.1", "::1"})


def add_to(program: click.Group) -> None:
    """Add `tls` to `evcs`."""

    @program.group("tls")
    def tls() -> None:
        """Certificates, for listeners beyond this machine."""

    @command(tls, "init")
    @click.option(
        "--name", "names", multiple=True, metavar="NAME",
        help="Another host name or address that clients use; may be repeated.",
    )  # fmt: skip
    @click.option("--renew", is_flag=True, help="A new certificate, even if the old one lasts.")
    def init(ctx: CommandContext, names: tuple[str, ...], renew: bool) -> None:
        """Make a CA and a server's certificate; renew it when due.

        CPs stay connected.

        Examples:
          evcs tls init --name charging.example.com
        """
        wanted = wanted_names(ctx.settings) | {check_name("--name", one) for one in names}
        found, made = make(ctx.settings, wanted, renew)
        ca = ctx.settings.home.ca
        report = {"made": made, "ca": str(ca), "names": sorted(found.names),
                "ends_at": f"{found.ends_at:%Y-%m-%dT%H:%M:%SZ}"}  # fmt: skip
        what = "made" if made else "is there already"
        lasts = f"certificate {what}, until {found.ends_at:%Y-%m-%d}"
        lines = [
            f"{lasts}, for {', '.join(sorted(found.names))}",
            f"clients verify it by {ca}",
        ]
        ctx.out.done(report, lines)


def wanted_names(settings: Settings) -> set[str]:
    """What the server is asked for as, by the settings."""
    listens = {settings.mqtt_listen, settings.http_listen, settings.ocpp_name}
    listens -= {"0.0.0.0", "::"}  # noqa: S104
    return {*ALWAYS_OURS, *listens, *filter(None, [settings.http_name])}


def make(settings: Settings, names: set[str], renew: bool) -> tuple[Certificate, bool]:
    """The server's certificate for at least these names, and whether it was made now.

    Raises Conflict where the one that is there comes from elsewhere.
    """
    home = settings.home
    require_own(home)
    before = None
    if certificates.server(home).exists():
        with suppress(EvcsError):
            before = certificates.read_server(home)
        if not certificates.authority(home).exists():
            raise Conflict(
                "the certificate comes from a CA whose key is not here",
                f"renew it there, and put key and certificate into {certificates.server(home)}",
            )
    now = datetime.now(UTC)
    if before is not None and not renew:
        lasts = not before.ends_within(certificates.RENEW_WITHIN, now)
        both = (certificates.server(home), certificates.server_rsa(home))
        is_ours = all(certificates.is_of_authority(home, path) for path in both)
        if lasts and names <= before.names and is_ours:
            return before, False
    certificates.make_authority(home)
    found = certificates.make_server(home, names | (before.names if before else set()))
    if supervisord_pid(home) is not None:
        # web and Registry look at the file themselves; the broker does so at a HUP.
        Supervisord(home.supervisor_socket).signal("mosquitto", "HUP")
    return found, True
