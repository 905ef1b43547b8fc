"""The WebSocket server that chargers dial in to: who may, in which version, who is the newest."""

from __future__ import annotations

import asyncio
import hmac
import http
import logging
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from typing import Any
from urllib.parse import unquote

from websockets.asyncio import server as ws
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from evcs.adapters.ocpp_connection import OcppConnection
from evcs.adapters.ocpp_listener import Listener
from evcs.adapters.ocpp_socket import Socket
from evcs.core.errors import EvcsError
from evcs.core.ocpp.ports import AccessRefusal, Handler, Schemas, StationAccess
from evcs.core.ocpp.rules import MAX_FRAME_BYTES, Version
from evcs.core.shares import Shares
from evcs.core.stations import key_id

_log = logging.getLogger("evcs")

MAX_IDENTITY = 48
#: Frames that are none, answers that nobody asked for, CALLs that do not wait their turn, pings;
#: and those that are refused for what they say, by their length.
ERRORS_AT_ONCE, ERRORS_A_SECOND = 500.0, 5.0
SHUT_OUT_S = 30.0
_SPOKEN = frozenset(Version)
#: Windows of 1 KiB: 8 KiB a connection for what is sent, as much again for what comes.
_DEFLATE = ServerPerMessageDeflateFactory(
    server_max_window_bits=10, client_max_window_bits=10, compress_settings={"memLevel": 2}
)


class Server:
    """Listens for OCPP-J at `/<identity>` and `/ocpp/<identity>`.

    `stations`: who may connect by that identity, None where nobody is known by it; asked at each
    handshake. `available`: whether anybody is served at all; else 503. `ping_s`: between pings; who
    does not answer one in as long is gone. `open_s`: for a handshake.
    """

    def __init__(
        self,
        stations: Callable[[str], StationAccess | None],
        handler: Handler,
        available: Callable[[], bool],
        schemas: Schemas,
        *,
        host: str = "127.0.0.1",
        port: int = 8887,
        ssl: SSLContext | None = None,
        ping_s: float = 10.0,
        open_s: float = 10.0,
        close_s: float = 5.0,
    ) -> None:
        self._stations = stations
        self._handler = handler
        self._available = available
        self._schemas = schemas
        self._host, self._port, self._ssl = host, port, ssl
        self._listener: Listener | None = None
        self._times: dict[str, Any] = {"ping_interval": ping_s, "ping_timeout": ping_s,
                                       "open_timeout": open_s, "close_timeout": close_s,
                                       }  # fmt: skip
        self._server: ws.Server | None = None
        self._newest: dict[str, OcppConnection] = {}
        self._errors = Shares(time.monotonic, ERRORS_AT_ONCE, ERRORS_A_SECOND)
        #: Station that flooded -> until when it is shut out.
        self._shut: dict[str, float] = {}

    @property
    def port(self) -> int:
        """Where it listens; of use where it was told to take any (0)."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises EvcsError where it can't."""
        try:
            await self._start()
        except OSError as error:
            where = f"{self._host} port {self._port}"
            text = f"can't listen on {where}: {error.strerror}"
            raise EvcsError(text, "see: evcs doctor") from None

    async def _start(self) -> None:
        self._listener = Listener(self._host, self._port)
        self._server = await ws.serve(
            self._serve,
            sock=self._listener,
            ssl=self._ssl,
            **self._times,
            # Thousands may dial in at once, after our own restart.
            backlog=1024,
            compression=None,
            create_connection=Socket,
            extensions=[_DEFLATE],
            max_size=MAX_FRAME_BYTES,
            process_request=self._judge,
            select_subprotocol=_select,
            server_header=None,
        )

    async def stop(self) -> None:
        """Close what is open, and end."""
        if self._server is None:
            return
        self._server.close()
        # Handshakes that never come to an end are not waited for.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._times["close_timeout"] + 1.0):
                await self._server.wait_closed()

    def _judge(self, socket: ws.ServerConnection, request: Request) -> Response | None:
        """Whether a handshake goes on; else what it is answered."""
        if not self._available():
            return socket.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "Try again later.\n")
        assert isinstance(socket, Socket)
        identity = _identity(request.path)
        access = self._stations(identity) if identity else None
        if identity is None or access is None:
            _log.warning("unknown station: %a", identity)
            self._handler.refused(_address(socket), AccessRefusal.UNKNOWN)
            return socket.respond(http.HTTPStatus.NOT_FOUND, "No such charging station.\n")
        found = _shown(socket, request.headers, identity, access.keys)
        if found is None:
            why = AccessRefusal.CREDENTIALS if socket.subject is None else AccessRefusal.CERTIFICATE
            _log.warning("%s: %s", access.station, why)
            self._handler.refused(_address(socket), why)
            refusal = socket.respond(http.HTTPStatus.UNAUTHORIZED, "Wrong credentials.\n")
            refusal.headers["WWW-Authenticate"] = 'Basic realm="OCPP", charset="UTF-8"'
            return refusal
        if self._shut.get(access.station, 0.0) > time.monotonic():
            return socket.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too much at once.\n")
        socket.access, (socket.security_profile, socket.key) = access, found
        socket.offered = ", ".join(_offered(request.headers))
        if _fitting(_offered(request.headers)) != Version.V201:
            # 1.6 has no compression: without the offer there is none.
            with suppress(KeyError):
                del request.headers["Sec-WebSocket-Extensions"]
        return None

    def _may_err(self, station: str, cost: float) -> bool:
        if self._errors.take(station, cost):
            return True
        self._shut[station] = time.monotonic() + SHUT_OUT_S
        return False

    async def _serve(self, socket: ws.ServerConnection) -> None:
        assert isinstance(socket, Socket)
        assert self._listener is not None
        self._listener.let_in(socket.remote_address)
        if socket.subprotocol is None:
            self._handler.turned_away(socket.access.station, socket.offered)
            await socket.close(1002, "none of the offered versions of OCPP is spoken here")
            return
        connection = OcppConnection(socket, self._handler, self._schemas, self._may_err)
        earlier = self._newest.get(connection.station)
        self._newest[connection.station] = connection
        if earlier is not None:
            earlier.close(1000, "the station has connected anew")
        try:
            await connection.run()
        finally:
            if self._newest.get(connection.station) is connection:
                del self._newest[connection.station]


