"""Files with certificates for a back end: what is wrong with one is said in words."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from evcs.adapters import back_end_tls, pem
from evcs.core.errors import BadValue

CA = pem.make("CA", 1)
MINE = pem.make_client("CP-1", "k", 1, CA)


def _of(key: ec.EllipticCurvePrivateKey, ended: bool = False, passphrase: bytes = b"") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CP-1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(2))
        .not_valid_after(now + timedelta(-1 if ended else 1))
        .sign(key, hashes.SHA256())
    )
    hidden = (
        serialization.BestAvailableEncryption(passphrase) if passphrase
        else serialization.NoEncryption()
    )  # fmt: skip
    pem_, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem_, form, hidden) + made.public_bytes(pem_)


KEY = ec.generate_private_key(ec.SECP256R1())
BEGIN = b"-----BEGIN CERTIFICATE"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no key"), (b"rubbish", "no key"), (pem.certificate(MINE), "no key"),
        (MINE.partition(BEGIN)[0], "no certificate"),
        (MINE.partition(BEGIN)[0] + pem.certificate(CA), "do not belong together"),
        (_of(KEY, passphrase=b"secret"), "encrypted"), (_of(KEY, ended=True), "ended"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "mine.pem"
    path.write_bytes(content)
    with pytest.raises(BadValue, match=f"mine.pem: .*{why}"):
        back_end_tls.certificate(path)


def test_what_is_right_is_taken_as_it_is(tmp_path: Path) -> None:
    mine, ca = tmp_path / "mine.pem", tmp_path / "ca.pem"
    mine.write_bytes(MINE)
    ca.write_bytes(pem.certificate(CA) * 2)
    assert back_end_tls.certificate(mine).encode() == MINE
    assert back_end_tls.authorities(ca).encode() == ca.read_bytes()


def test_a_file_of_no_authority_is_none(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with pytest.raises(BadValue, match="can't be read"):
        back_end_tls.authorities(path)
    with pytest.raises(BadValue, match="can't be read"):
        back_end_tls.certificate(path)
    path.write_bytes(b"rubbish")
    with pytest.raises(BadValue, match="no certificate is in it"):
        back_end_tls.authorities(path)


def test_stations_with_the_same_files_share_what_is_made_of_them(tmp_path: Path) -> None:
    mine, same, none = tmp_path / "mine.pem", tmp_path / "same.pem", tmp_path / "none"
    for path in (mine, same):
        path.write_bytes(MINE)
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pem.certificate(CA))
    one = back_end_tls.context(ca, mine, none)
    assert back_end_tls.context(ca, same, none) is one
    others = [back_end_tls.context(ca, None, none), back_end_tls.context(None, mine, none)]
    assert one not in others
    assert one.minimum_version is ssl.TLSVersion.TLSv1_2
    with pytest.raises(BadValue, match="can't be read"):
        back_end_tls.context(ca, none, none)
