"""TLS towards a back end: whose certificate it may have, and the station's own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakValueDictionary

from evcs.core.back_ends import MAX_PEM
from evcs.core.errors import BadValue

_shared: WeakValueDictionary[tuple[bytes | None, ...], ssl.SSLContext] = WeakValueDictionary()
#: What OpenSSL says of a file with a key and its certificate, in words.
_WRONG = {
    "KEY_VALUES_MISMATCH": "key and certificate do not belong together",
    "EE_KEY_TOO_SMALL": "its key is too short",
    "CA_MD_TOO_WEAK": "its signature is too weak",
}


def context(authorities: Path | None, certificate: Path | None, home_ca: Path) -> ssl.SSLContext:
    """A station's side. `authorities`: whose certificate the back end's has to be, else of those
    that the machine trusts, or the home's; `certificate`: its key and certificate, if it has one.

    Those of the same files share one: with all that a machine trusts it is 0.9 MiB and 23 ms.
    Raises BadValue where a file can't be used.
    """
    key = tuple(map(_content, (authorities, certificate, home_ca)))
    made = _shared.get(key)
    if made is None:
        _shared[key] = made = _made(authorities, certificate, home_ca)
    return made


def _content(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError:
        return b""  # what can't be read is told of where it is used


def _made(authorities: Path | None, certificate: Path | None, home_ca: Path) -> ssl.SSLContext:
    if authorities is not None:
        made = _of_authorities(authorities)
    else:
        made = ssl.create_default_context()
        if home_ca.exists():
            made.load_verify_locations(home_ca)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        _load(made, certificate)
    return made


def authorities(path: Path) -> str:
    """A file of CAs, as it is. Raises BadValue where it is none."""
    _check_length(path)
    _of_authorities(path)
    return path.read_text("ascii")


def certificate(path: Path) -> str:
    """A file with a key and its certificate, as it is. Raises BadValue where it is none."""
    from evcs.adapters import certificates

    _check_length(path)
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path)
    ends_at = certificates.ends_at(path.read_bytes())
    if ends_at <= datetime.now(UTC):
        raise BadValue(f"{path}: its certificate ended {ends_at:%Y-%m-%d}", "give a newer one")
    return path.read_text("ascii")


def _check_length(path: Path) -> None:
    """What reads it reads it whole."""
    try:
        with path.open("rb") as file:
            whole = len(file.read(MAX_PEM + 1)) <= MAX_PEM
    except OSError as error:
        raise BadValue(f"{path} can't be read: {error.strerror}", "see: --help") from None
    if not whole:
        raise BadValue(f"{path}: longer than {MAX_PEM} bytes", "give a file of PEM")


def _of_authorities(path: Path) -> ssl.SSLContext:
    hint = "give a file with CAs' certificates, as PEM"
    try:
        return ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        raise BadValue(f"{path}: no certificate is in it", hint) from None
    except OSError as error:
        raise BadValue(f"{path} can't be read: {error.strerror}", hint) from None


def _load(made: ssl.SSLContext, path: Path) -> None:
    hint = "give a file with a key, without passphrase, and its certificate, as PEM"
    try:
        made.load_cert_chain(path, password="")
    except ssl.SSLError as error:
        why = _WRONG.get(error.reason or "", "no key, or no certificate, is in it")
        if b"ENCRYPTED" in path.read_bytes():
            why = "its key is encrypted"
        raise BadValue(f"{path}: {why}", hint) from None
    except OSError as error:
        raise BadValue(f"{path} can't be read: {error.strerror}", hint) from None
