"""What Registry and web serve HTTP with: a certificate, or none, and the names it is for."""

from __future__ import annotations

from collections.abc import Callable

from evcs.adapters import certificates
from evcs.adapters.server_tls import ServerTls
from evcs.config import Settings
from evcs.services import doors


def server_tls(settings: Settings) -> ServerTls | None:
    """The certificate; None where they are reached from this machine alone."""
    return None if settings.web.ca is None else ServerTls(certificates.server(settings.home))


def names(tls: ServerTls | None) -> Callable[[], frozenset[str]]:
    """What the HTTP servers may be asked for as: with TLS, what the certificate is for."""
    return doors.local_names if tls is None else lambda: tls.names
