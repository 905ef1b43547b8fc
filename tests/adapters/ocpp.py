"""A server of OCPP-J with a handler that notes all, and chargers that are bare WebSockets."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, ParamSpec

from websockets.asyncio.client import ClientConnection, connect

from evcs.adapters.ocpp_schemas import OcppSchemas
from evcs.adapters.ocpp_server import Server
from evcs.core.ocpp.ports import AccessRefusal, Connection, StationAccess
from evcs.core.ocpp.rules import Version

AT = "2026-11-30T07:00:00Z"
PASSWORD = "aB3dE6gH9jK2mN5pQ8sT"
STATIONS = {name: StationAccess(name, (PASSWORD,)) for name in ("S1", "S2")} | {
    "DE*ABC.1": StationAccess("S3", (PASSWORD,)),
    "x" * 48: StationAccess("S4", (PASSWORD,)),
    "EMPTY": StationAccess("EMPTY", ("",)),
}
SCHEMAS = OcppSchemas()
P = ParamSpec("P")
Called = Callable[[Connection, dict[str, Any]], Awaitable[dict[str, Any]]]


async def beat(_connection: Connection, _payload: dict[str, Any]) -> dict[str, Any]:
    return {"currentTime": AT}


class Gateway:
    """A Handler: `told` has what was opened, called and closed, in its order."""

    def __init__(self) -> None:
        self.actions: dict[str, Called] = {"Heartbeat": beat}
        self.told: list[tuple[str, Connection]] = []
        self.frames: list[tuple[str, str]] = []
        self.refusals: list[tuple[str, AccessRefusal]] = []
        self.away: list[tuple[str, str]] = []
        self.on_open: Callable[[Connection], Awaitable[None]] | None = None
        self.on_close: Callable[[], None] | None = None

    def serves(self, version: Version, action: str) -> bool:
        return action in self.actions

    async def opened(self, connection: Connection) -> None:
        self.told.append(("opened", connection))
        if self.on_open is not None:
            await self.on_open(connection)

    async def called(
        self, connection: Connection, action: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        self.told.append((action, connection))
        return await self.actions[action](connection, payload)

    def closed(self, connection: Connection) -> None:
        self.told.append(("closed", connection))
        if self.on_close is not None:
            self.on_close()

    def refused(self, who: str, why: AccessRefusal) -> None:
        self.refusals.append((who, why))

    def turned_away(self, station: str, offered: str) -> None:
        self.away.append((station, offered))

    def flooded(self, connection: Connection) -> None:
        self.told.append(("flooded", connection))

    def frame(self, connection: Connection, direction: str, text: str) -> None:
        self.frames.append((direction, text))

    def events(self) -> list[str]:
        return [event for event, _ in self.told]

    def connection(self) -> Connection:
        """The one that was opened last."""
        return [connection for event, connection in self.told if event == "opened"][-1]


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Server, Gateway]]:
    """A server on a free port."""
    gateway = Gateway()
    told: dict[str, Any] = {"stations": STATIONS.get, "available": lambda: True, "port": 0}
    server = Server(schemas=SCHEMAS, **({"handler": gateway} | told | options))
    await server.start()
    try:
        yield server, gateway
    finally:
        await server.stop()


def basic(user: str = "S1", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def charger(
    server: Server,
    version: str = Version.V16,
    path: str = "/S1",
    headers: Any = None,
    **options: Any,
) -> connect:
    """A connection of S1, unless told otherwise, that speaks that version."""
    options = {"subprotocols": [version], "compression": None, "ping_interval": None} | options
    return connect(
        f"{'wss' if 'ssl' in options else 'ws'}://127.0.0.1:{server.port}{path}",
        additional_headers=basic() if headers is None else headers,
        **options,
    )


async def heard(charger: ClientConnection) -> list[Any]:
    """The next frame."""
    found = json.loads(await charger.recv())
    assert isinstance(found, list)
    return found


async def lives(charger: ClientConnection) -> None:
    """Its next frame is the answer to a heartbeat."""
    await charger.send('[2,"alive","Heartbeat",{}]')
    assert await heard(charger) == [3, "alive", {"currentTime": AT}]


async def until(what: Callable[[], Any]) -> None:
    """Wait for it to be so."""
    while not what():
        await asyncio.sleep(0.01)


def on_a_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a test's coroutine, which fails where it hangs."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(90):
                await test(*args, **kwargs)

        # In a thread of its own: a browser's loop may run in this one, of another test.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, bounded()).result()

    return run
