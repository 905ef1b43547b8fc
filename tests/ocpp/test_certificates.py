"""Chargers over wss: with a password, or with a certificate of their own."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.exceptions import InvalidHandshake, InvalidStatus

from tests.ocpp.conftest import charger
from tests.ocpp.peers import Peer16, Peer201
from tests.system_under_test import System, eventually

ELSEWHERE = "127.0.0.3"


@pytest.fixture(scope="module")
def secured(new_system: Callable[..., System]) -> System:
    """A system that chargers reach from elsewhere."""
    system = new_system()
    (system.home / "conf").mkdir(parents=True)
    (system.home / "conf/evcs.toml").write_text(f'[ocpp]\nlisten = "{ELSEWHERE}"\n')
    system.ok("evcs", "tls", "init")
    system.up()
    return system


class Box:
    """A CP, and how its charger dials in."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self._folder = system, folder
        self.cp = charger(system, ELSEWHERE).cp

    def certificate(self, *options: str) -> Path:
        """A new one."""
        path = self._folder / f"{self.cp}-{len(list(self._folder.iterdir()))}.pem"
        self.system.ok("evcs-cp", "certificate", self.cp, "--out", str(path), *options)
        return path

    def audited(self, what: str) -> list[str]:
        """The details of such entries that name its station."""
        rows = self.system.ok("evcs", "audit", "--json").json
        return [row["detail"] for row in rows if row["what"] == what and self.cp in row["detail"]]

    def tls(self, certificate: Path | None = None) -> ssl.SSLContext:
        """A charger's side."""
        context = ssl.create_default_context(cafile=str(self.system.home / "data/tls/ca.crt"))
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    def peer(
        self, certificate: Path | None, password: str = "", context: ssl.SSLContext | None = None
    ) -> Peer16:
        """Its charger."""
        url = f"wss://{ELSEWHERE}:{self.system.ocpp_port}/{self.cp}"
        return Peer16(url, self.cp, password, context or self.tls(certificate))

    def refused(self, certificate: Path | None, password: str = "") -> int:
        """The status by which that is refused."""
        with pytest.raises(InvalidStatus) as found, self.peer(certificate, password):
            pass
        return found.value.response.status_code

    def profile(self) -> int | None:
        """As its station's status has it, None before there is one."""
        found = self.system.retained(f"evcs/v1/gateway/main/station/{self.cp}/status")
        return next((int(status["security_profile"]) for status in found.values()), None)


@pytest.fixture
def box(secured: System, tmp_path: Path) -> Box:
    return Box(secured, tmp_path)


def test_a_charger_dials_in_with_its_certificate(box: Box) -> None:
    told = box.system.ok("evcs-cp", "connect", box.cp, "--json").json
    assert told["url"] == f"wss://{ELSEWHERE}:{box.system.ocpp_port}/{box.cp}"
    own = box.certificate()
    assert own.stat().st_mode & 0o777 == 0o600
    eventually("it is audited", lambda: box.audited("certificate"))
    with box.peer(own) as peer:
        assert peer.boot().status == "Accepted"
        eventually("it is seen", lambda: box.profile() == 3)
    other = Box(box.system, own.parent)
    assert other.refused(own) == 401, "it is another's"
    assert box.refused(None) == 401
    with box.peer(None, told["password"]) as peer:
        assert peer.boot().status == "Accepted"
        eventually("it is seen", lambda: box.profile() == 2)


@pytest.mark.parametrize("options", [(), ("--rsa",)])
def test_both_kinds_of_keys_on_both_sides(box: Box, options: tuple[str, ...]) -> None:
    own = box.certificate(*options)
    for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384"):
        context = box.tls(own)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
        with box.peer(own, context=context) as peer:
            assert peer.boot().status == "Accepted", suite


def test_a_revoked_station_is_out_until_it_has_a_new_certificate(box: Box) -> None:
    own = box.certificate()
    password = box.system.ok("evcs-cp", "connect", box.cp, "--json").json["password"]
    with box.peer(own) as peer:
        peer.boot()
        box.system.ok("evcs-cp", "revoke", box.cp)
        eventually("it is let go", lambda: peer.closed)
    assert box.refused(own) == box.refused(None, password) == 401
    box.system.ok("evcs-cp", "rekey", box.cp)
    assert box.refused(own) == box.refused(None, password) == 401, "those are stolen"
    with box.peer(box.certificate()) as peer:
        assert peer.boot().status == "Accepted"


