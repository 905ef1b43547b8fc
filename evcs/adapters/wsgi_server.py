"""Both HTTP servers: gevent's, with limits, deadlines and the headers that every answer has.

The process has to be patched by gevent before anything else is imported.
"""

from __future__ import annotations

import errno
import json
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import Any

import gevent
from bottle import Bottle
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from evcs.adapters import http_grammar
from evcs.adapters.server_tls import ServerTls
from evcs.config import LOOPBACK
from evcs.core.errors import BadValue, EvcsError, Unreachable

REQUEST_WITHIN_S = 10.0
BODY_WITHIN_S = 10.0
HANDSHAKE_WITHIN_S = 10.0
WRITE_WITHIN_S = 20.0
DISCARD_WITHIN_S = 5.0
#: gevent's loop looks at its sockets before that is over, and before none only now and then.
SHORTEST_S = 1e-6
MAX_CONNECTIONS = 2000
#: With more than these, or more that is not read, nobody may keep a connection, nor take long to
#: ask, or to read an answer, all of it: others wait for the place and the room.
CROWDED = MAX_CONNECTIONS // 2
MAX_UNREAD = 64 * 1024 * 1024
CROWDED_REQUEST_WITHIN_S = 1.0
CROWDED_WRITE_WITHIN_S = 1.0
#: To who has had that time: what he has room for is sent without waiting.
AT_ONCE_S = 0.05
MAX_BODY = 1024 * 1024
#: Of all bodies together that are being read or used.
MAX_BODIES = 8 * MAX_BODY
MAX_OF_ONE_ADDRESS = 200
CHUNK = 65_536

CSP = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
HEADERS = (
    ("Content-Security-Policy", CSP),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)

_log = logging.getLogger("evcs")
_WASTE = bytearray(CHUNK)  # nobody reads it, so all may write it

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_headers(app: WsgiApp) -> WsgiApp:
    """Every answer of `app`, errors too, with HEADERS."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, *HEADERS], *more)

        return app(environ, start)

    return wrapped


class _Body:
    """What a request brings: read when it is asked for, and by then its sender is known."""

    def __init__(self, source: Any, length: int, server: _Server) -> None:
        self._source, self._length, self._server = source, length, server
        self._held = 0
        self.is_read = length == 0
        source.content_length = 0  # else pywsgi would read what nobody asked for

    def read(self, _size: int = -1) -> bytes:
        """All of it. Raises Unreachable where others take all the room, BadValue."""
        if self.is_read:
            return b""
        if self._server.bodies + self._length > MAX_BODIES:
            raise Unreachable("too many bodies at once", "try again in a moment")
        self._held = self._length
        self._server.bodies += self._held
        slow = BadValue("the body is too slow", f"it has to be there within {BODY_WITHIN_S:g} s")
        try:
            with gevent.Timeout(BODY_WITHIN_S, slow):
                self._source.content_length = self._length
                found: bytes = self._source.read(self._length)
        except OSError:
            raise BadValue("the body ends early", "send all that Content-Length says") from None
        finally:
            self._source.content_length = 0
        self.is_read = True
        return found

    def release(self) -> None:
        """The request is over."""
        self._server.bodies -= self._held
        self._held = 0


def refusal(status: str, code: str, message: str) -> bytes:
    """A whole answer to what never becomes a request, as JSON; the connection ends with it."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


TOO_LARGE = refusal(
    "413 Request Entity Too Large",
    "too_large",
    "the body is too large; at most 1 MiB, with a length",
)
MALFORMED = refusal(
    "400 Bad Request", "bad_value", "the request is malformed, or its headers are too large"
)


