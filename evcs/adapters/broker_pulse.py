"""Whether the broker answers, asked from within supervisord, which must never wait for it.

A client of a few bytes: CONNECT, and then PINGREQ at each look. Any answer is a sign of life.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

IDENTITY = "inspector"
#: Of MQTT 3.1.1 the broker refuses what is above its max_keepalive.
KEEPALIVE_S = 30
PINGREQ = b"\xc0\x00"


class BrokerPulse:
    """A connection that is made anew where it has ended."""

    def __init__(self, path: Path, password: Callable[[], str]) -> None:
        self._path, self._password = path, password
        self._socket: socket.socket | None = None
        self._answers = 0

    def sign(self) -> int | None:
        """How many answers have come; and ask again. None where the broker can't be asked.

        It does not listen then, or thousands stand in its queue, which says nothing of it. Where
        its socket is gone it gives no sign: no answer to us helps who connects now.
        """
        if not self._path.is_socket():
            return self._answers
        try:
            if self._socket is None:
                self._connect()
            elif not self._answered():
                self.close()
            elif self._socket is not None:
                self._socket.send(PINGREQ)
        except BlockingIOError:
            if self._socket is None:
                return None
            # It takes nothing more: it has not read what was asked.
        except OSError:
            self.close()
            return None
        return self._answers

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> None:
        """A child introduces us: supervisord's memory, which its forks share, holds no secret."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            made.connect(str(self._path))
            if os.fork() == 0:
                try:
                    made.send(connect_packet(IDENTITY, self._password()))
                finally:
                    os._exit(0)
        except OSError:
            made.close()
            raise
        self._socket = made

    def _answered(self) -> bool:
        """Count an answer, if one has come; whether the connection goes on."""
        assert self._socket is not None
        try:
            found = self._socket.recv(4096)
        except BlockingIOError:
            return True
        self._answers += bool(found)
        return bool(found)


def connect_packet(user: str, password: str) -> bytes:
    """MQTT 3.1.1's CONNECT, with a clean session and a client id that nobody knows."""
    flags = 0x80 | 0x40 | 0x02
    body = b"\0\4MQTT\4" + bytes((flags,)) + KEEPALIVE_S.to_bytes(2, "big")
    for text in (os.urandom(16).hex(), user, password):
        body += len(text).to_bytes(2, "big") + text.encode()
    if len(body) > 0x7F:
        return bytes((0x10, len(body) & 0x7F | 0x80, len(body) >> 7)) + body
    return bytes((0x10, len(body))) + body
