"""Chargers over TLS: with a password, or with a certificate of their own."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from evcs.adapters import certificates, pem
from evcs.adapters.ocpp_listener import MOST_STRANGERS
from evcs.adapters.ocpp_server import Server
from evcs.adapters.server_tls import ChargersTls
from evcs.core.ocpp.ports import AccessRefusal
from evcs.core.stations import key_id
from evcs.home import Home
from tests.adapters.ocpp import PASSWORD, basic, charger, lives, on_a_loop, serving, until


def of_client(name: str, ca: bytes, key: str = PASSWORD, rsa: bool = False) -> bytes:
    """A key, and a client's certificate of it by that CA, bound to that password of a station."""
    return pem.make_client(name, key_id(key), 1, ca, rsa)


def of_company(name: str, ca: bytes, ended: bool = False) -> bytes:
    """One as another program makes it with the CA's key."""
    made = pem.make("model", 1, ca, ["x"])
    key = serialization.load_pem_private_key(made, None)
    signer = serialization.load_pem_private_key(ca, None)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(x509.load_pem_x509_certificate(ca).subject)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(minutes=-5 if ended else 5))
        .add_extension(x509.ExtendedKeyUsage([x509.OID_CLIENT_AUTH]), critical=False)
    )
    signed = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem + signed.public_bytes(serialization.Encoding.PEM)


class Tls:
    """A server's and clients' contexts, by one CA of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = pem.make("CA", 1)
        self._anchor = pem.certificate(self.ca).decode()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self._file("server", pem.make("s", 1, self.ca, ["127.0.0.1"])))
        self.server.load_verify_locations(cadata=self._anchor)
        self.server.verify_mode = ssl.CERT_OPTIONAL

    def client(self, certificate: bytes | None = None) -> ssl.SSLContext:
        """A charger's, with that certificate."""
        context = ssl.create_default_context(cadata=self._anchor)
        if certificate is not None:
            context.load_cert_chain(self._file("client", certificate))
        return context

    def _file(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)


def over_tls(server: Server, context: ssl.SSLContext, headers: dict[str, str]) -> Any:
    return charger(server, headers=headers, ssl=context)


@pytest.mark.parametrize("rsa", [False, True])
@pytest.mark.parametrize(
    ("name", "headers", "profile"),
    [(None, basic(), 2), ("S1", {}, 3), ("S1", basic(password="any"), 3)],
)
@on_a_loop
async def test_security_profiles_over_tls(
    tls: Tls, name: str | None, headers: dict[str, str], profile: int, rsa: bool
) -> None:
    certificate = of_client(name, tls.ca, rsa=rsa) if name else None
    async with (
        serving(ssl=tls.server) as (server, gateway),
        over_tls(server, tls.client(certificate), headers) as client,
    ):
        await lives(client)
        assert gateway.connection().security_profile == profile
        assert gateway.connection().key == key_id(PASSWORD)


@pytest.mark.parametrize(
    ("name", "headers"), [(None, {}), (None, basic(password="x")), ("S2", {}), ("S2", basic())]
)
@on_a_loop
async def test_whom_no_profile_lets_in(tls: Tls, name: str | None, headers: dict[str, str]) -> None:
    certificate = of_client(name, tls.ca) if name else None
    async with serving(ssl=tls.server) as (server, gateway):
        with pytest.raises(InvalidStatus) as found:
            await over_tls(server, tls.client(certificate), headers)
        assert found.value.response.status_code == 401
        assert gateway.events() == []
        ((_, why),) = gateway.refusals
        assert why == (AccessRefusal.CERTIFICATE if name else AccessRefusal.CREDENTIALS)


@pytest.mark.parametrize("key", ["another", ""])
@on_a_loop
async def test_a_certificate_ends_with_the_password_that_it_is_bound_to(tls: Tls, key: str) -> None:
    made = [of_client("S1", tls.ca, key), of_client("EMPTY", tls.ca, ""), of_company("S1", tls.ca)]
    async with serving(ssl=tls.server) as (server, gateway):
        for certificate, path in zip(made, ("/S1", "/EMPTY", "/S1"), strict=True):
            with pytest.raises(InvalidStatus) as found:
                await charger(server, path=path, headers={}, ssl=tls.client(certificate))
            assert found.value.response.status_code == 401
        assert gateway.events() == []


@on_a_loop
async def test_a_server_is_no_charger(tls: Tls) -> None:
    strange = tls.client(pem.make("S1", 1, tls.ca, ["S1"]))
    async with serving(ssl=tls.server) as (server, gateway):
        found = await asyncio.gather(dial_tls(server, strange), return_exceptions=True)
        assert isinstance(found[0], Exception)
        assert gateway.events() == []


