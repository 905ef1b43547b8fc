"""A client's side of TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

from evcs.core.errors import Unreachable


def client_context(ca: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer; the server's certificate has to be of `ca` and for the name asked.

    Raises OSError where the file is missing or holds no certificate.
    """
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def refused(whose: str, error: ssl.SSLCertVerificationError) -> Unreachable:
    """What a client is told that would not go on with a server."""
    return Unreachable(
        f"the {whose}'s certificate is refused: {error.verify_message}", "see: evcs doctor"
    )
