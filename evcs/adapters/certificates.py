"""The certificates of a home: its CA's, its server's, and those that it makes for chargers.

    data/secrets/tls/ca.pem           the CA's key and certificate, 0600
    data/secrets/tls/server.pem       the server's key and certificate, 0600
    data/secrets/tls/server-rsa.pem   the same with an RSA key, for chargers that know no other
    data/tls/ca.crt                   the CA's certificate alone, to be handed out

A key and its certificate are one file, so that no kill leaves a pair that doesn't match.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from evcs.adapters.files import make_folder, write_atomic
from evcs.core.errors import EvcsError
from evcs.home import Home

CA_DAYS = 3650
# What browsers take at most from a CA that a user has added: 825 days (Apple HT210176).
SERVER_DAYS = 397
#: A charger's is changed by hand.
CHARGER_DAYS = 1_095
RENEW_WITHIN = timedelta(days=30)

T = TypeVar("T")


class Certificate(NamedTuple):
    """What a certificate says: host names and addresses that it is for, and its end (UTC)."""

    names: frozenset[str]
    ends_at: datetime

    def ends_within(self, span: timedelta, now: datetime) -> bool:
        """Whether it is over, or will be by then."""
        return self.ends_at <= now + span


def authority(home: Home) -> Path:
    """Where the CA's key and certificate are."""
    return home.secret("tls/ca.pem")


def server(home: Home) -> Path:
    """Where the server's key and certificate are."""
    return home.secret("tls/server.pem")


def server_rsa(home: Home) -> Path:
    """Where the server's other key and certificate are."""
    return home.secret("tls/server-rsa.pem")


def make_authority(home: Home) -> None:
    """A CA of this home, where there is none yet; its certificate is put to be handed out."""
    from evcs.adapters import pem

    path = authority(home)
    if path.exists() and home.ca.exists():
        return
    if not path.exists():
        _keep(home, path, pem.make("evcs CA", CA_DAYS))
    make_folder(home.ca.parent)
    write_atomic(home.ca, _of(path, pem.certificate))


def make_server(home: Home, names: Iterable[str]) -> Certificate:
    """New keys and certificates of the server for these names, signed by the home's CA."""
    from evcs.adapters import pem

    make = partial(pem.make, "evcs", SERVER_DAYS, names=frozenset(names))
    _keep(home, server_rsa(home), _of(authority(home), lambda ca: make(ca=ca, rsa=True)))
    _keep(home, server(home), _of(authority(home), lambda ca: make(ca=ca)))
    return read(server(home))


def make_charger(home: Home, name: str, number: str, rsa: bool) -> bytes:
    """A new key and certificate of a charger, which are kept nowhere. Raises EvcsError.

    `name`: its common name; `number`: its subject's serial number.
    """
    from evcs.adapters import pem

    make = partial(pem.make_client, name, number, CHARGER_DAYS, rsa=rsa)
    return _of(authority(home), lambda ca: make(ca=ca))


def read_server(home: Home) -> Certificate:
    """The server's certificate. Raises EvcsError where it can't be read, or its key isn't its."""
    path = server(home)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise EvcsError(f"{path} can't be used: {reason}", "run: evcs tls init") from None
    return read(path)


def read(path: Path) -> Certificate:
    """A file's first certificate. Raises EvcsError where there is none that can be read."""
    from evcs.adapters import pem

    return Certificate(*_of(path, pem.read))


def ends_at(pem_file: bytes) -> datetime:
    """When the first certificate ends (UTC). Raises ValueError."""
    from evcs.adapters import pem

    return pem.read(pem_file)[1]


def is_of_authority(home: Home, path: Path | None = None) -> bool:
    """Whether the server's certificate, or that one, is of the CA that clients verify by.

    Its end is another matter.
    """
    from evcs.adapters import pem

    try:
        return pem.is_issued_by((path or server(home)).read_bytes(), home.ca.read_bytes())
    except (OSError, ValueError):
        return False


def _of(path: Path, make: Callable[[bytes], T]) -> T:
    """What is made of a file's content. Raises EvcsError where it can't be."""
    try:
        return make(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise EvcsError(f"{path} can't be used: {reason}", "run: evcs tls init") from None


def _keep(home: Home, path: Path, pem: bytes) -> None:
    for folder in (home.data, home.data / "secrets", path.parent):
        make_folder(folder, 0o700)
    write_atomic(path, pem, 0o600)
