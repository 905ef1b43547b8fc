"""A charger that sends without end: others go on, little is held of it, and it is shut out."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import zlib
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evcs.core.ocpp.rules import Version
from tests.adapters.ocpp import Gateway, basic, charger, heard, lives, on_a_loop, serving, until

TEXT, PING, COMPRESSED = 0x81, 0x89, 0xC1
#: More than the kernel holds.
FLOOD = 50_000_000


def frame(first: int, payload: bytes) -> bytes:
    """As a client sends it, masked with zeros."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(
        ">H", len(payload)
    )  # fmt: skip
    return bytes([first]) + size + b"\0\0\0\0" + payload


class Raw:
    """A charger that is a bare socket."""

    def __init__(self, port: int, protocol: str = Version.V16, more: str = "") -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.settimeout(60.0)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall((
            "GET /S1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\n{more}"
            f"Authorization: {basic()['Authorization']}\r\n\r\n"
        ).encode())  # fmt: skip
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert b" 101 " in head

    def flood(self, data: bytes, most: int, reads: bool = True) -> int:
        """How many bytes were taken of so many; who doesn't read has little to read with."""
        if reads:
            threading.Thread(target=self._read, daemon=True).start()
        sent = 0
        with suppress(OSError):
            while sent < most:
                sent += self.socket.send(data)
        self.socket.close()
        return sent

    def _read(self) -> None:
        with suppress(OSError):
            while self.socket.recv(65_536):
                pass


@on_a_loop
async def test_tiny_frames_without_end_hold_up_nobody() -> None:
    async with serving() as (server, gateway), charger(server, path="/S2", headers=basic("S2")) as (
        other
    ):  # fmt: skip
        port = server.port
        raw = await asyncio.to_thread(Raw, port)
        flood = asyncio.create_task(asyncio.to_thread(raw.flood, frame(TEXT, b"1") * 1_000, FLOOD))
        await lives(other)
        await until(lambda: "flooded" in gateway.events())
        await flood
        await lives(other)
        assert gateway.events().count("flooded") == 1
        assert gateway.frames.count(("in", "1")) < 1_000, "of sixty thousand"
        with pytest.raises(InvalidStatus) as refused:
            await charger(server)
        assert refused.value.response.status_code == 503
        await lives(other)


@on_a_loop
async def test_one_after_the_other_is_no_flood() -> None:
    async with serving() as (server, gateway), charger(server) as one:
        for number in range(2_000):
            await one.send(f'[2,"{number}","Heartbeat",{{}}]')
            await heard(one)
        assert "flooded" not in gateway.events()


@pytest.mark.parametrize("action", ["Heartbeat", "Nothing"])
@on_a_loop
async def test_long_calls_that_break_their_schema_are_a_flood_and_short_ones_none(
    action: str,
) -> None:
    async with serving() as (server, gateway), charger(server) as one:
        with suppress(ConnectionClosed):
            for number, length in enumerate([10] * 600 + [60_000] * 60):
                await one.send(f'[2,"{number}","{action}",{{"x":"{"x" * length}"}}]')
                await heard(one)
        assert 640 < number < 655
        assert gateway.events().count("flooded") == 1


@on_a_loop
async def test_who_pings_and_does_not_read_has_little_held_for_it() -> None:
    async with serving(ping_s=2.0) as (server, gateway):
        raw = await asyncio.to_thread(Raw, server.port)
        pings = frame(PING, b"x" * 125) * 100
        assert await asyncio.to_thread(raw.flood, pings, FLOOD, reads=False) < FLOOD
        await until(lambda: "closed" in gateway.events())


@on_a_loop
async def test_small_frames_that_are_large_are_not_all_there_at_once() -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n"
    packer = zlib.compressobj(9, zlib.DEFLATED, -10)
    large = packer.compress(b'"' + b"x" * 65_000 + b'"') + packer.flush(zlib.Z_SYNC_FLUSH)
    bombs = frame(COMPRESSED, large.removesuffix(b"\0\0\xff\xff"))

    waiting: list[int] = []

    class Looks(Gateway):
        """Notes how many frames wait at each."""

        def frame(self, connection: object, direction: str, text: str) -> None:
            waiting.append(len(connection._socket.recv_messages.frames))  # type: ignore[attr-defined]

    gateway = Looks()
    async with serving(handler=gateway) as (server, _):
        raw = await asyncio.to_thread(Raw, server.port, Version.V201, offer)
        await asyncio.to_thread(raw.flood, bombs * 100, FLOOD)
        await until(lambda: "closed" in gateway.events())
    assert waiting
    assert max(waiting) < 64, "each of 65 kB"
