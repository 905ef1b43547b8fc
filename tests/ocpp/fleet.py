"""Many chargers in one thread, OCPP 1.6, that behave as those on walls do.

Who is cut off dials in anew at once, and what matters is told again until it is answered.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.ocpp.peers import now

#: More than the gateway waits for Central.
ANSWER_WITHIN_S = 90.0
ALL_WITHIN_S = 300.0
AGAIN_S = 0.2
CODES = frozenset({"NotSupported", "NotImplemented", "InternalError"})
NOTHING = ""

_NUMBERS = itertools.count(1)
#: By its address, what a charger's register says: it never falls, whoever plays the charger.
_REGISTERS: dict[str, int] = {}


class Dial(NamedTuple):
    """Where and as whom a charger dials in, and the card that is held to it."""

    url: str
    user: str
    password: str
    card: str


class Refused(Exception):
    """The answer was a CALLERROR: its code."""


class Charger:
    """One of them. `asked`: what it was told, by action; `boots`: when it was back, each time.

    `says`, by action: its answer's status where that is not Accepted, a CALLERROR's code, NOTHING.
    """

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self.register_wh = _REGISTERS.get(dial.url, 0)
        self.asked: list[str] = []
        self.says: dict[str, str] = {}
        self.boots: list[float] = []
        self.answers: list[str] = []
        self.transaction: int | None = None
        self._there = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}
        self._socket: ClientConnection | None = None

    async def live(self) -> None:
        """Be connected, for ever."""
        while True:
            with suppress(OSError, TimeoutError, WebSocketException, Refused):
                await self._once()
            self._there.clear()
            await asyncio.sleep(AGAIN_S)

    async def call(self, action: str, **payload: Any) -> dict[str, Any]:
        """The answer to a CALL. Raises Refused, or what ends a connection."""
        assert self._socket is not None
        number = str(next(_NUMBERS))
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        await self._socket.send(json.dumps([2, number, action, payload]))
        async with asyncio.timeout(ANSWER_WITHIN_S):
            kind, _, *rest = await future
        if kind == 4:
            raise Refused(rest[0])
        answer: dict[str, Any] = rest[0]
        return answer

    async def tell(self, action: str, **payload: Any) -> dict[str, Any]:
        """The answer, at last."""
        while True:
            await self._there.wait()
            with suppress(OSError, TimeoutError, WebSocketException, Refused):
                return await self.call(action, **payload)
            await asyncio.sleep(AGAIN_S)

    async def begin(self) -> None:
        """A charge by its card."""
        answer = await self.tell(
            "StartTransaction", connectorId=1, idTag=self.dial.card, meterStart=self.register_wh,
            timestamp=now(),
        )  # fmt: skip
        self.transaction = answer["transactionId"]
        self.answers.append(answer["idTagInfo"]["status"])

    async def meter(self, more_wh: int) -> None:
        """It has charged so much more."""
        self.register_wh += more_wh
        values = [{"value": str(self.register_wh), "unit": "Wh"}]
        await self.tell(
            "MeterValues", connectorId=1, transactionId=self.transaction,
            meterValue=[{"timestamp": now(), "sampledValue": values}],
        )  # fmt: skip

    async def end(self, more_wh: int) -> None:
        """The charge is over, after so much more."""
        self.register_wh += more_wh
        await self.tell(
            "StopTransaction", transactionId=self.transaction, meterStop=self.register_wh,
            timestamp=now(),
        )  # fmt: skip
        self.transaction = None
        _REGISTERS[self.dial.url] = self.register_wh

    async def beat(self) -> float:
        """Seconds to the answer of a heartbeat."""
        began = time.monotonic()
        await self.tell("Heartbeat")
        return time.monotonic() - began

    async def _once(self) -> None:
        said = base64.b64encode(f"{self.dial.user}:{self.dial.password}".encode()).decode()
        async with connect(
            self.dial.url, subprotocols=[Subprotocol("ocpp1.6")], compression=None,
            additional_headers={"Authorization": f"Basic {said}"}, ping_interval=None,
        ) as self._socket:  # fmt: skip
            reading = asyncio.create_task(self._read(self._socket))
            try:
                await self.call("BootNotification", chargePointModel="M", chargePointVendor="V")
                word = "Available" if self.transaction is None else "Charging"
                await self.call(
                    "StatusNotification", connectorId=1, errorCode="NoError", status=word
                )
                self.boots.append(time.monotonic())
                self._there.set()
                await reading
            finally:
                reading.cancel()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                kind, number, *rest = frame = json.loads(text)
                if kind == 2:
                    self.asked.append(rest[0])
                    await self._answer(socket, number, rest[0])
                elif (future := self._waiting.pop(number, None)) and not future.done():
                    future.set_result(frame)
        finally:
            waiting, self._waiting = self._waiting, {}
            for future in (one for one in waiting.values() if not one.done()):
                future.set_exception(ConnectionError("the connection has ended"))
                future.exception()  # somebody may wait for it, or nobody

    async def _answer(self, socket: ClientConnection, number: str, action: str) -> None:
        word = self.says.get(action, "Accepted")
        if word in CODES:
            await socket.send(json.dumps([4, number, word, "", {}]))
        elif word != NOTHING:
            answer = {} if action == "GetConfiguration" else {"status": word}
            await socket.send(json.dumps([3, number, answer]))


class Fleet:
    """All of them, in a thread; used as a context."""

    def __init__(self, dials: Iterable[Dial]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._lives: list[asyncio.Task[None]] = []
        self.chargers = [Charger(dial) for dial in dials]

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def each(
        self, act: Callable[[Charger], Awaitable[Any]], some: slice = slice(None)
    ) -> list[Any]:
        """What comes of it at each, all at once."""

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(act(one) for one in self.chargers[some]))

        found: list[Any] = self._do(all_of_them())
        return found

    def in_turn(self, act: Callable[[Charger], Awaitable[Any]]) -> list[Any]:
        """The same, one after the other."""

        async def one_by_one() -> list[Any]:
            return [await act(one) for one in self.chargers]

        found: list[Any] = self._do(one_by_one())
        return found

    @contextmanager
    def beside(self, act: Callable[[Charger], Awaitable[Any]]) -> Iterator[Callable[[], object]]:
        """It goes on at each meanwhile; what is given waits for its end."""
        with ThreadPoolExecutor(1) as thread:
            yield thread.submit(self.each, act).result

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ALL_WITHIN_S)

    async def _begin(self) -> None:
        self._lives = [asyncio.create_task(one.live()) for one in self.chargers]

    async def _end(self) -> None:
        for task in self._lives:
            task.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