class Handler(WSGIHandler):
    """One connection. A request's headers have to be there before a deadline, its body too."""

    _waited_s = 0.0  # for the reader of the answer

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.socket.settimeout(WRITE_WITHIN_S)
        # Headers and body are two writes: the second would wait 40 ms for the reader's word.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def MessageClass(self, source: Any, *args: Any) -> Any:  # noqa: N802
        return super().MessageClass(http_grammar.Headers(source), *args)

    def read_request(self, raw_requestline: str) -> Any:
        if not http_grammar.REQUEST_LINE.fullmatch(raw_requestline):
            raise ValueError("the request line is malformed")
        return super().read_request(raw_requestline)

    def handle_one_request(self) -> Any:
        within_s = CROWDED_REQUEST_WITHIN_S if self.server.crowded else REQUEST_WITHIN_S
        self._deadline = gevent.Timeout.start_new(within_s)
        try:
            found = super().handle_one_request()
            # A pair is pywsgi's own refusal, which has no body.
            return ("400", MALFORMED) if isinstance(found, tuple) else found
        except gevent.Timeout as timeout:
            if timeout is not self._deadline:
                raise
            return None
        finally:
            self._deadline.close()

    def handle_one_response(self) -> None:
        self._deadline.close()
        length = self.content_length or 0
        # A body without a length could take for ever: there is none that we wait for.
        if length > MAX_BODY or "HTTP_TRANSFER_ENCODING" in self.environ:
            self.close_connection = True
            with suppress(OSError):
                self.socket.sendall(TOO_LARGE)
                self._discard()
            return
        self._waited_s = 0.0
        self._body = self.environ["wsgi.input"] = _Body(self.wsgi_input, length, self.server)
        try:
            super().handle_one_response()
        finally:
            self._body.release()
        if not self._body.is_read:
            with suppress(OSError):
                self._discard()

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        # Behind a body that was not read no next request can be found.
        goes_on = self._body.is_read and not self.server.crowded
        close = [] if goes_on else [("Connection", "close")]
        return super().start_response(status, [*headers, *close], exc_info)

    def _discard(self) -> None:
        """Read on for a moment: an answer is lost with the reset that would follow it."""
        with gevent.Timeout(DISCARD_WITHIN_S, False):
            while self.rfile.readinto1(_WASTE):
                gevent.sleep(SHORTEST_S)  # others' turn, however much there is of this one's

    def _sendall(self, data: bytes | bytearray) -> None:
        began = time.monotonic()
        if self.server.crowded:
            left_s = CROWDED_WRITE_WITHIN_S - self._waited_s
            self.socket.settimeout(max(left_s, AT_ONCE_S))
        self.server.unread += len(data)
        try:
            super()._sendall(data)
        finally:
            self.server.unread -= len(data)
            self._waited_s += time.monotonic() - began
            self.socket.settimeout(WRITE_WITHIN_S)

    def run_application(self) -> None:
        try:
            super().run_application()
        except TimeoutError:
            raise OSError(errno.EPIPE, "the reader is too slow") from None

    def log_request(self) -> None:
        """Requests are counted in /metrics, not logged."""


class _ErrorLog:
    """pywsgi's complaints, one line each, in our log."""

    def write(self, text: str) -> None:
        if text.strip():
            _log.info("http: %s", text.strip()[:200])

    def flush(self) -> None:
        """Nothing is kept back."""


class _Server(WSGIServer):
    """With `tls`, a handshake has a deadline, and one address only so many connections."""

    def __init__(self, listen: tuple[str, int], app: WsgiApp, tls: ServerTls | None) -> None:
        more = {} if tls is None else {"ssl_context": tls.context()}
        self._room = Pool(MAX_CONNECTIONS)
        super().__init__(
            listen, with_headers(app), handler_class=Handler, spawn=self._room,
            log=None, error_log=_ErrorLog(), backlog=1024,
            # gevent would ask the name service for it.
            environ={"SERVER_NAME": listen[0]}, **more,
        )  # fmt: skip
        self.bodies = 0  # bytes, of all that are being read or used
        self.unread = 0  # of answers, whose readers are waited for
        self._tls = tls
        self._own = {LOOPBACK, "::1", listen[0]}
        self._of: Counter[str] = Counter()

    @property
    def crowded(self) -> bool:
        """Whether connections, or what they don't read, are so many that each has to make way."""
        return len(self._room) > CROWDED or self.unread > MAX_UNREAD

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        who = address[0]
        if self._of[who] >= MAX_OF_ONE_ADDRESS and who not in self._own:
            client_socket.close()
            return None
        self._of[who] += 1
        try:
            wrapped = self._shake_hands(client_socket, who)
            if wrapped is not None:
                with closing(wrapped):
                    self.handle(wrapped, address)
        finally:
            client_socket.close()
            self._of -= Counter([who])

    def _shake_hands(self, client_socket: Any, who: str) -> Any:
        assert self._tls is not None
        within_s = CROWDED_REQUEST_WITHIN_S if self.crowded else HANDSHAKE_WITHIN_S
        try:
            # All of it, not each of its reads.
            with gevent.Timeout(within_s, OSError("too slow")):
                # Not the context of the start: the certificate may have been renewed since.
                return self._tls.context().wrap_socket(client_socket, server_side=True)
        except (OSError, ValueError) as error:
            _log.info("from=%s no TLS: %s", who, getattr(error, "reason", None) or error)
            return None


def start(app: Bottle, host: str, port: int, tls: ServerTls | None = None) -> WSGIServer:
    """A server that takes requests from now on. Raises EvcsError where the port is taken."""
    server = _Server((host, port), app, tls)
    try:
        server.start()
    except OSError as error:
        raise EvcsError(
            f"can't listen on {host} port {port}: {error}", "see: evcs doctor"
        ) from None
    _log.info("listening on %s port %d%s", host, port, ", TLS" if tls else "")
    return server
