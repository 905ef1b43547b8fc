"""Both HTTP servers: gevent's, with limits, deadlines and the headers that every answer has.

The process has to be patched by gevent before anything else is imported.
"""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import gevent
from bottle import Bottle
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from evcs.adapters.http_server import MAX_BODY
from evcs.adapters.server_tls import ServerTls
from evcs.core.errors import EvcsError

REQUEST_WITHIN_S = 10.0
HANDSHAKE_WITHIN_S = 10.0
WRITE_WITHIN_S = 20.0
DISCARD_WITHIN_S = 5.0
MAX_CONNECTIONS = 2000
MAX_HEADER_BYTES = 32_768
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

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_headers(app: WsgiApp) -> WsgiApp:
    """Every answer of `app`, errors too, with HEADERS."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, *HEADERS], *more)

        return app(environ, start)

    return wrapped


class _Limited:
    """Reads header lines up to a total."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._left = MAX_HEADER_BYTES

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._source.readline(min(size, self._left + 1) if size >= 0 else size)
        self._left -= len(line)
        if self._left < 0:
            raise ValueError("headers are too large")
        return line


def refusal(status: str, code: str, message: str) -> bytes:
    """A whole answer to what never becomes a request, as JSON; the connection ends with it."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


TOO_LARGE = refusal(
    "413 Request Entity Too Large", "too_large", "the body is too large; at most 1 MiB"
)
MALFORMED = refusal(
    "400 Bad Request", "bad_value", "the request is malformed, or its headers are too large"
)


class Handler(WSGIHandler):
    """One connection. A request has to be there, body included, before its deadline."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.socket.settimeout(WRITE_WITHIN_S)

    def MessageClass(self, source: Any, *args: Any) -> Any:  # noqa: N802
        return super().MessageClass(_Limited(source), *args)

    def handle_one_request(self) -> Any:
        self._deadline = gevent.Timeout.start_new(REQUEST_WITHIN_S)
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
        length = self.content_length or 0
        if length > MAX_BODY:
            self._deadline.close()
            self._refuse_body()
            return
        if length > 0:
            self.environ["wsgi.input"] = BytesIO(self.wsgi_input.read(length))
        self._deadline.close()
        super().handle_one_response()

    def _refuse_body(self) -> None:
        """Answer 413, then read on for a moment, else the answer is lost with the reset."""
        self.close_connection = True
        try:
            self.socket.sendall(TOO_LARGE)
            with gevent.Timeout(DISCARD_WITHIN_S, False):
                while self.rfile.read1(CHUNK):
                    pass
        except OSError:
            pass

    def _sendall(self, data: Any) -> None:
        try:
            super()._sendall(data)
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
    """With `tls`, a handshake has a deadline, and a failed one is a line in the log."""

    def __init__(self, listen: tuple[str, int], app: WsgiApp, tls: ServerTls | None) -> None:
        more = {} if tls is None else {"ssl_context": tls.context()}
        super().__init__(
            listen, with_headers(app), handler_class=Handler, spawn=Pool(MAX_CONNECTIONS),
            log=None, error_log=_ErrorLog(), backlog=1024,
            # gevent would ask the name service for it.
            environ={"SERVER_NAME": listen[0]}, **more,
        )  # fmt: skip
        self._tls = tls

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        assert self._tls is not None
        client_socket.settimeout(HANDSHAKE_WITHIN_S)
        try:
            # Not the context of the start: the certificate may have been renewed since.
            wrapped = self._tls.context().wrap_socket(client_socket, server_side=True)
        except (OSError, ValueError) as error:
            _log.info("from=%s no TLS: %s", address[0], getattr(error, "reason", None) or error)
            client_socket.close()
            return None
        try:
            return self.handle(wrapped, address)
        finally:
            wrapped.close()


def start(app: Bottle, host: str, port: int, tls: ServerTls | None = None) -> WSGIServer:
    """A server that takes requests from now on. Raises EvcsError where the port is taken."""
    server = _Server((host, port), app, tls)
    try:
        server.start()
    except OSError as error:
        raise EvcsError(f"{host} port {port} can't be had: {error}", "see: evcs doctor") from None
    _log.info("listening on %s port %d%s", host, port, ", TLS" if tls else "")
    return server
