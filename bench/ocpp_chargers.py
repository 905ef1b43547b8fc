"""Bare chargers in one process: `ocpp_chargers.py URL FILE`, one for each "identity password" line.

It reads orders from its input, a word and a number a line, and answers each with a line of JSON:
"connect": all connect; "heartbeat N": N Heartbeats of each, one charger after the other; "charge":
a transaction of each begins; "meter S": a reading a second of each, for S seconds, as fast as the
answers come where S is 0. What it is told itself it accepts; the monotonic second of a
RemoteStartTransaction is printed as {"remote_start_at"}.
"""

import asyncio
import base64
import json
import statistics
import sys
import time
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

AT_ONCE = 100
WITHIN_S = 120.0


class Charger:
    """One connection."""

    def __init__(self, url: str, identity: str, password: str) -> None:
        self.identity = identity
        self._url = f"{url}/{identity}"
        basic = base64.b64encode(f"{identity}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}"}
        self._waiting: dict[str, asyncio.Future[dict[str, object]]] = {}
        self._number = 0
        self.transaction: object = None
        self.register = 0

    async def open(self) -> None:
        """Connect."""
        self._socket: ClientConnection = await connect(
            self._url, subprotocols=[Subprotocol("ocpp1.6")], additional_headers=self._headers,
            compression=None, ping_interval=None, open_timeout=WITHIN_S,
        )  # fmt: skip
        self._reader = asyncio.ensure_future(self._read())

    async def call(self, action: str, payload: dict[str, object]) -> dict[str, object]:
        """The answer to a CALL."""
        self._number += 1
        number = str(self._number)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps([2, number, action, payload]))
        return await self._waiting[number]

    async def _read(self) -> None:
        async for text in self._socket:
            kind, number, *rest = json.loads(text)
            if kind == 2:
                if rest[0] == "RemoteStartTransaction":
                    tell({"remote_start_at": time.monotonic()})
                answer = {} if rest[0] == "GetConfiguration" else {"status": "Accepted"}
                await self._socket.send(json.dumps([3, number, answer]))
            elif number in self._waiting:
                self._waiting.pop(number).set_result(rest[0])

    async def heartbeat(self) -> float:
        """Seconds to the answer."""
        began = time.monotonic()
        await self.call("Heartbeat", {})
        return time.monotonic() - began

    async def begin(self) -> None:
        """A transaction."""
        found = await self.call(
            "StartTransaction",
            {"connectorId": 1, "idTag": self.identity, "meterStart": 0, "timestamp": stamp()},
        )
        self.transaction = found["transactionId"]

    async def meter(self) -> None:
        """A reading."""
        self.register += 1
        values = [
            {"value": str(self.register)},
            {"value": "7400", "measurand": "Power.Active.Import", "unit": "W"},
        ]
        await self.call(
            "MeterValues",
            {"connectorId": 1, "transactionId": self.transaction,
             "meterValue": [{"timestamp": stamp(), "sampledValue": values}]},
        )  # fmt: skip


def stamp() -> str:
    """Now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def tell(what: dict[str, object]) -> None:
    """An answer."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def do(chargers: list[Charger], word: str, number: float) -> dict[str, object]:
    """One order."""
    began = time.monotonic()
    if word == "connect":
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(charger: Charger) -> None:
            async with gate:
                await charger.open()

        await asyncio.gather(*map(one, chargers))
        return {"took_s": time.monotonic() - began}
    if word == "heartbeat":
        took = [await one.heartbeat() for _ in range(int(number)) for one in chargers]
        took.sort()
        return {"p50_s": statistics.median(took), "p95_s": took[len(took) * 95 // 100]}
    if word == "charge":
        await asyncio.gather(*(one.begin() for one in chargers))
        return {"took_s": time.monotonic() - began}
    told = 0
    while time.monotonic() - began < number:
        await asyncio.gather(*(one.meter() for one in chargers))
        told += len(chargers)
    return {"a_second": told / (time.monotonic() - began)}


async def main(url: str, file: Path) -> None:
    """Orders, until there are no more."""
    lines = [line.split() for line in file.read_text().splitlines()]
    chargers = [Charger(url, identity, password) for identity, password in lines]
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, _, number = line.strip().partition(" ")
        tell(await do(chargers, word, float(number or 0)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
