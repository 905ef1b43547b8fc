"""The broker's socket with buffers: it reads much at once and sends at the end of a turn."""

from __future__ import annotations

import socket
from collections import deque
from typing import Any

from evcs.adapters import mqtt_packets as packets

READ_AHEAD = 16_384


class BufferedSocket:
    """A socket that reads and sends much at once, and hands over whole packets.

    `ended`: nothing more comes. `put` may be called from any thread, all else from the loop's.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read, self._at = b"", 0
        self.ended = False
        self._waiting: deque[bytes] = deque()
        self._unsent = bytearray()

    def fill(self) -> bool:
        """Read what is there; whether there may be more."""
        try:
            data = self._sock.recv(READ_AHEAD)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self.ended = not data
        self._read, self._at = self._read[self._at :] + data, 0
        return len(data) == READ_AHEAD

    def packet(self) -> bytes | None:
        """Take the next packet; None where not all of it is here. Raises ValueError for no MQTT."""
        try:
            length, begins = packets.number(self._read, self._at + 1)
        except IndexError:
            return None
        at, end = self._at, begins + length
        if end > len(self._read):
            return None
        self._at = end
        return self._read[at:end]

    def put_back(self, packet: bytes) -> None:
        """Have a packet read by `recv`."""
        self._read, self._at = packet + self._read[self._at :], 0

    def recv(self, size: int) -> bytes:
        """At most so many bytes of what was put back; none at the end. Raises BlockingIOError."""
        found = self._read[self._at : self._at + size]
        if not found and not self.ended:
            raise BlockingIOError
        self._at += len(found)
        return found

    def put(self, packet: bytes) -> None:
        """Take a packet, for `flush` to send."""
        self._waiting.append(packet)

    def send(self, data: bytes) -> int:
        """The same of paho's. Raises BlockingIOError while a DISCONNECT has no room."""
        if data[0] != packets.DISCONNECT:
            self.put(data)
            return len(data)
        # Behind it paho closes, so that it goes out before it is taken as sent.
        if not self.flush():
            raise BlockingIOError
        return self._sock.send(data)

    def flush(self) -> bool:
        """Send as much as goes; whether that was all. That nobody is there, the reader will see."""
        while self._waiting:
            self._unsent += self._waiting.popleft()
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            return False
        except OSError:
            self._unsent.clear()
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