@on_a_loop
async def test_a_certificate_of_another_authority_is_none(tls: Tls) -> None:
    strange = tls.client(of_client("S1", pem.make("CA", 1)))
    async with serving(ssl=tls.server) as (server, gateway):
        # TLS 1.3 tells the client after its own handshake: some error, of one kind or another.
        found = await asyncio.gather(dial_tls(server, strange), return_exceptions=True)
        assert isinstance(found[0], Exception)
        async with over_tls(server, tls.client(), basic()) as client:
            await lives(client)
        await until(lambda: gateway.events() == ["opened", "Heartbeat", "closed"])


async def dial_tls(server: Server, context: ssl.SSLContext) -> ClientConnection:
    client: ClientConnection = await over_tls(server, context, {})
    return client


@pytest.mark.parametrize("harm", ["another's", "ended", None])
@on_a_loop
async def test_a_certificate_that_tls_refuses_is_told(tmp_path: Path, harm: str | None) -> None:
    home, told = Home(tmp_path), asyncio.Event()
    certificates.make_authority(home)
    certificates.make_server(home, ["127.0.0.1"])
    ca = certificates.authority(home).read_bytes()
    shown = {
        None: certificates.make_charger(home, "S1", key_id(PASSWORD), rsa=False),
        "another's": of_client("S1", pem.make("CA", 1)),
        "ended": of_company("S1", ca, ended=True),
    }[harm]
    (tmp_path / "client").write_bytes(shown)
    context = ssl.create_default_context(cafile=str(home.ca))
    context.load_cert_chain(tmp_path / "client")
    async with serving(ssl=ChargersTls(home).listener(told.set)) as (server, gateway):
        found = await asyncio.gather(dial_tls(server, context), return_exceptions=True)
        if harm is None:
            client = found[0]
            assert isinstance(client, ClientConnection)
            await lives(client)
            lasts = gateway.connection().certificate_ends_at
            assert lasts is not None
            assert timedelta(1_094) < lasts - datetime.now(UTC) < timedelta(1_096)
            await client.close()
        else:
            assert isinstance(found[0], Exception)
            await told.wait()
        assert told.is_set() == (harm is not None)


@on_a_loop
async def test_a_tls_handshake_that_does_not_come_to_an_end_is_ended(tls: Tls) -> None:
    async with serving(ssl=tls.server, open_s=0.1) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(100_000)
        writer.close()


@on_a_loop
async def test_a_flood_displaces_no_slow_one_of_another_address(tls: Tls) -> None:
    async with serving(ssl=tls.server) as (server, _):
        slow, its = await asyncio.open_connection("127.0.0.1", server.port)
        flood = []
        for _ in range(3 * MOST_STRANGERS):
            flood.append(await asyncio.open_connection(
                "127.0.0.1", server.port, local_addr=("127.0.0.2", 0)
            ))  # fmt: skip
        await asyncio.wait_for(flood[0][0].read(), 10)  # turned away: the room is full
        assert sum(not reader.at_eof() for reader, _ in flood) <= MOST_STRANGERS + 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slow.read(), 0.5)
        for writer in (its, *(one for _, one in flood)):
            writer.transport.abort()


@pytest.mark.parametrize("is_known", [False, True])
@on_a_loop
async def test_who_has_not_shown_who_he_is_has_a_bounded_share(
    tmp_path: Path, is_known: bool
) -> None:
    """A charger that is let in stays, and others come in beside them."""
    tls = Tls(tmp_path)
    before = {*Path("/proc/self/fd").iterdir()}
    client = tls.client() if is_known else None  # whether they do their part of TLS
    async with serving(ssl=tls.server) as (server, _), charger(server, ssl=tls.client()) as first:
        await lives(first)
        those = []
        for _ in range(3 * MOST_STRANGERS):
            with suppress(OSError):  # turned away as it said hello
                those.append(await asyncio.open_connection("127.0.0.1", server.port, ssl=client))
        await asyncio.sleep(0.1)
        theirs = sum(not reader.at_eof() for reader, _ in those)
        here = len({*Path("/proc/self/fd").iterdir()} - before) - len(those)
        assert theirs <= MOST_STRANGERS + 1
        assert here <= MOST_STRANGERS + 10
        async with charger(server, ssl=tls.client(), path="/S2", headers=basic("S2")) as second:
            await lives(second)
            await lives(first)
        for _, writer in those:
            writer.transport.abort()
