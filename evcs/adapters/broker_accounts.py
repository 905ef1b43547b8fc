"""The broker's password file: a pure function of the identities and their secrets.

256-bit secrets need no slow hash, and the broker checks them one after the other, so
101 PBKDF2 iterations it is; the salt is taken from the secret, so that the same
identities always give the same file and two files can be compared.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache

from evcs.adapters.files import write_atomic
from evcs.config import Home

ITERATIONS = 101


@lru_cache(maxsize=20_000)
def _line(identity: str, password: str) -> str:
    salt = hashlib.sha256(f"{identity}\0{password}".encode()).digest()[:12]
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"{identity}:$7${ITERATIONS}${_b64(salt)}${_b64(key)}\n"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def render(accounts: Mapping[str, str]) -> bytes:
    """The file's content for identity -> password."""
    return "".join(_line(name, accounts[name]) for name in sorted(accounts)).encode()


def write(home: Home, accounts: Mapping[str, str]) -> bool:
    """Put the file in place; whether it differed from what was there."""
    content = render(accounts)
    try:
        if home.passwords.read_bytes() == content:
            return False
    except OSError:
        pass
    write_atomic(home.passwords, content, 0o600)
    return True
