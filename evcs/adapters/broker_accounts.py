"""The broker's password file and access list: pure functions of the identities and their secrets.

The access list is conf/mosquitto.acl, in which each host that has joined has the rules that it
gives the CP Manager of the centre, under its own name.

256-bit random secrets need no slow hash, and the broker checks everyone's again at each HUP,
while all others wait: 7 ms with 600 clients and 101 PBKDF2 iterations, 1 ms with one
(measured). So one it is; the salt is taken from the secret, so that the same identities
always give the same file and two files can be compared.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from evcs.adapters.files import write_atomic
from evcs.core.errors import EvcsError
from evcs.core.identities import of_host
from evcs.core.placement import MAIN
from evcs.home import Home

ITERATIONS = 1
AGAIN_S = 0.5

_log = logging.getLogger("evcs")


@lru_cache(maxsize=100_000)
def _line(identity: str, password: str) -> str:
    salt = hashlib.sha256(f"{identity}\0{password}".encode()).digest()[:12]
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"{identity}:$7${ITERATIONS}${_b64(salt)}${_b64(key)}\n"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def render(accounts: Mapping[str, str]) -> bytes:
    """The file's content for identity -> password."""
    return "".join(_line(name, accounts[name]) for name in sorted(accounts)).encode()


def access(rules: str, accounts: Iterable[str]) -> str:
    """The access list for these identities, by the rules of conf/mosquitto.acl."""
    centre = of_host(MAIN)
    block = rules.partition(f"\nuser {centre}\n")[2].partition("\n\n")[0]
    managers = sorted(who for who in accounts if who.startswith(of_host("")) and who != centre)
    blocks = [f"\nuser {who}\n{block.replace(centre, who)}\n" for who in managers]
    return "".join([rules, *blocks])


def write(home: Home, accounts: Mapping[str, str]) -> bool:
    """Put both files in place; whether one differed from what was there."""
    rules = (home.path / "conf" / "mosquitto.acl").read_text(encoding="utf-8")
    # First: whoever is let in is to find his rules.
    written = _put(home.access, access(rules, accounts).encode())
    return _put(home.passwords, render(accounts)) or written


def _put(path: Path, content: bytes) -> bool:
    try:
        if path.read_bytes() == content:
            return False
    except OSError:
        pass
    write_atomic(path, content, 0o600)
    return True


class PasswordFile:
    """The file and what the broker knows of it, kept as wanted; what fails is tried again.

    mosquitto 2.0.11 forgets a HUP that comes while it still reads for an earlier one (seen: up
    to 9 of 10, with 350 clients and 900 accounts), so each change is followed by a second one
    when it has had the time.
    """

    def __init__(self, home: Home, hup: Callable[[], None], clock: Callable[[], float]) -> None:
        self._home, self._hup, self._clock = home, hup, clock
        self._hups = 0
        self._due_at = 0.0
        self._failing = False

    def read_again(self) -> None:
        """Have the broker read the file, whoever wrote it."""
        self._hups = max(self._hups, 1)

    def left(self) -> None:
        """The broker has ended: it reads the file as it starts, and a HUP just then ends it."""
        self._hups = 0

    def keep(self, accounts: Mapping[str, str]) -> float | None:
        """Make it so; in how many seconds to call again, None where nothing is left to do."""
        now = self._clock()
        try:
            if write(self._home, accounts):
                self._hups, self._due_at = 2, now
            written = True
        except OSError as error:
            written = self._failed(error)
        if self._hups and now >= self._due_at:
            try:
                self._hup()
                self._hups -= 1
            except (OSError, EvcsError) as error:
                self._failed(error)
            self._due_at = self._clock() + AGAIN_S  # not of before it was sent
        if not written:
            return AGAIN_S
        if not self._hups:
            self._failing = False
            return None
        return max(self._due_at - self._clock(), 0.0)

    def _failed(self, error: Exception) -> bool:
        if not self._failing:
            _log.error("the broker's accounts can't be renewed yet: %s", error)
        self._failing = True
        return False
