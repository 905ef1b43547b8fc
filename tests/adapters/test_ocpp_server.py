"""Chargers dial in: who may, in which version, and which connection of a station counts."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from evcs.adapters.ocpp_server import Server
from evcs.core.ocpp.ports import AccessRefusal, StationAccess
from evcs.core.ocpp.rules import Version
from tests.adapters.ocpp import (
    PASSWORD,
    basic,
    beat,
    charger,
    heard,
    lives,
    on_a_loop,
    serving,
    until,
)

V16, V201 = Version.V16, Version.V201
HEX = PASSWORD.encode().hex()


async def refused(server: Server, path: str, headers: Any) -> InvalidStatus:
    """How that handshake is refused."""
    with pytest.raises(InvalidStatus) as found:
        async with charger(server, path=path, headers=headers):
            pass
    return found.value


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/S1", basic()),
        ("/ocpp/S1", basic()),
        ("/ocpp/S1?from=here", basic()),
        ("/S1", basic(password=HEX)),
        ("/S1", basic(password=HEX.upper())),
        ("/S1", {"authorization": basic()["Authorization"].replace("Basic", "basic ")}),
        ("/DE*ABC.1", basic("DE*ABC.1")),
        ("/ocpp/DE%2AABC%2E1", basic("DE*ABC.1")),
        ("/" + "x" * 48, basic("x" * 48)),
    ],
)
@on_a_loop
async def test_who_may_connect(path: str, headers: dict[str, str]) -> None:
    async with (
        serving() as (server, gateway),
        charger(server, path=path, headers=headers) as client,
    ):
        await lives(client)
        connection = gateway.connection()
        assert (connection.version, connection.security_profile) == (V16, 1)
        assert connection.remote == "127.0.0.1"
        assert (
            connection.station == {"S": "S1", "D": "S3", "x": "S4"}[path.removeprefix("/ocpp")[1]]
        )


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/S9", basic("S9"), 404),
        ("/S9", {}, 404),
        ("/", basic(""), 404),
        ("/ocpp/", basic(""), 404),
        ("/ocpp", basic("ocpp"), 404),
        ("/S1/S1", basic(), 404),
        ("/other/S1", basic(), 404),
        ("/" + "x" * 49, basic("x" * 49), 404),
        ("/S1%00", basic(), 404),
        ("/S1%0A", basic(), 404),
        ("/%FF", basic(), 404),
        ("/S1", {}, 401),
        ("/S1", basic(password=PASSWORD[:-1]), 401),
        ("/S1", basic(password=PASSWORD + "x"), 401),
        ("/S1", basic(password=PASSWORD.swapcase()), 401),
        ("/S1", basic(password=HEX[:-2]), 401),
        ("/S1", basic(password=""), 401),
        ("/S1", basic("S2"), 401),
        ("/EMPTY", basic("EMPTY", ""), 401),
        ("/EMPTY", {}, 401),
        ("/S1", {"Authorization": "Bearer " + PASSWORD}, 401),
        ("/S1", {"Authorization": "Basic"}, 401),
        ("/S1", {"Authorization": "Basic ====="}, 401),
        ("/S1", {"Authorization": "Basic é"}, 401),
        ("/S1", {"Authorization": "Basic " + base64.b64encode(b"S1" + b"\xff").decode()}, 401),
        ("/S1", [*basic().items(), *basic("S1", "x").items()], 401),
    ],
)
@on_a_loop
async def test_who_may_not(path: str, headers: Any, status: int) -> None:
    async with serving() as (server, gateway):
        error = await refused(server, path, headers)
        assert error.response.status_code == status
        ((who, why),) = gateway.refusals
        assert who.startswith("127.0.0.1:")
        assert why == {404: AccessRefusal.UNKNOWN, 401: AccessRefusal.CREDENTIALS}[status]
        if status == 401:
            assert error.response.headers["WWW-Authenticate"].startswith('Basic realm="')
        async with charger(server) as client:
            await lives(client)
        await until(lambda: gateway.events() == ["opened", "Heartbeat", "closed"])


@on_a_loop
async def test_only_what_may_be_an_identity_is_looked_up() -> None:
    asked: list[str] = []
    async with serving(stations=asked.append) as (server, _):
        for path in ("/", "/" + "x" * 49, "/S1%00", "/S1%0A", "/%E2%80%A8", "/%FF", "/a%2Fb"):
            assert (await refused(server, path, {})).response.status_code == 404
    assert asked == ["a/b"]


@on_a_loop
async def test_nobody_is_served_while_the_gateway_can_serve_nobody() -> None:
    can = False
    async with serving(available=lambda: can) as (server, _):
        for path in ("/S1", "/S9"):
            assert (await refused(server, path, {})).response.status_code == 503
        can = True
        async with charger(server) as client:
            await lives(client)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([V16], V16),
        ([V201], V201),
        ([V16, V201], V16),
        ([V201, V16], V201),
        (["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], V201),
        (["ocpp1.5", "ocpp1.6"], V16),
        (["ocpp1.5", "ocpp2.0"], None),
        (["OCPP1.6"], None),
        (None, None),
    ],
)
@on_a_loop
async def test_the_chargers_order_decides(offered: Any, chosen: Version | None) -> None:
    async with serving() as (server, gateway), charger(server, subprotocols=offered) as client:
        assert client.response is not None
        assert client.response.status_code == 101
        assert client.subprotocol == (chosen and str(chosen))
        if chosen is not None:
            await lives(client)
            assert gateway.connection().version is chosen
        else:
            await client.wait_closed()
            assert client.close_code == 1002
            assert gateway.events() == []


@on_a_loop
async def test_who_speaks_no_version_of_ours_displaces_nobody() -> None:
    async with serving() as (server, gateway), charger(server) as client:
        await lives(client)
        async with charger(server, subprotocols=["ocpp1.5"]) as other:
            await other.wait_closed()
        await refused(server, "/S1", basic(password="x"))
        await lives(client)
        assert "closed" not in gateway.events()


@pytest.mark.parametrize(
    ("offered", "compressed"),
    [([V16], False), ([V16, V201], False), ([V201], True), ([V201, V16], True)],
)
@on_a_loop
async def test_v201_alone_is_compressed(offered: list[str], compressed: bool) -> None:
    async with (
        serving() as (server, _),
        charger(server, subprotocols=offered, compression="deflate") as client,
    ):
        assert client.response is not None
        said = client.response.headers.get("Sec-WebSocket-Extensions", "")
        assert ("permessage-deflate" in said) is compressed
        # Windows of 1 KiB, not 32.
        assert ("server_max_window_bits=10" in said) is compressed
        for _ in range(20):
            await lives(client)


@on_a_loop
async def test_the_newest_connection_of_a_station_wins() -> None:
    async with serving() as (server, gateway), charger(server) as old, charger(server) as new:
        await lives(new)
        assert gateway.events()[:3] == ["opened", "closed", "opened"]
        assert gateway.told[0][1] is gateway.told[1][1]
        await old.wait_closed()
        assert old.close_code == 1000
        # What ended was the old one alone.
        await lives(new)
        asked = asyncio.create_task(gateway.connection().call("ClearCache", {}))
        await new.send(f'[3,"{(await heard(new))[1]}",{{"status":"Accepted"}}]')
        await asked
        assert gateway.events().count("closed") == 1
        async with charger(server) as newer:
            await new.wait_closed()
            await lives(newer)


@on_a_loop
async def test_the_newest_wins_beside_one_that_is_dead() -> None:
    """Behind a cable that was cut nobody answers the closing: the new one doesn't wait for it."""
    async with serving(close_s=60.0) as (server, gateway):
        reader, writer = await handshake(server)
        await until(gateway.events)
        for _ in range(3):
            async with asyncio.timeout(20), charger(server) as new:
                await lives(new)
        events = ["opened", "closed", *["opened", "Heartbeat", "closed"] * 3]
        await until(lambda: gateway.events() == events)
        writer.transport.abort()
        del reader


