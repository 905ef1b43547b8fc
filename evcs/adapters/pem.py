"""Keys and certificates as PEM, made and read by cryptography. No file is touched here.

`certificates` imports it where one is made or read: most commands, and a system whose listeners
are all on this machine, never need it (45 ms of CPU and 9 MiB).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM
_UNREADABLE = (
    ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion,
    x509.DuplicateExtension, x509.UnsupportedGeneralNameType,
)  # fmt: skip
#: Another machine's clock may be behind.
BEGINS_BEFORE = timedelta(days=2)


def _load(pem: bytes) -> x509.Certificate:
    """The first certificate. Raises ValueError."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except _UNREADABLE as error:
        raise ValueError(str(error)) from None


def _load_key(pem: bytes) -> CertificateIssuerPrivateKeyTypes:
    """The private key, of a kind that can sign. Raises ValueError."""
    try:
        found = serialization.load_pem_private_key(pem, None)
    except _UNREADABLE as error:
        raise ValueError(str(error)) from None
    return cast(CertificateIssuerPrivateKeyTypes, found)


def make(
    name: str, days: int, ca: bytes | None = None, names: Iterable[str] = (), rsa: bool = False
) -> bytes:
    """A new key and a certificate of it, by this CA for a server of these names, or a CA itself.

    `ca`: the CA's key and certificate. The key is ECDSA's (P-256), or `rsa` (2048). Raises
    ValueError.
    """
    extensions: list[x509.ExtensionType] = [*_use(ca is None, rsa)]
    if ca is not None:
        extensions.append(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
        extensions.append(x509.SubjectAlternativeName(map(_general_name, sorted(names))))
    return _sign([x509.NameAttribute(NameOID.COMMON_NAME, name)], days, ca, extensions, rsa)


def make_client(name: str, number: str, days: int, ca: bytes, rsa: bool = False) -> bytes:
    """A new key and a client's certificate of it. `number`: its subject's serial number.

    Raises ValueError.
    """
    subject = [
        x509.NameAttribute(NameOID.COMMON_NAME, name),
        x509.NameAttribute(NameOID.SERIAL_NUMBER, number),
    ]
    use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return _sign(subject, days, ca, [*_use(is_ca=False, rsa=rsa), use], rsa)


def _sign(
    subject: list[x509.NameAttribute[str]], days: int, ca: bytes | None,
    extensions: list[x509.ExtensionType], rsa: bool,
) -> bytes:  # fmt: skip
    key = _new_key(rsa)
    signer: CertificateIssuerPrivateKeyTypes = key
    issuer = name = x509.Name(subject)
    now, ours = datetime.now(UTC), key.public_key()
    ends_at = now + timedelta(days)
    if ca is not None:
        of_ca = _load(ca)
        issuer, signer = of_ca.subject, _load_key(ca)
        ends_at = min(ends_at, of_ca.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder(issuer, name, ours, x509.random_serial_number())
        .not_valid_before(now - BEGINS_BEFORE)
        .not_valid_after(ends_at)
    )
    by_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    for one in (x509.SubjectKeyIdentifier.from_public_key(ours), by_key, *extensions):
        critical = isinstance(one, (x509.BasicConstraints, x509.KeyUsage))
        builder = builder.add_extension(one, critical)
    made = builder.sign(signer, hashes.SHA256())
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(_PEM, *form) + made.public_bytes(_PEM)


def _new_key(rsa: bool) -> ec.EllipticCurvePrivateKey | RSAPrivateKey:
    return generate_private_key(65_537, 2_048) if rsa else ec.generate_private_key(ec.SECP256R1())


def _use(is_ca: bool, rsa: bool = False) -> tuple[x509.ExtensionType, ...]:
    """What the key may do: sign certificates, or be a server's or a client's."""
    none = dict.fromkeys(
        ("content_commitment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    return (
        x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None),
        x509.KeyUsage(
            digital_signature=not is_ca, key_encipherment=rsa, key_cert_sign=is_ca, crl_sign=is_ca,
            **none,
        ),
    )  # fmt: skip


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def read(pem: bytes) -> tuple[frozenset[str], datetime]:
    """The first certificate's host names and addresses, and its end. Raises ValueError."""
    found = _load(pem)
    try:
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset(), found.not_valid_after_utc
    except _UNREADABLE as error:
        raise ValueError(str(error)) from None
    names = {name.lower() for name in listed.get_values_for_type(x509.DNSName)}
    addresses = map(str, listed.get_values_for_type(x509.IPAddress))
    return frozenset(names.union(addresses)), found.not_valid_after_utc


def certificate(pem: bytes) -> bytes:
    """The first certificate alone. Raises ValueError."""
    return _load(pem).public_bytes(_PEM)


def is_issued_by(pem: bytes, authorities: bytes) -> bool:
    """Whether one of these CAs has signed the first certificate, its end apart.

    Raises ValueError where there is none of either.
    """
    found = _load(pem)
    return any(_signed(found, ca) for ca in x509.load_pem_x509_certificates(authorities))


def _signed(found: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        found.verify_directly_issued_by(ca)
    except _UNREADABLE:
        return False
    return True
