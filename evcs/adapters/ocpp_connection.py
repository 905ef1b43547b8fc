"""One charger's connection: its CALLs handled in their order, ours answered, one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from websockets.exceptions import ConnectionClosed

from evcs.adapters.ocpp_socket import Socket
from evcs.core.ocpp import frames
from evcs.core.ocpp.actions import TELL_ENERGY, Sender, actions, knows
from evcs.core.ocpp.frames import Call, Error, Malformed, Result
from evcs.core.ocpp.ports import (
    CallError,
    Handler,
    NoAnswer,
    NotSendable,
    Refused,
    Schemas,
)
from evcs.core.ocpp.rules import MAX_DESCRIPTION, MAX_WAITING, NO_ID, Fault, Version

_log = logging.getLogger("evcs")
_GONE = "the connection has ended"
#: A CALL that is refused for what it says counts by its length: to look into it takes time.
AN_ERROR_BYTES = 6 * 1024


class OcppConnection:
    """What a station's WebSocket is to the gateway (core.ocpp.ports.Connection)."""

    __slots__ = (
        "_asked",
        "_calls",
        "_closing",
        "_ended",
        "_handler",
        "_may_err",
        "_opened",
        "_schemas",
        "_socket",
        "_turn",
        "_worker",
        "certificate_ends_at",
        "key",
        "security_profile",
        "station",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        socket: Socket,
        handler: Handler,
        schemas: Schemas,
        may_err: Callable[[str, float], bool],
    ) -> None:
        """`may_err(station, cost)`: whether it is no flood, of what should not have been sent."""
        self.station = socket.access.station
        self.version = Version(str(socket.subprotocol))
        self.security_profile, self.key = socket.security_profile, socket.key
        self.certificate_ends_at = socket.certificate_ends_at
        self._socket, self._may_err = socket, may_err
        socket.pinged = self._erred
        self._handler = handler
        self._schemas = schemas
        # What waits for its turn, the one that is being handled first.
        self._calls: list[Call] = []
        self._worker: asyncio.Task[None] | None = None
        # Our CALL that waits for its answer.
        self._asked: tuple[str, asyncio.Future[Result | Error | None]] | None = None
        self._turn = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._opened = self._ended = False

    @property
    def remote(self) -> str:
        """The address that it comes from."""
        address = self._socket.remote_address
        return str(address[0]) if address else ""

    async def run(self) -> None:
        """Until its end: what comes is read at all times, whatever a handler waits for."""
        try:
            self._worker = asyncio.create_task(self._work(is_new=True))
            async for data in self._socket:
                await self._received(data)
                await asyncio.sleep(0)  # others' turn, however much there is of this one's
        except ConnectionClosed as error:
            _log.info("%s: %s", self.station, error)
        finally:
            self.end()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close it, without waiting; Handler.closed is called before this returns."""
        self.end()
        if self._closing is None:
            self._closing = asyncio.create_task(self._socket.close(code, reason))

    def end(self) -> None:
        """Nothing is handled from here on, and who waits for an answer gets none."""
        if self._ended:
            return
        self._ended = True
        self._calls.clear()
        if self._worker is not None:
            self._worker.cancel()
        if self._asked is not None and not self._asked[1].done():
            self._asked[1].set_result(None)
        if self._opened:
            try:
                self._handler.closed(self)
            except Exception:  # noqa: BLE001 - it must not hold up the station's next one
                _log.exception("%s: its end can't be taken", self.station)

    # --- what comes in ----------------------------------------------------------------------

    async def _received(self, data: str | bytes) -> None:
        if self._ended:
            return
        if isinstance(data, bytes):
            self._told(Fault.BINARY)
            self.close(Fault.BINARY.rule.close or 0, Fault.BINARY.rule.what)
            return
        self._handler.frame(self, "in", data)
        found = frames.read(self.version, data)
        if isinstance(found, Call):
            await self._take(found)
        elif isinstance(found, Malformed):
            self._erred(found.fault)
            if found.fault is Fault.BAD_ANSWER:
                self._answered(Error(found.id, "", found.fault.rule.what))
            elif found.answer is not None:
                await self._send(found.answer)
        elif not self._answered(found):
            self._erred(Fault.UNASKED)

    async def _take(self, call: Call) -> None:
        if any(call.id == waiting.id for waiting in self._calls):
            # A CALLERROR of that id would be taken for the answer to the first.
            self._erred(Fault.SAME_ID)
        elif len(self._calls) > MAX_WAITING:
            self._erred()
            await self._refuse(call.id, Fault.TOO_MANY)
        else:
            self._calls.append(call)
            if self._worker is None:
                self._worker = asyncio.create_task(self._work())

    def _answered(self, answer: Result | Error) -> bool:
        if self._asked is None or self._asked[1].done():
            return False
        # A charger that could not read the id has no other: it is of the one CALL that waits.
        if answer.id != self._asked[0] and not (isinstance(answer, Error) and answer.id == NO_ID):
            return False
        self._asked[1].set_result(answer)
        return True

    # --- its CALLs --------------------------------------------------------------------------

    async def _work(self, is_new: bool = False) -> None:
        try:
            if is_new:
                self._opened = True
                await self._handler.opened(self)
            while self._calls:
                await self._handle(self._calls[0])
                del self._calls[:1]  # of one that has ended meanwhile none is left
            self._worker = None
        except Exception:  # noqa: BLE001 - a fault of ours at one charger is no other's
            _log.exception("%s: its connection can't be served", self.station)
            self._worker = None
            self.close(1011, "a fault of the central system")

    async def _handle(self, call: Call) -> None:
        version, action = self.version, call.action
        if action not in actions(version, Sender.CHARGER) or not self._handler.serves(
            version, action
        ):
            known = knows(version, action)
            fault = Fault.UNSERVED_ACTION if known else Fault.UNKNOWN_ACTION
            await self._refuse_said(call, fault, action)
        elif wrong := self._schemas.violation(version, action, call.payload):
            if action in TELL_ENERGY:
                rest = self._schemas.readable(version, action, call.payload)
                if rest is not None:
                    await self._answer(call._replace(payload=rest))
            await self._refuse_said(call, wrong.fault, f"{action}: {wrong.description}")
        else:
            await self._send(*await self._answer(call))

    async def _answer(self, call: Call) -> tuple[Result | Error, str]:
        """The answer and its text; that there is one is certain, whatever the handler does."""
        answer: Result | Error
        try:
            payload = await self._handler.called(self, call.action, call.payload)
            if wrong := self._schemas.violation(self.version, call.action, payload, answer=True):
                raise ValueError(wrong.description)
            answer = Result(call.id, payload)
            return answer, frames.write(answer)
        except CallError as error:
            answer = Error(call.id, error.code.spelled(self.version), error.description)
        except Exception:  # noqa: BLE001 - a handler's fault is no other's
            _log.exception("%s: no answer to its %s", self.station, call.action)
            answer = Error(call.id, Fault.OUR_ERROR.rule.answer(self.version) or "", "")
        return answer, frames.write(answer)

    async def _refuse_said(self, call: Call, fault: Fault, why: str) -> None:
        """For what it says; that counts by its length."""
        await self._refuse(call.id, fault, why)
        self._erred(cost=len(frames.write(call)) / AN_ERROR_BYTES)

    async def _refuse(self, message_id: str, fault: Fault, why: str = "") -> None:
        self._told(fault, why)
        error = frames.error(self.version, fault, message_id, why)
        if error is not None:
            await self._send(error)

    # --- ours -------------------------------------------------------------------------------

    async def call(
        self, action: str, payload: dict[str, Any], within_s: float = 30.0
    ) -> dict[str, Any]:
        """The charger's answer, valid by its schema. One call at a time, others wait their turn.

        `within_s` counts from when it is sent. Raises Refused, NoAnswer, NotSendable.
        """
        if action not in actions(self.version, Sender.CENTRAL_SYSTEM):
            raise NotSendable(f"{self.version} has no {action} from a central system")
        if wrong := self._schemas.violation(self.version, action, payload):
            raise NotSendable(f"{action}: {wrong.description}")
        async with self._turn:
            answer = await self._ask(Call(str(uuid4()), action, payload), within_s)
        if isinstance(answer, Error):
            raise Refused(answer.code or "no answer of the standard", answer.description)
        if wrong := self._schemas.violation(self.version, action, answer.payload, answer=True):
            code = wrong.fault.rule.answer(self.version) or ""
            raise Refused(code, f"the answer to {action}: {wrong.description}")
        return answer.payload

    async def _ask(self, call: Call, within_s: float) -> Result | Error:
        if self._ended:
            raise NoAnswer(_GONE)
        text = frames.write(call)
        waits: asyncio.Future[Result | Error | None] = asyncio.get_running_loop().create_future()
        self._asked = call.id, waits
        try:
            async with asyncio.timeout(within_s):
                self._handler.frame(self, "out", text)
                await self._socket.send(text)
                answer = await waits
        except TimeoutError:
            raise NoAnswer(f"no answer to {call.action} within {within_s:g} s") from None
        except ConnectionClosed:
            raise NoAnswer(_GONE) from None
        finally:
            self._asked = None
        if answer is None:
            raise NoAnswer(_GONE)
        return answer

    async def _send(self, frame: Result | Error, text: str = "") -> None:
        text = text or frames.write(frame)
        self._handler.frame(self, "out", text)
        with suppress(ConnectionClosed):  # that is noticed where it is read
            await self._socket.send(text)

    def _erred(self, fault: Fault | None = None, cost: float = 1.0) -> None:
        """It said what nobody has to say often: who goes on is shut out."""
        if fault is not None:
            self._told(fault)
        if not self._ended and not self._may_err(self.station, cost):
            _log.error("%s floods; shut out", self.station)
            self._handler.flooded(self)
            self.close(1008, "too many frames at once")

    def _told(self, fault: Fault, why: str = "") -> None:
        _log.warning("%s: %s %s", self.station, fault.rule.what, why[:MAX_DESCRIPTION])