def test_a_certificate_counts_until_one_made_after_a_rekey_is_used(box: Box) -> None:
    old = box.certificate()
    with box.peer(old) as peer:
        peer.boot()
        told = box.system.ok("evcs-cp", "rekey", box.cp, "--json").json
        assert told["key"] == "certificate"
        assert peer.told("ChangeConfiguration") == [], "it has no password"
    with box.peer(old) as peer:
        assert peer.boot().status == "Accepted", "it has no other yet"
    with box.peer(box.certificate()) as peer:
        assert peer.boot().status == "Accepted"
    assert box.refused(old) == 401


def test_who_came_with_a_password_that_is_over_is_let_go(box: Box) -> None:
    own = box.certificate()
    with box.peer(own) as peer:
        peer.boot()
        # A charge holds the connection of a revoked one for a moment.
        peer.begin("NOBODY", 0)
        box.system.ok("evcs-cp", "revoke", box.cp)
        assert box.system.ok("evcs-cp", "rekey", box.cp, "--json").json["key"] == "new"
        eventually("it is let go", lambda: peer.closed)
    assert box.refused(own) == 401


def test_a_deleted_station_and_one_of_its_name(box: Box) -> None:
    own = box.certificate()
    box.system.ok("evcs-cp", "delete", box.cp)
    eventually("nobody knows it", lambda: box.refused(own) == 404)
    box.system.ok("evcs-cp", "create", box.cp, "--hosting", "ocpp")
    eventually("it is known again", lambda: box.refused(own) == 401)


def test_a_renewed_server_certificate_cuts_no_charger(box: Box) -> None:
    def serial(suite: str) -> str:
        context = box.tls()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
        address = (ELSEWHERE, box.system.ocpp_port)
        with (
            socket.create_connection(address, 10) as raw,
            context.wrap_socket(raw, server_hostname=ELSEWHERE) as wrapped,
        ):
            return str((wrapped.getpeercert() or {})["serialNumber"])

    suites = ("ECDHE-ECDSA-AES128-GCM-SHA256", "AES128-GCM-SHA256")
    own = box.certificate()
    with box.peer(own) as peer:
        peer.boot()
        before = [serial(suite) for suite in suites]
        pid = box.system.processes()["_ocpp:gateway"]
        box.system.ok("evcs", "tls", "init", "--renew")
        eventually("both are new", lambda: not {*before} & {serial(one) for one in suites})
        assert peer.call("Heartbeat").current_time
        assert box.system.processes()["_ocpp:gateway"] == pid
    with box.peer(own) as peer:
        assert peer.boot().status == "Accepted", "its own is of the same CA"


def test_what_the_command_says(box: Box) -> None:
    told = box.system.ok("evcs-cp", "certificate", box.cp, "--json").json
    assert told["common_name"] == box.cp
    assert told["certificate"].startswith("-----BEGIN CERTIFICATE")
    assert "PRIVATE KEY" in told["key"]
    shown = box.system.ok("evcs-cp", "certificate", box.cp).out
    assert "PRIVATE KEY" in shown
    assert "BEGIN CERTIFICATE" in shown
    taken = box.certificate()
    done = box.system.run("evcs-cp", "certificate", box.cp, "--out", str(taken), "--json")
    assert (done.code, done.json["error"]["code"]) == (5, "conflict")
    assert box.system.run("evcs-cp", "certificate", "NOBODY").code == 4


def test_with_ocpp_201_and_hostile_certificates(box: Box, tmp_path: Path) -> None:
    url = f"wss://{ELSEWHERE}:{box.system.ocpp_port}/{box.cp}"
    with Peer201(url, box.cp, "", box.tls(box.certificate())) as peer:
        assert peer.boot().status == "Accepted"
    # Its server's own certificate is no charger's.
    server = box.system.home / "data/secrets/tls/server.pem"
    before = refused_certificates(box)
    with pytest.raises((InvalidHandshake, OSError, EOFError)), box.peer(server):
        pass
    eventually("it is audited", lambda: len(refused_certificates(box)) == len(before) + 1)
    assert refused_certificates(box)[0]["who"] == "unknown", "TLS has not come to that"
    # One of ours, and of another station.
    assert box.refused(Box(box.system, tmp_path).certificate()) == 401
    eventually("it is audited", lambda: len(refused_certificates(box)) == len(before) + 2)
    assert refused_certificates(box)[0]["who"].startswith("127.0.0.")


def refused_certificates(box: Box) -> list[dict[str, str]]:
    """As the audit has them, the latest first."""
    rows = box.system.ok("evcs", "audit", "--json").json
    return [row for row in rows if row["detail"] == "gateway: wrong certificate"]
