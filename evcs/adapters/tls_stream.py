"""A TLS connection to another machine that never waits, neither to connect nor to shake hands."""

from __future__ import annotations

import os
import socket
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from evcs.adapters.tls import client_context
from evcs.config import Endpoint

#: A cut line is known within so many ms where something is sent, and by the kernel's own asking
#: (idle s, every s, times) where nothing is.
UNTAKEN_MS = 20_000
KEEPALIVE_S = (10, 5, 3)


@lru_cache
def _context(ca: Path, _changed_ns: int) -> ssl.SSLContext:
    """One for all connections of a process, as long as the CA is the same."""
    return client_context(ca)


class TlsStream:
    """A socket for who reads and sends what goes at once, and else gets a BlockingIOError.

    `waits`: nothing can be sent before something was read. `why`: what of the other side's
    certificate it did not go on for.
    """

    def __init__(self, server: Endpoint) -> None:
        """Begin to connect. Raises OSError."""
        self.waits, self.why = False, ""
        self._server, self._is_open, self._failed = server, False, 0
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        self._tls: ssl.SSLSocket | None = None
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._sock.setblocking(False)
            _set_options(self._sock)
            self._sock.connect((server.host, server.port))
        except BlockingIOError:
            pass
        except OSError:
            self._sock.close()
            raise

    def recv(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises OSError."""
        try:
            found = self._opened().recv(size)
        except ssl.SSLWantReadError:
            self.waits = not self._is_open
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self.waits = False
            raise BlockingIOError from None
        self.waits = False
        return found

    def send(self, data: bytes | bytearray) -> int:
        """Send some of it. Raises OSError."""
        try:
            return self._opened().send(data)
        except ssl.SSLWantReadError:
            self.waits = True
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self.waits = False
            raise BlockingIOError from None

    def _opened(self) -> ssl.SSLSocket:
        """The connection, as soon as both sides have shaken hands."""
        if self._tls is None:
            # Told once; who sends doesn't mind, and who reads has to hear it, too.
            self._failed = self._failed or self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if self._failed:
                raise OSError(self._failed, os.strerror(self._failed))
            try:
                self._sock.getpeername()
            except OSError:  # not there yet
                raise BlockingIOError from None
            assert self._server.ca is not None
            context = _context(self._server.ca, self._server.ca.stat().st_mtime_ns)
            self._sock = self._tls = context.wrap_socket(
                self._sock, server_hostname=self._server.host, do_handshake_on_connect=False
            )
        if not self._is_open:
            try:
                self._tls.do_handshake()
            except ssl.SSLCertVerificationError as error:
                self.why = f"the broker's certificate is refused: {error.verify_message}"
                raise
            self._is_open, self.waits = True, False
        return self._tls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _set_options(sock: socket.socket) -> None:
    idle_s, every_s, times = KEEPALIVE_S
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNTAKEN_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, every_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, times)
