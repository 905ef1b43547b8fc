"""A bare `websockets` server for chargers, which judges what they say by the same schemas.

It prints its port, and serves until it is killed.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from evcs.adapters.ocpp_schemas import OcppSchemas
from evcs.core.ocpp.rules import Version

NUMBERS = itertools.count(1)
ANSWERS: dict[str, Callable[[], dict[str, Any]]] = {
    "Heartbeat": lambda: {"currentTime": datetime.now(UTC).isoformat()},
    "StartTransaction": lambda: {
        "transactionId": next(NUMBERS), "idTagInfo": {"status": "Accepted"}
    },
    "MeterValues": dict,
}  # fmt: skip
schemas = OcppSchemas()


async def answer(socket: ServerConnection) -> None:
    """One charger, until it is killed."""
    with suppress(ConnectionClosed):
        async for text in socket:
            _, number, action, payload = json.loads(text)
            assert schemas.violation(Version.V16, action, payload) is None
            found = ANSWERS[action]()
            assert schemas.violation(Version.V16, action, found, True) is None
            await socket.send(json.dumps([3, number, found]))


async def main() -> None:
    """Until it is killed."""
    async with serve(
        answer, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None,
        backlog=1024,
    ) as server:  # fmt: skip
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
