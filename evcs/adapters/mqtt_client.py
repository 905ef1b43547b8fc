"""paho's client as the loop needs it: connecting never waits, and a read takes all that is there.

paho has no public place for a socket of one's own, so `_create_unix_socket_connection` is its own
no more: that waits without end for a broker whose backlog is full, and is asked three times for
each message, 10 of 60 us. `test_a_broker_that_takes_no_connection_holds_nothing_up` fails when
it is called no more, `tests/adapters/test_library_privates.py` when paho's code there is another.
"""

from __future__ import annotations

import socket
from typing import Any

from paho.mqtt.client import Client

READ_AHEAD = 16_384


class ReadAhead:
    """A socket that reads much at once: paho asks for a byte, another and then the rest.

    `empty`: nothing more was there at the last look.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read, self._at = b"", 0
        self.empty = False

    def recv(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises BlockingIOError."""
        if self._at == len(self._read):
            self.empty = True
            self._read, self._at = self._sock.recv(READ_AHEAD), 0
            self.empty = False
        found = self._read[self._at : self._at + size]
        self._at += len(found)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class ReadAheadClient(Client):
    """paho's client, with a socket that reads ahead and connects without waiting."""

    def _create_unix_socket_connection(self) -> Any:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(self.host)
        except OSError:
            sock.close()
            raise
        return ReadAhead(sock)
