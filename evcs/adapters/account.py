"""Whose connection to the broker it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from evcs.adapters.secret_files import SecretFiles
from evcs.home import Home


class Account(NamedTuple):
    """Who connects to which socket. The secret is read again at every connection."""

    socket: Path
    identity: str
    secret: Callable[[], str]

    @classmethod
    def of(cls, home: Home, identity: str) -> Account:
        """Somebody's at a home's broker."""
        return cls(home.broker_socket, identity, lambda: SecretFiles(home).read(identity))
