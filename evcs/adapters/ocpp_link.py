"""One WebSocket of a charging station to its back end, on the loop.

RFC 6455 is by `websockets`, without its I/O, which is asyncio's (decision 45).
"""

from __future__ import annotations

import logging
import ssl
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from evcs.adapters.mqtt_client import Cancellable, EventLoop
from evcs.adapters.stream import Address, Stream, resolve
from evcs.core.errors import BadValue
from evcs.core.ocpp.back_end import Event, Lost, Opened, Said
from evcs.core.ocpp.rules import MAX_FRAME_BYTES, Version

#: For name, connection, TLS and HTTP together.
CONNECT_WITHIN_S = 30.0
CLOSE_WITHIN_S = 5.0
#: Refusals that time may mend: who is asked too much, or not there.
TEMPORARY = frozenset({408, 425, 429})

#: What went wrong is told to the station, which has a log of its own.
_quiet = logging.getLogger("evcs.websocket")
_quiet.setLevel(logging.CRITICAL)


class Target(NamedTuple):
    """Whom to dial and how: `user` and `password`, of any bytes, by HTTP Basic; `tls` for wss://,
    for security profile 3 with a client's certificate (`certified`)."""

    url: str
    versions: Sequence[Version]
    user: str = ""
    password: bytes | None = None
    tls: ssl.SSLContext | None = None
    certified: bool = False

    def uri(self) -> WebSocketURI:
        """Its parts. Raises BadValue."""
        try:
            return parse_uri(self.url)
        except (InvalidURI, ValueError) as error:
            raise BadValue(f"backend: {error}", "such as wss://example.org/ocpp/{id}") from None

    def authorization(self) -> str | None:
        """The header of HTTP Basic; None where there is no password."""
        if self.password is None:
            return None
        return "Basic " + b64encode(self.user.encode() + b":" + self.password).decode()

    @property
    def security_profile(self) -> int:
        """Of OCPP: a password is 1, with TLS 2, a certificate 3; 0 is none of them."""
        if self.tls is not None and self.certified:
            return 3
        return 0 if self.password is None else 1 if self.tls is None else 2