@on_a_loop
async def test_what_the_old_connection_still_says_counts_no_more() -> None:
    async with serving() as (server, gateway):
        reader, writer = await handshake(server)
        await until(gateway.events)
        async with charger(server) as new:
            await lives(new)
            before = len(gateway.frames)
            writer.write(masked(b'[2,"old","Heartbeat",{}]'))
            await writer.drain()
            # It sees the closing, and no answer.
            said = await reader.read(1000)
            assert b"old" not in said
            await lives(new)
            assert len(gateway.frames) == before + 2
        writer.close()


@on_a_loop
async def test_an_end_that_fails_does_not_hold_up_the_next_connection() -> None:
    async with serving() as (server, gateway):

        def fail() -> None:
            raise KeyError("S1")

        gateway.on_close = fail
        async with charger(server) as old, charger(server) as new:
            await old.wait_closed()
            await lives(new)


@on_a_loop
async def test_twenty_at_once_for_one_station_leave_one() -> None:
    async with serving() as (server, gateway):
        clients = await asyncio.gather(*(dial(server) for _ in range(20)))
        await until(lambda: [client.close_code for client in clients].count(None) == 1)
        (left,) = [client for client in clients if client.close_code is None]
        await lives(left)
        events = [event for event in gateway.events() if event != "Heartbeat"]
        assert events == ["opened", *["closed", "opened"] * events.count("closed")]
        await left.close()


