"""A charger's WebSocket: what it sends is taken up a little at a time, and while it reads itself.

One read of a TCP connection may hold 40,000 frames, or 2,000 that are 65 kB each when they are
inflated; and a ping is answered whether its sender reads or not.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from evcs.core.ocpp.ports import StationAccess

#: Bytes that are taken up in one turn of the loop.
PIECE = 2_048


class Socket(ServerConnection):
    """With what its handshakes have found out."""

    access: StationAccess
    security_profile: int
    #: See core.ocpp.ports.Connection.
    key: str
    encrypted = False
    #: Of the client's certificate, which the TLS handshake has verified: the subject's common name
    #: and serial number. None: it sent none.
    subject: tuple[str, str] | None = None
    certificate_ends_at: datetime | None = None
    #: The subprotocols, as it named them.
    offered = ""
    #: Called at each ping of its.
    pinged: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._inbox = bytearray()
        self._is_due = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """After TLS, before HTTP."""
        super().connection_made(transport)
        self.recv_messages.resume = self._go_on
        self.encrypted = transport.get_extra_info("sslcontext") is not None
        if found := transport.get_extra_info("peercert"):
            parts = {key: value for group in found.get("subject", ()) for key, value in group}
            ends_at = ssl.cert_time_to_seconds(found["notAfter"])
            self.certificate_ends_at = datetime.fromtimestamp(ends_at, UTC)
            self.subject = parts.get("commonName", ""), parts.get("serialNumber", "")

    def data_received(self, data: bytes) -> None:
        """Take it up, a piece in each turn."""
        self._inbox += data
        if not self._is_due:
            self._take_up()

    def resume_writing(self) -> None:
        """It has read what it was sent."""
        super().resume_writing()
        self._go_on()

    def eof_received(self) -> None:
        """It says no more: what is left is all there is."""
        super().data_received(bytes(self._inbox))
        self._inbox.clear()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone, and nothing can be answered."""
        self._inbox.clear()
        super().connection_lost(exc)

    def process_event(self, event: Any) -> None:
        """A frame, or a handshake."""
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pinged()

    def _go_on(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.loop.call_soon(self._take_up)

    def _take_up(self) -> None:
        self._is_due = False
        if self._inbox and not self._is_full:
            piece = bytes(self._inbox[:PIECE])
            del self._inbox[:PIECE]
            super().data_received(piece)
        if self._inbox or self._is_full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
        if self._inbox and not self._is_full:
            self._go_on()

    @property
    def _is_full(self) -> bool:
        """Whether frames wait to be handled, or answers to be read."""
        return self.paused or self.recv_messages.paused
