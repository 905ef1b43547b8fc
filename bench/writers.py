"""Writers that cost next to nothing: MQTT packets made beforehand, sent as fast as they go."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable

from evcs.core.topics import Publication

CONNECT, CONNACK, PUBLISH, DISCONNECT = 0x10, 0x20, 0x30, 0xE0


def _packet(kind: int, body: bytes) -> bytes:
    length, rest = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        rest += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([kind]) + rest + body


def _text(value: bytes) -> bytes:
    return struct.pack("!H", len(value)) + value


class Writer:
    """One connection that has only to be let go; `last` is a name for what it says last."""

    def __init__(
        self, port: int, who: str, secret: str, publications: Iterable[Publication], last: str
    ) -> None:
        self.last = last
        self._blob = b"".join(
            self._publish(number, one) for number, one in enumerate(publications, 1)
        )
        self._socket = socket.create_connection(("127.0.0.1", port))
        # MQTT 5, clean start, user name and password, no properties, any client id.
        head = _text(b"MQTT") + bytes([5, 0b11000010]) + struct.pack("!H", 60) + b"\0"
        login = _text(b"") + _text(who.encode()) + _text(secret.encode())
        self._socket.sendall(_packet(CONNECT, head + login))
        answer = self._socket.recv(4096)
        assert answer[0] == CONNACK, answer
        assert answer[3] == 0, answer

    @staticmethod
    def _publish(number: int, one: Publication) -> bytes:
        mid = struct.pack("!H", (number - 1) % 65_535 + 1) if one.qos else b""
        body = _text(one.topic.encode()) + mid + b"\0" + one.payload
        return _packet(PUBLISH | one.qos << 1, body)

    def go(self) -> None:
        """Send everything, from a thread of its own."""
        threading.Thread(target=self._drain, daemon=True).start()
        threading.Thread(target=self._socket.sendall, args=(self._blob,), daemon=True).start()

    def _drain(self) -> None:
        try:
            while self._socket.recv(65_536):
                pass
        except OSError:
            return

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()
