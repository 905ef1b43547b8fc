"""A back end in one process: it prints its port, takes what chargers say, and counts.

It reads orders from its input, a word a line, and answers each with a line of JSON: "charge": each
is told to tell a reading a second, and to begin; "count": what has come since "forget"; "forget".
"""

import asyncio
import itertools
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

NUMBERS = itertools.count(1)
ACCEPTED = {"status": "Accepted"}
READING = {"key": "MeterValueSampleInterval", "value": "1"}


class Counts:
    """Who is there, and when which of them came; how many readings."""

    def __init__(self) -> None:
        self.there: dict[str, ServerConnection] = {}
        self.forget()

    def forget(self) -> None:
        """Count anew."""
        self.came: dict[str, float] = {}
        self.charging: set[str] = set()
        self.readings = 0

    def told(self) -> dict[str, float]:
        """What has come."""
        times = list(self.came.values())
        return {
            "there": len(self.there), "came": len(times), "charging": len(self.charging),
            "readings": self.readings, "took_s": max(times, default=0) - min(times, default=0),
        }  # fmt: skip


counts = Counts()


def answer(name: str, action: str) -> dict[str, Any]:
    """What a good back end says."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if action == "BootNotification":
        counts.came[name] = time.monotonic()
        return {**ACCEPTED, "currentTime": now, "interval": 300}
    if action == "StartTransaction":
        return {"transactionId": next(NUMBERS), "idTagInfo": ACCEPTED}
    if action == "MeterValues":
        counts.readings += 1
        counts.charging.add(name)
    return {"currentTime": now} if action == "Heartbeat" else {}


async def station(socket: ServerConnection) -> None:
    """One charger, until it goes."""
    assert socket.request is not None
    name = socket.request.path
    counts.there[name] = socket
    with suppress(ConnectionClosed):
        async for text in socket:
            kind, number, *rest = json.loads(text)
            if kind == 2:
                await socket.send(json.dumps([3, number, answer(name, rest[0])]))
    if counts.there.get(name) is socket:
        del counts.there[name]


async def order(word: str) -> dict[str, float]:
    """One order."""
    if word == "forget":
        counts.forget()
    if word == "charge":
        for name, socket in list(counts.there.items()):
            start = {"connectorId": 1, "idTag": name[-20:]}
            for ask in (["ChangeConfiguration", READING], ["RemoteStartTransaction", start]):
                await socket.send(json.dumps([2, f"b{next(NUMBERS)}", *ask]))
    return counts.told()


async def main() -> None:
    """Orders, until there are no more."""
    async with serve(
        station, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], compression=None,
        backlog=1024, ping_interval=None,
    ) as server:  # fmt: skip
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            sys.stdout.write(json.dumps(await order(line.strip())) + "\n")
            sys.stdout.flush()


asyncio.run(main())
