"""Certificates, made and read by openssl: a CA of this home, and its server's certificate.

    data/secrets/tls/ca.pem       the CA's key and certificate, 0600
    data/secrets/tls/server.pem   the server's key and certificate, 0600
    data/tls/ca.crt               the CA's certificate alone, to be handed out

A key and its certificate are one file, so that no kill leaves a pair that doesn't match.
"""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from evcs.adapters.files import make_folder, write_atomic
from evcs.config import Home
from evcs.core.errors import EvcsError

CA_DAYS = 3650
# What browsers take at most from a CA that a user has added: 825 days (Apple HT210176).
SERVER_DAYS = 397
RENEW_WITHIN = timedelta(days=30)
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")


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


def make_authority(home: Home) -> None:
    """A CA of this home, where there is none yet; its certificate is put to be handed out."""
    path = authority(home)
    if path.exists() and home.ca.exists():
        return
    if not path.exists():
        pem = _openssl(
            "req", "-x509", *_NEW_KEY, "-keyout", "/dev/stdout", "-days", str(CA_DAYS),
            "-subj", "/CN=evcs CA", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        _keep(path, pem)
    make_folder(home.ca.parent)
    write_atomic(home.ca, _openssl("x509", "-in", str(path)))


def make_server(home: Home, names: Iterable[str]) -> Certificate:
    """A new key and certificate of the server for these names, signed by the home's CA."""
    alternatives = ",".join(f"{_kind(name)}:{name}" for name in sorted(names))
    ca = str(authority(home))
    pem = _openssl(
        "req", "-x509", "-CA", ca, "-CAkey", ca, *_NEW_KEY, "-keyout", "/dev/stdout",
        "-days", str(SERVER_DAYS), "-subj", "/CN=evcs",
        "-addext", f"subjectAltName={alternatives}",
        "-addext", "basicConstraints=critical,CA:FALSE",
        "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=serverAuth",
    )  # fmt: skip
    _keep(server(home), pem)
    return read(server(home))


def read(path: Path) -> Certificate:
    """A file's first certificate. Raises EvcsError where there is none that can be read."""
    said = _openssl(
        "x509", "-in", str(path), "-noout", "-enddate", "-dateopt", "iso_8601",
        "-ext", "subjectAltName",
    ).decode()  # fmt: skip
    end, _, rest = said.partition("\n")
    ends_at = datetime.strptime(end.partition("=")[2], "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)
    listed = rest.strip().rpartition("\n")[2]
    return Certificate(frozenset(_name(one) for one in listed.split(", ") if one), ends_at)


def is_of_authority(home: Home) -> bool:
    """Whether the server's certificate is of the CA that clients verify by, its end apart."""
    try:
        _openssl("verify", "-no_check_time", "-CAfile", str(home.ca), str(server(home)))
    except EvcsError:
        return False
    return True


def _kind(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "DNS"
    return "IP"


def _name(said: str) -> str:
    kind, _, name = said.strip().partition(":")
    return str(ipaddress.ip_address(name)) if kind == "IP Address" else name.lower()


def _keep(path: Path, pem: bytes) -> None:
    make_folder(path.parent, 0o700)
    write_atomic(path, pem, 0o600)


def _openssl(*args: str) -> bytes:
    command: Sequence[str] = ("openssl", *args)
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise EvcsError("openssl is not installed", "run install.sh") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no word why"]
        raise EvcsError(f"openssl {args[0]} failed: {last[0]}", "run: evcs tls init")
    return done.stdout
