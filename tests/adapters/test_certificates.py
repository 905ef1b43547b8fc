"""Certificates of a home, beside openssl's word and files that openssl made."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evcs.adapters import certificates
from evcs.core.errors import EvcsError
from evcs.home import Home
from tests.system_under_test import ROOT

NAMES = {"localhost", "Evcs.Example.org", "127.0.0.1", "::1"}
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
RSA = ("-newkey", "rsa:2048", "-noenc")


def openssl(*args: str) -> str:
    return subprocess.run(
        ["openssl", *args], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("kind", [None, EC, RSA], ids=["ours", "openssl's", "openssl's RSA"])
def test_a_server_is_of_its_ca_and_for_its_names(home: Home, kind: tuple[str, ...] | None) -> None:
    ca = certificates.authority(home)
    if kind:
        ca.parent.mkdir(parents=True)
        ca.write_text(openssl(
            "req", "-x509", *kind, "-keyout", "/dev/stdout", "-days", "3650", "-subj", "/CN=CA",
            "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        ))  # fmt: skip
    certificates.make_authority(home)
    made = certificates.make_server(home, NAMES)
    assert made.names == {name.lower() for name in NAMES}
    lasts = made.ends_at - datetime.now(UTC)
    assert abs(lasts - timedelta(certificates.SERVER_DAYS)) < timedelta(minutes=10)
    assert certificates.read_server(home) == made
    assert certificates.is_of_authority(home)
    server = str(certificates.server(home))
    strict = ("-x509_strict", "-purpose", "sslserver", "-verify_hostname", "evcs.example.org")
    openssl("verify", *strict, "-CAfile", str(home.ca), server)
    assert "PRIVATE KEY" not in home.ca.read_text()
    ours = [certificates.server(home)] if kind else [ca, certificates.server(home)]
    assert [path.stat().st_mode & 0o777 for path in ours] == [0o600] * len(ours)


def test_a_server_of_another_ca(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    for one in (home, other):
        certificates.make_authority(one)
        certificates.make_server(one, NAMES)
    certificates.server(home).write_bytes(certificates.server(other).read_bytes())
    assert not certificates.is_of_authority(home)
    # One CA more among those that clients take, as while one gives way to another.
    home.ca.write_bytes(home.ca.read_bytes() + other.ca.read_bytes())
    assert certificates.is_of_authority(home)


def test_a_certificate_without_names(tmp_path: Path) -> None:
    path = tmp_path / "plain.pem"
    path.write_text(openssl("req", "-x509", *EC, "-keyout", "/dev/stdout", "-subj", "/CN=x"))
    assert certificates.read(path).names == frozenset()


@pytest.mark.parametrize("harm", ["missing", "empty", "key alone", "cut"])
def test_what_can_not_be_used_is_named(home: Home, harm: str) -> None:
    certificates.make_authority(home)
    certificates.make_server(home, NAMES)
    path = certificates.server(home)
    whole = path.read_text()
    key = whole.partition("-----BEGIN CERTIFICATE")[0]
    if harm == "missing":
        path.unlink()
    else:
        path.write_text({"empty": "", "key alone": key, "cut": whole[:-200]}[harm])
    with pytest.raises(EvcsError, match=r"can't be used: \w") as found:
        certificates.read(path)
    assert (str(path) in found.value.message, found.value.hint) == (True, "run: evcs tls init")
    assert not certificates.is_of_authority(home)


def test_commands_load_no_cryptography_until_they_need_it() -> None:
    code = "import sys, evcs.cli.evcs, evcs.cli.evcs_cp; print('cryptography' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "False\n"