async def dial(server: Server) -> ClientConnection:
    return await charger(server)


@on_a_loop
async def test_five_hundred_half_open_keep_nobody_out() -> None:
    async with serving(open_s=60.0) as (server, _):
        half = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(500)]
        for _, writer in half[:250]:
            writer.write(b"GET /S1 HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(20), charger(server) as client:
            await lives(client)
        for _, writer in half:
            writer.transport.abort()


@pytest.mark.parametrize("said", [b"", b"GET /S1 HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01"])
@on_a_loop
async def test_a_handshake_that_does_not_come_to_an_end_is_ended(said: bytes) -> None:
    async with serving(open_s=0.1) as (server, gateway):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(said)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(100_000)
        writer.close()
        assert gateway.events() == []


@pytest.mark.parametrize(
    "request_line", [b"GET /S1 HTTP/1.0", b"POST /S1 HTTP/1.1", b"GET http://x/S1 HTTP/1.1", b"?"]
)
@on_a_loop
async def test_what_is_no_handshake_is_refused(request_line: bytes) -> None:
    async with serving() as (server, gateway):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        lines = [request_line, b"Host: x", b"Authorization: " + basic()["Authorization"].encode()]
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
        assert b" 101 " not in await reader.read()
        writer.close()
        assert gateway.events() == []


@on_a_loop
async def test_who_answers_no_ping_is_gone() -> None:
    async with serving(ping_s=0.1, close_s=0.1) as (server, gateway):
        reader, writer = await handshake(server)
        async with charger(server, path="/S2", headers=basic("S2")) as other:
            await until(lambda: "closed" in gateway.events())
            await lives(other)
            # A ping, then the closing: 1011.
            assert (1011).to_bytes(2, "big") in await reader.read()
        writer.close()


@on_a_loop
async def test_at_its_stop_all_are_told_to_come_again() -> None:
    async with serving() as (server, gateway), charger(server) as client:
        await lives(client)
        port = server.port
        await server.stop()
        await client.wait_closed()
        assert client.close_code == 1001
        assert gateway.events() == ["opened", "Heartbeat", "closed"]
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


@on_a_loop
async def test_a_fleet_comes_back_at_once_after_a_restart() -> None:
    names = [f"C{number}" for number in range(300)]
    fleet = {name: StationAccess(name, (PASSWORD,)) for name in names}

    async def come(server: Server, name: str) -> ClientConnection:
        client = await charger(server, path=f"/{name}", headers=basic(name))
        await lives(client)
        return client

    async with serving(stations=fleet.get) as (server, _):
        port = server.port
        before = await asyncio.gather(*(come(server, name) for name in names))
    for client in before:
        await client.wait_closed()
    async with serving(stations=fleet.get, port=port) as (server, gateway):
        after = await asyncio.gather(*(come(server, name) for name in names))
        assert sorted(gateway.events()) == ["Heartbeat"] * 300 + ["opened"] * 300
        # Nothing but the answers went out.
        assert [direction for direction, _ in gateway.frames].count("out") == 300
        await asyncio.gather(*(client.close() for client in after))


@on_a_loop
async def test_its_stop_waits_for_no_handshake() -> None:
    async with serving(open_s=60.0, close_s=0.1) as (server, _), charger(server) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await lives(client)
        await server.stop()
        writer.close()


@on_a_loop
async def test_who_reads_nothing_holds_up_nobody_but_itself() -> None:
    async with serving() as (server, gateway):
        gateway.actions["Heartbeat"] = beat
        _, writer = await handshake(server, V16)
        text = b'[2,"%d","Nonsense' + b"x" * 5000 + b'",{}]'
        flood = asyncio.create_task(pour(writer, text))
        async with charger(server, path="/S2", headers=basic("S2")) as other:
            for _ in range(10):
                await lives(other)
        flood.cancel()
        writer.transport.abort()


async def pour(writer: asyncio.StreamWriter, text: bytes) -> None:
    for number in range(100_000):
        writer.write(masked(text % number))
        await writer.drain()


def masked(text: bytes) -> bytes:
    """A client's frame of that text; a mask of zeros is one."""
    length = len(text)
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + text


async def handshake(
    server: Server, version: Version = V16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of S1 that does nothing by itself: no pong, no answer to a closing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [
        "GET /S1 HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
        f"Sec-WebSocket-Protocol: {version}",
        "Authorization: " + basic()["Authorization"],
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer
