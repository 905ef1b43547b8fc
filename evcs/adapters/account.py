"""Whose connection to the broker it is, and which way it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from evcs.adapters.secret_files import SecretFiles
from evcs.config import Endpoint
from evcs.home import Home


class Account(NamedTuple):
    """Who connects to which socket, or, where the broker is another machine's, to `server` by TLS.

    The secret is read again at every connection.
    """

    socket: Path
    identity: str
    secret: Callable[[], str]
    server: Endpoint | None = None

    @classmethod
    def of(cls, home: Home, identity: str, server: Endpoint | None = None) -> Account:
        """Somebody's at a home's broker, or at that one."""
        return cls(home.broker_socket, identity, lambda: SecretFiles(home).read(identity), server)
