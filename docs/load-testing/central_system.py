"""A back end made of the package `ocpp`: `python central_system.py PORT FILE`.

It takes every station and card of OCPP 1.6. FILE has a line for each begin and end of a charge:
begin or end, station, transaction, the register in Wh.
"""

import asyncio
import itertools
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocpp import v16
from ocpp.routing import on
from ocpp.v16 import call_result
from websockets.asyncio.server import ServerConnection, serve

ACCEPTED = {"status": "Accepted"}
FILE = Path(sys.argv[2])
FILE.touch()
#: Transactions go on being counted where the file ends.
NUMBERS = itertools.count(FILE.read_text("ascii").count("begin") + 1)


def note(*words: object) -> None:
    """One more line."""
    with FILE.open("a", encoding="ascii") as file:
        file.write(" ".join(map(str, words)) + "\n")


def now() -> str:
    """The time, as OCPP has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Station(v16.ChargePoint):
    """One that dialled in."""

    @on("BootNotification")
    def boot(self, **_: Any) -> Any:
        """It may go on, and beats each 5 minutes."""
        return call_result.BootNotification(now(), 300, "Accepted")

    @on("Heartbeat")
    def beat(self) -> Any:
        """The time."""
        return call_result.Heartbeat(now())

    @on("StatusNotification")
    def status(self, **_: Any) -> Any:
        """Well."""
        return call_result.StatusNotification()

    @on("Authorize")
    def authorize(self, **_: Any) -> Any:
        """Every card may charge."""
        return call_result.Authorize(ACCEPTED)

    @on("StartTransaction")
    def begin(self, meter_start: int, **_: Any) -> Any:
        """It gets a number."""
        number = next(NUMBERS)
        note("begin", self.id, number, meter_start)
        return call_result.StartTransaction(number, ACCEPTED)

    @on("MeterValues")
    def meter(self, **_: Any) -> Any:
        """Well."""
        return call_result.MeterValues()

    @on("StopTransaction")
    def end(self, transaction_id: int, meter_stop: int, **_: Any) -> Any:
        """It is over."""
        note("end", self.id, transaction_id, meter_stop)
        return call_result.StopTransaction()


async def station(connection: ServerConnection) -> None:
    """One connection, until it ends."""
    assert connection.request is not None
    await Station(connection.request.path.rpartition("/")[2], connection).start()


async def main() -> None:
    """Until it is killed."""
    async with serve(
        station, "127.0.0.1", int(sys.argv[1]), subprotocols=["ocpp1.6"],  # type: ignore[list-item]
        backlog=1024,
    ):  # fmt: skip
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
