"""A TCP connection on the loop, with or without TLS, of which no step waits: neither the name, nor
the connecting, nor the handshake."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from evcs.adapters.mqtt_client import EventLoop
from evcs.core.ocpp.back_end import UNTRUSTED

READ_AT_ONCE = 16_384
#: Who does not read so much is given up.
MOST_UNSENT = 1_048_576
_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Address = tuple[int, Any]


class Told(Protocol):
    """What is told of a stream."""

    def ready(self) -> None:
        """It is there, TLS too."""

    def received(self, data: bytes) -> None:
        """Some bytes; none: it says no more."""

    def failed(self, reason: str, refused: bool) -> None:
        """It is gone. `refused`: one side would not have the other's certificate."""


def resolve(
    loop: EventLoop, host: str, port: int, then: Callable[[list[Address] | str], object]
) -> None:
    """Have `then` called with the addresses of a name, or with why there are none.

    A name is asked for in a thread, since that may take many seconds; an address is none.
    """
    try:
        loop.call_soon(partial(then, _addresses(host, port, socket.AI_NUMERICHOST)))
    except (OSError, UnicodeError):
        pass
    else:
        return

    def ask() -> None:
        try:
            found: list[Address] | str = _addresses(host, port)
        except OSError as error:
            found = f"{host} is not known: {error.strerror}"
        except UnicodeError as error:
            found = f"{host} is no name of a machine: {error}"
        with suppress(OSError, RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon(partial(then, found))

    threading.Thread(target=ask, name="resolve", daemon=True).start()


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


class Stream:
    """From its making on it connects. After `failed` or `end` nothing is told any more."""

    def __init__(
        self, loop: EventLoop, address: Address, tls: ssl.SSLContext | None, name: str, told: Told
    ) -> None:
        """`name`: whom the server's certificate has to be of. Raises OSError."""
        self._loop, self._tls, self._name, self._told = loop, tls, name, told
        self._unsent = bytearray()
        self._open = self._writing = self._leaves = False
        family, where = address
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._sock.setblocking(False)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(BlockingIOError):
                self._sock.connect(where)
        except OSError:
            self._sock.close()
            raise
        self._loop.add_writer(self._sock.fileno(), self._connected)

    def write(self, data: bytes) -> None:
        """Send it, in its order."""
        self._unsent += data
        if len(self._unsent) > MOST_UNSENT:
            self._fail("it does not read what it is sent")
        elif self._open:
            self._flush()

    def leave(self) -> None:
        """Say no more, once all is sent."""
        self._leaves = True
        if self._open:
            self._flush()

    def end(self) -> None:
        """Give it back, whatever was not sent."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()
        self._open = False

    def _connected(self) -> None:
        self._loop.remove_writer(self._sock.fileno())
        if number := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._fail(os.strerror(number))
        elif self._tls is None:
            self._begin()
        else:
            try:
                self._sock = self._tls.wrap_socket(
                    self._sock, server_hostname=self._name, do_handshake_on_connect=False
                )
            except (OSError, ValueError) as error:
                self._fail(str(error))
            else:
                self._shake_hands(self._sock)

    def _shake_hands(self, sock: ssl.SSLSocket) -> None:
        fd, again = sock.fileno(), partial(self._shake_hands, sock)
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.add_reader(fd, again)
        except ssl.SSLWantWriteError:
            self._loop.add_writer(fd, again)
        except OSError as error:
            self._fail(_why(error), _is_refusal(error))
        else:
            self._begin()

    def _begin(self) -> None:
        self._open = True
        self._loop.add_reader(self._sock.fileno(), self._read)
        self._told.ready()
        self._flush()

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_AT_ONCE)
        except _WAIT:
            return
        except OSError as error:
            self._fail(_why(error), _is_refusal(error))
            return
        if not data and self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
        self._told.received(data)
        # What TLS has read already no selector tells of.
        if self._open and isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._open:
            self._read()

    def _flush(self) -> None:
        try:
            while self._unsent and self._open:
                del self._unsent[: self._sock.send(self._unsent)]
        except _WAIT:
            pass
        except OSError as error:
            self._fail(_why(error), _is_refusal(error))
        if not self._open:
            return
        if bool(self._unsent) != self._writing:
            self._writing = bool(self._unsent)
            if self._writing:
                self._loop.add_writer(self._sock.fileno(), self._flush)
            else:
                self._loop.remove_writer(self._sock.fileno())
        if self._leaves and not self._unsent:
            self._leaves = False
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def _fail(self, reason: str, refused: bool = False) -> None:
        if self._sock.fileno() >= 0:
            self.end()
            self._told.failed(reason, refused)


#: What TLS tells of our certificate, in words.
_ALERTS = {
    "CERTIFICATE_REQUIRED": "it wants a certificate of this station",
    "HANDSHAKE_FAILURE": "it wants a certificate of this station, or other ciphers",
    "UNKNOWN_CA": "it does not know the CA of this station's certificate",
    "CERTIFICATE_UNKNOWN": "it refuses this station's certificate",
    "BAD_CERTIFICATE": "it refuses this station's certificate",
    "CERTIFICATE_EXPIRED": "this station's certificate has ended",
    "CERTIFICATE_REVOKED": "this station's certificate is revoked",
    "PROTOCOL_VERSION": "it has no TLS 1.2 or newer",
}


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{UNTRUSTED}: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
        return f"TLS: {_ALERTS.get(reason.rpartition('ALERT_')[2], reason)}"
    return error.strerror or str(error)


def _is_refusal(error: OSError) -> bool:
    """Whether a certificate would not do: TLS 1.3 tells of a client's after its handshake."""
    alert = isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")
    return alert or isinstance(error, ssl.SSLCertVerificationError)