class Link:
    """One connection, until it is lost, which is told once."""

    def __init__(
        self, loop: EventLoop, target: Target, uri: WebSocketURI,
        told: Callable[[Link, Event], None], ping_s: float,
    ) -> None:  # fmt: skip
        self._loop, self._target, self._uri, self._told = loop, target, uri, told
        self._ping_s = ping_s
        self._addresses: list[Address] = []
        self._stream: Stream | None = None
        names = [Subprotocol(version) for version in target.versions]
        self._protocol = ClientProtocol(
            uri, subprotocols=names, max_size=MAX_FRAME_BYTES, logger=_quiet
        )
        self._parts: list[bytes] = []
        self._over = self._heard = False
        self._ping: Cancellable | None = None
        late = "no answer within 30 s"
        self._timer = loop.call_later(CONNECT_WITHIN_S, partial(self._end, late))

    def start(self) -> None:
        """Ask for the name's addresses, and try each."""
        resolve(self._loop, self._uri.host, self._uri.port, self._found)

    @property
    def is_open(self) -> bool:
        """Whether what is sent now goes out."""
        return not self._over and self._protocol.state is State.OPEN

    def send(self, text: str) -> bool:
        """Send a text message. False where it is not open."""
        if not self.is_open:
            return False
        self._protocol.send_text(text.encode())
        self._flush()
        return not self._over

    def close(self, code: int, reason: str) -> None:
        """Begin to close it; what never opened is over at once."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            self._flush()
            self._closes()
        elif self._protocol.state is State.CONNECTING:
            self._end(reason)

    def set_ping(self, every_s: float) -> None:
        """Look so often whether the other end is there."""
        self._ping_s = every_s
        if self._ping is not None:
            self._ping.cancel()
        self._ping = self._loop.call_later(every_s, self._look) if every_s > 0 else None

    def _look(self) -> None:
        """Nothing heard since the last ping: nobody is there."""
        if not self._heard:
            self._end("no answer to a ping")
        elif self.is_open:
            self._heard = False
            self._protocol.send_ping(b"")
            self._flush()
            self.set_ping(self._ping_s)

    def _found(self, addresses: list[Address] | str) -> None:
        if isinstance(addresses, str):
            self._end(addresses)
        elif not self._over:
            self._addresses = addresses
            self._try_next("no address")

    def _try_next(self, reason: str, refused: bool = False) -> None:
        while self._addresses:
            try:
                where, tls = self._addresses.pop(0), self._target.tls if self._uri.secure else None
                self._stream = Stream(self._loop, where, tls, self._uri.host, self)
                return
            except OSError as error:
                reason = error.strerror or str(error)
        self._end(reason, refused)

    # What the stream tells.

    def ready(self) -> None:
        """Connected: now HTTP."""
        self._addresses = []
        request = self._protocol.connect()
        if (basic := self._target.authorization()) is not None:
            request.headers["Authorization"] = basic
        self._protocol.send_request(request)
        self._flush()

    def received(self, data: bytes) -> None:
        """Frames, a handshake's answer, or the end."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._heard = True
        for event in self._protocol.events_received():
            if not self._over:
                self._on_event(event)
        self._flush()
        if self._over:
            return
        error = self._protocol.handshake_exc
        if not data or (error is not None and self._protocol.state is not State.OPEN):
            self._end(self._why(error), isinstance(error, InvalidHandshake) and _refuses(error))
        elif self._protocol.close_expected():
            self._closes()

    def failed(self, reason: str, refused: bool) -> None:
        """The stream is gone; perhaps another address is better."""
        self._try_next(reason, refused)

    def _closes(self) -> None:
        """It is for the other end to close now; it is not waited for long."""
        self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_WITHIN_S, partial(self._end, self._why()))

    def _why(self, error: Exception | None = None) -> str:
        protocol = self._protocol
        if error is not None:
            return f"refused: {error}" if isinstance(error, InvalidStatus) else str(error)
        if (close := protocol.close_rcvd) is not None:
            return f"closed by it: {close.code} {close.reason}".rstrip()
        if (close := protocol.close_sent) is not None:
            return f"closed: {close.code} {close.reason}".rstrip()
        return "connection lost"

    def _on_event(self, event: object) -> None:
        if isinstance(event, Response):
            self._opened()
        elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.CONT):
            self._parts.append(bytes(event.data))
            if event.fin:
                whole, self._parts = b"".join(self._parts), []
                try:
                    self._told(self, Said(whole.decode()))
                except UnicodeDecodeError:
                    self._protocol.fail(1007, "no UTF-8")
        elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
            self._protocol.fail(1003, "text alone is OCPP-J")

    def _opened(self) -> None:
        if self._protocol.state is not State.OPEN:
            return
        self._timer.cancel()
        found = self._protocol.subprotocol
        if found is None:
            self._protocol.send_close(1002, "no version of OCPP agreed on")
            self._flush()
            self._end(f"it speaks none of {', '.join(self._target.versions)}", refused=True)
            return
        self.set_ping(self._ping_s)
        self._told(self, Opened(Version(found)))

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if self._stream is None or self._over:
                return
            if data:
                self._stream.write(data)
            else:
                self._stream.leave()

    def _end(self, reason: str, refused: bool = False) -> None:
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        if self._ping is not None:
            self._ping.cancel()
        if self._stream is not None:
            self._stream.end()
        self._told(self, Lost(reason, refused))


def _refuses(error: InvalidHandshake) -> bool:
    """Whether it is this station that is not let in, rather than that nobody is just now."""
    if not isinstance(error, InvalidStatus):
        return not isinstance(error, InvalidMessage)
    code = error.response.status_code
    return code < 500 and code not in TEMPORARY