def _address(socket: ws.ServerConnection) -> str:
    found = socket.remote_address
    return f"{found[0]}:{found[1]}" if found else "unknown"


def _identity(path: str) -> str | None:
    """What a charger calls itself, from a request's path; None: it has no name that may be one."""
    raw = path.partition("?")[0].removeprefix("/ocpp/").removeprefix("/")
    try:
        found = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return None
    return found if 0 < len(found) <= MAX_IDENTITY and found.isprintable() else None


def _shown(
    socket: Socket, headers: Headers, identity: str, keys: tuple[str, ...]
) -> tuple[int, str] | None:
    """The security profile by which it has shown who it is, and by which key; None: it has not."""
    if socket.subject is not None:
        names = (key_id(key) for key in keys if key)
        return next(((3, name) for name in names if socket.subject == (identity, name)), None)
    given = _given(headers, identity)
    for key in filter(None, keys):
        secret = key.encode()
        # It may come as its bytes or as their hex.
        if hmac.compare_digest(given, secret) | hmac.compare_digest(
            given.lower(), secret.hex().encode()
        ):
            return (2 if socket.encrypted else 1), key_id(key)
    return None


def _given(headers: Headers, identity: str) -> bytes:
    """The password that came by HTTP Basic for that user; empty: none did."""
    said = headers.get_all("Authorization")
    scheme, _, credentials = (said[0] if len(said) == 1 else "").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        user, _, password = b64decode(credentials.strip(), validate=True).partition(b":")
    except ValueError:
        return b""
    return password if user == identity.encode() else b""


def _offered(headers: Headers) -> list[str]:
    said = ",".join(headers.get_all("Sec-WebSocket-Protocol"))
    return [name.strip() for name in said.split(",")]


def _fitting(offered: list[str]) -> str | None:
    """The first of the charger's versions that is one of ours."""
    return next((name for name in offered if name in _SPOKEN), None)


def _select(_socket: ws.ServerConnection, offered: Any) -> Subprotocol | None:
    found = _fitting(list(offered))
    return None if found is None else Subprotocol(found)
